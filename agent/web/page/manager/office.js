// What a manager takes home and looks after: the books, proof, outages, what is erased, certificates, webhooks.

import { get } from "../common/api.js";
import { fact, h } from "../common/dom.js";
import { part, save } from "./office_parts.js";
import { outages } from "./outages.js";
import { retention } from "./retention.js";
import { dayShown, momentShown } from "../common/words.js";

const USES = { authentication: "do logowania w KSeF", offline: "Offline (kod CERTYFIKAT)" };
const SOON = 30; // days: a certificate that ends sooner is worth a call

const BOOKS = [
  ["csv&dialect=excel", "Rejestr (Excel)", "rejestr", "csv"],
  ["jpk", "JPK (XML)", "jpk-sprzedaz", "xml"],
  ["jpk-csv&dialect=excel", "JPK (Excel)", "jpk", "csv"],
  ["payments&dialect=excel", "Płatności (Excel)", "platnosci", "csv"],
];

/**
 * The sections. `today`: ISO date of the till; `options`: with which requests a manager asks; `tried(work)`: do it, and
 * show why where it does not work.
 */
export async function office(today, options, tried) {
  const [status, outbox, known, kept] = await Promise.all([
    get("/v1/status"),
    get("/v1/outbox", options()).catch(() => null),
    get("/v1/outages", options()).then((found) => found.outages, () => []),
    retention(options, tried).catch(() => null),
  ]);
  return h("section", { class: "card office", "aria-labelledby": "office-title" },
    h("h2", { id: "office-title" }, "Dokumenty i stan kasy"),
    books(today, options, tried),
    evidence(today, options, tried),
    outages(known, options, tried),
    kept,
    certificates(status.certificates),
    outbox ? subscribers(outbox.subscribers) : null);
}

function books(today, options, tried) {
  const month = h("input", { id: "office-month", type: "month", value: today.slice(0, 7), max: today.slice(0, 7) });
  return part("Rejestr sprzedaży",
    h("div", { class: "field" }, h("label", { for: "office-month" }, "Miesiąc"), month),
    h("div", { class: "row" }, BOOKS.map(([format, label, name, extension]) => save(label, tried, () => (
      [`/v1/register?month=${encodeURIComponent(month.value)}&format=${format}`, `${name}-${month.value}.${extension}`, options()])))));
}

function evidence(today, options, tried) {
  const day = (id, label, value) => [h("label", { for: id }, label), h("input", { id, type: "date", value, max: today })];
  const from = day("office-from", "Od", `${today.slice(0, 8)}01`);
  const to = day("office-to", "Do", today);
  return part("Dowody dla kontroli",
    h("p", { class: "hint" }, "Pliki faktur, UPO, dziennik i przerwy w działaniu KSeF z tych dni."),
    h("div", { class: "fields" }, h("div", { class: "field" }, from), h("div", { class: "field" }, to)),
    h("div", { class: "row" },
      save("Zapisz dowody (ZIP)", tried, () => (
        [`/v1/evidence?from=${from[1].value}&to=${to[1].value}`, `dowody-${from[1].value}-${to[1].value}.zip`, options()])),
      save("Załącznik do polityki rachunkowości (PDF)", tried, () => ["/v1/annex", "zalacznik-polityka-rachunkowosci.pdf", options()])));
}

function certificates(list) {
  return part("Certyfikaty KSeF", list.length ? h("dl", { class: "facts" }, list.map((each) => fact(
    USES[each.use] || each.use,
    `ważny do ${dayShown(each.expires.slice(0, 10))} (jeszcze ${each.days_left} dni)`,
    each.days_left < SOON ? "bad" : null,
  ))) : h("p", {}, "Brak certyfikatów."));
}

function subscribers(list) {
  if (!list.length) return null;
  return part("Powiadomienia do systemu sklepu", h("dl", { class: "facts" }, list.map((each) => {
    const waiting = each.waiting;
    const trouble = each.failing_with ? `nie przyjmuje (${each.failing_with}) od ${momentShown(each.failing_since)}` : "";
    return fact(each.name, trouble || (waiting > 0 ? `czeka zdarzeń: ${waiting}` : "wszystko przekazane"), trouble ? "bad" : null);
  })));
}
