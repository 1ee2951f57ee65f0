// One strip with the newest document of this till: the customer who comes back, the paper that did not come.

import { get, post, Problem, Unreachable } from "../common/api.js";
import { byId, h, say, whileBusy } from "../common/dom.js";
import { shown } from "../common/money.js";
import { buyerShown, isUnprinted, PRINTS } from "../common/words.js";

let open = () => {};
let changed = () => {};
let drawn = "";
let known = "";

export function start(callbacks) {
  open = callbacks.open;
  changed = callbacks.changed;
}

/** id of the newest document, "" before it is known. */
export const newest = () => known;

/** Ask for it and draw it, only where something changed: the strip may hold the focus. */
export async function draw() {
  const { invoices: [invoice] } = await get("/v1/invoices?limit=1");
  known = invoice?.id || "";
  changed(invoice);
  const version = invoice ? `${invoice.id}:${invoice.paper?.state}:${invoice.state}` : "";
  if (version === drawn) return;
  drawn = version;
  byId("last-invoice").hidden = !invoice;
  const focused = document.activeElement?.id;
  if (invoice) byId("last-invoice").replaceChildren(...parts(invoice));
  if (focused?.startsWith("last-")) byId(focused)?.focus();
}

function parts(invoice) {
  const word = invoice.kind.startsWith("KOR") ? "Ostatnia korekta" : "Ostatnia faktura";
  const paper = PRINTS[invoice.paper?.state];
  return [
    h("p", { class: isUnprinted(invoice) ? "bad" : null }, `${word} `, h("strong", {}, invoice.number),
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
