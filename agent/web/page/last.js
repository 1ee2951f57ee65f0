// One strip with the newest document of this till: the customer who comes back, the paper that did not come.

import { get, post, Problem, Unreachable } from "./api.js";
import { byId, h, say, whileBusy } from "./dom.js";
import { shown } from "./money.js";
import { buyerShown, PRINTS } from "./words.js";

let open = () => {};
let drawn = "";

export function start(callbacks) {
  open = callbacks.open;
}

/** Ask for it and draw it, only where something changed: the strip may hold the focus. */
export async function draw() {
  const { invoices: [newest] } = await get("/v1/invoices?limit=1");
  const version = newest ? `${newest.id}:${newest.paper?.state}` : "";
  if (version === drawn) return;
  drawn = version;
  byId("last-invoice").hidden = !newest;
  if (newest) byId("last-invoice").replaceChildren(...parts(newest));
}

function parts(invoice) {
  const word = invoice.kind.startsWith("KOR") ? "Ostatnia korekta" : "Ostatnia faktura";
  const paper = PRINTS[invoice.paper?.state];
  const wrong = ["failed", "uncertain"].includes(invoice.paper?.state);
  return [
    h("p", { class: wrong ? "bad" : null }, `${word} `, h("strong", {}, invoice.number),
      ` · ${shown(invoice.totals.gross, invoice.totals.currency)} · ${buyerShown(invoice.buyer)}${paper ? ` · ${paper}` : ""}`),
    h("button", { type: "button", id: "last-show", onclick: () => open(invoice.id) }, "Pokaż"),
    h("button", { type: "button", id: "last-print", onclick: (event) => print(event.currentTarget, invoice.id) }, "Drukuj"),
  ];
}

async function print(button, id) {
  await whileBusy(button, async () => {
    try {
      const { paper } = await post(`/v1/invoices/${encodeURIComponent(id)}/reprint`);
      say(PRINTS[paper?.state] || "");
      await draw();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      byId("last-invoice").querySelector("p").textContent = error.message;
    }
  });
}
