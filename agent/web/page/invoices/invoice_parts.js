// Parts of what is shown of an invoice: the sentence, its colour, the facts.

import { fact, h } from "../common/dom.js";
import { shown } from "../common/money.js";
import { buyerShown, deadlineShown, isUnprinted, MODES, momentShown, stateShown } from "../common/words.js";

/** What to hand out and give back now, in letters to be read from afar; the rest stands below it. */
export function headline(handOver) {
  const [, first, rest] = /^(.+?[.!?](?:\s+(?:Zwróć|Pobierz)[^.]+\.)?)(?:\s+(.+))?$/s.exec(handOver) || [null, handOver, ""];
  return [h("h1", { id: "invoice-headline", tabindex: "-1" }, first), rest ? h("p", { class: "answer-more" }, rest) : null];
}

/** The new invoice that a correction made, or that stands since an earlier press; `show` opens it by its id. */
export function replacementNote({ replacement, replacement_earlier: earlier }, show) {
  if (!replacement) return null;
  const { id, number, hand_over: handOver } = replacement;
  const refused = replacement.state === "rejected";
  const issued = earlier ? `Nową fakturę ${number} wystawiono już wcześniej. Drugiej nie ma.` : `Wystawiono też nową fakturę ${number}. ${handOver}`;
  return h("p", { class: refused ? "note bad" : "note warn", id: "replacement" },
    refused ? `Nowa faktura ${number}: ${handOver} ` : `${issued} `,
    h("button", { type: "button", onclick: () => show(id) }, "Pokaż nową fakturę"));
}

/** What colour the answer has: bad where somebody has to act. */
export function mood(invoice) {
  if (invoice.state === "rejected" || isUnprinted(invoice)) return "bad";
  return invoice.ksef_number ? "good" : "warn";
}

/** The word over the sentence. */
export function kindWord(invoice) {
  if (invoice.state === "rejected") return "Odrzucona przez KSeF";
  return invoice.fresh ? "Wystawiono" : kindShown(invoice);
}

export const kindShown = (invoice) => (invoice.kind.startsWith("KOR") ? "Faktura korygująca" : "Faktura");

/** The facts of an invoice, the law's folded away. */
export function facts(invoice) {
  const rows = [
    ["Numer", invoice.number],
    ["Nabywca", buyerShown(invoice.buyer)],
    ["Kwota", shown(invoice.totals.gross, invoice.totals.currency)],
    ["Tryb", MODES[invoice.mode]],
    ["Dlaczego", invoice.reason],
    ["KSeF", stateShown(invoice)],
    ["Numer KSeF", invoice.ksef_number],
    ["Wysłać najpóźniej", invoice.ksef_number ? "" : deadlineShown(invoice)],
    ["Wystawiono", momentShown(invoice.issued_at)],
  ];
  const law = [["Odpowiedź KSeF", invoice.rejection], ["Na wydruku", invoice.paper?.label], ["Podstawa prawna trybu", invoice.legal_basis]];
  return [factList(rows), h("details", {}, h("summary", {}, invoice.rejection ? "Szczegóły, odpowiedź KSeF" : "Szczegóły prawne"), factList(law))];
}

/** Facts as [name, value]; those without a value are left out. */
export const factList = (rows) => h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => fact(name, value)));
