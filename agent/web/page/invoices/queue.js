// The queue with its nearest deadline.

import { get, post } from "../common/api.js";
import { byId, h, say, whileBusy } from "../common/dom.js";
import { cell, invoiceTable, put } from "./invoice_table.js";
import { shown } from "../common/money.js";
import { dayShown, distance, isToBeSent, momentShown } from "../common/words.js";

let open = () => {};
let openHeld = () => {};

export function start(callbacks) {
  open = callbacks.open;
  openHeld = callbacks.held;
}

export async function show() {
  const { invoices, held, refused: lost, waiting_for_window: later, window_opens_at: opens } = await get("/v1/queue");
  const next = invoices.filter(isToBeSent).map((invoice) => invoice.deadline).sort()[0];
  const rejected = invoices.filter((invoice) => invoice.state === "rejected").length;
  const waiting = invoices.length - rejected;
  const [words, urgency] = next ? distance(next) : ["", 0];
  put("view-queue",
    h("div", { class: "card" },
      h("div", { class: "card-head" },
        h("h1", { id: "queue-title", tabindex: "-1" }, "Kolejka do KSeF"),
        h("button", { type: "button", id: "sync", disabled: !invoices.length, onclick: (event) => sync(event.currentTarget) }, "Wyślij teraz")),
      waiting || next
        ? h("p", { class: "queue-next", "data-urgency": urgency },
          h("strong", {}, String(waiting)), waitingWords(waiting),
          next ? ["Najbliższy termin: ", h("strong", {}, `${dayShown(next)} – ${words}`), "."] : "Termin nie biegnie.")
        : h("p", { class: "empty" }, rejected ? "Nic nie czeka na wysłanie." : "KSeF ma już wszystkie faktury z tej kasy. Nic nie czeka."),
      later ? h("p", { class: "note" }, `Wysyłka w oknie od ${momentShown(opens)}: ${later}. „Wyślij teraz” nie czeka na okno.`) : null,
      rejected ? h("p", { class: "note bad" }, `Odrzucone przez KSeF: ${rejected}. Zawołaj kierownika.`) : null,
      lost.length ? heldTable("lost-title", "Korekty, których nie można wystawić: decyduje kierownik", lost) : null,
      invoices.length ? invoiceTable(invoices, { open }) : null,
      held.length ? heldTable("held-title", "Korekty, które czekają na numer KSeF swojej faktury", held) : null));
}

function heldTable(id, title, held) {
  return h("section", { "aria-labelledby": id },
    h("h2", { id, class: "later" }, title),
    h("table", {},
      h("thead", {}, h("tr", {}, ["Do faktury", "Różnica", "Stan"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, held.map((item) => h("tr", { "data-state": item.state === "refused" ? "rejected" : null },
        cell("Do faktury", h("button", { type: "button", class: "link", id: `held-${item.id}`, onclick: () => openHeld(item) }, item.base_number)),
        cell("Różnica", shown(item.gross, item.currency)),
        cell("Stan", item.problem || "wystawi się sama"))))));
}

/** Polish counts: 1 faktura, 2-4 faktury, 5 faktur, 12 faktur, 22 faktury. */
function waitingWords(count) {
  if (count === 1) return " faktura czeka. ";
  const few = [2, 3, 4].includes(count % 10) && ![12, 13, 14].includes(count % 100);
  return few ? " faktury czekają. " : " faktur czeka. ";
}

async function sync(button) {
  await whileBusy(button, async () => {
    const { waiting } = await post("/v1/sync", { body: "{}" });
    say(`Wysyłanie ruszyło, czeka: ${waiting}`);
  });
}
