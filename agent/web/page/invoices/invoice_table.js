// Invoices as rows: what each list shows of them, and the one press that prints what did not come out.

import { post } from "../common/api.js";
import { byId, h, say, whileBusy } from "../common/dom.js";
import { shown } from "../common/money.js";
import { buyerShown, dayShown, distance, isToBeSent, isUnprinted, MODES, momentShown, PRINTS, stateShown } from "../common/words.js";

export const cell = (head, content, kind = null) => h("td", { "data-head": head, class: kind }, content);

/**
 * A table of invoices.
 *
 * open     called with the id of the one to show
 * printed  called after one was printed again; without it no row offers that
 * today    ISO date whose rows show their time alone
 */
export function invoiceTable(invoices, { open, printed = null, today = "" }) {
  const heads = ["Godzina", "Numer", "Nabywca", "Kwota", "Tryb", "Wydruk", "KSeF"];
  return h("table", { class: "invoices" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: head === "Kwota" ? "amount" : null }, head)))),
    h("tbody", {}, invoices.map((invoice) => h("tr", { "data-state": invoice.state },
      cell("Godzina", timeShown(invoice, today), "time"),
      cell("Numer", h("button", { type: "button", class: "link", id: `open-${invoice.id}`, onclick: () => open(invoice.id) }, invoice.number)),
      cell("Nabywca", buyerShown(invoice.buyer)),
      cell("Kwota", shown(invoice.totals.gross, invoice.totals.currency), "amount"),
      cell("Tryb", MODES[invoice.mode].replace(/^Tryb /, "")),
      paperCell(invoice, printed),
      stateCell(invoice)))));
}

function timeShown(invoice, today) {
  const moment = momentShown(invoice.issued_at);
  return invoice.issued_on === today ? moment.slice(-5) : moment;
}

function paperCell(invoice, printed) {
  const words = PRINTS[invoice.paper?.state] || "bez wydruku";
  if (!isUnprinted(invoice)) return cell("Wydruk", words);
  const button = printed && h("button", {
    type: "button", class: "primary", id: `print-${invoice.id}`, "aria-label": `Drukuj ${invoice.number}`,
    onclick: (event) => print(event.currentTarget, invoice.id, printed),
  }, "Drukuj");
  return cell("Wydruk", [h("span", {}, words), button], "wrong");
}

async function print(button, id, printed) {
  let words = "";
  await whileBusy(button, async () => {
    try {
      const { paper } = await post(`/v1/invoices/${encodeURIComponent(id)}/reprint`);
      words = PRINTS[paper?.state] || "";
    } catch (error) {
      words = error.message;
    }
  });
  await printed(words);
  say(words);
}

function stateCell(invoice) {
  const waits = isToBeSent(invoice);
  const [words, urgency] = waits ? distance(invoice.deadline) : ["", 0];
  return h("td", { "data-head": "KSeF", "data-urgency": urgency },
    stateShown(invoice), waits ? `, najpóźniej ${dayShown(invoice.deadline)} (${words})` : "");
}

/** Replace what a box shows; the focus stays on the element of the same id. */
export function put(id, ...content) {
  const focused = byId(id).contains(document.activeElement) ? document.activeElement.id : "";
  byId(id).replaceChildren(...content.filter(Boolean));
  if (focused) byId(focused)?.focus();
}
