// One discount over several invoices of one buyer (art. 106j ust. 3): which invoices, how much at each rate, for what time.

import { get } from "../common/api.js";
import { field, refuse } from "./correction_form.js";
import { byId, h, say } from "../common/dom.js";
import { plainNumber, shown } from "../common/money.js";
import { dayShown } from "../common/words.js";

const MONTHS = ["styczeń", "luty", "marzec", "kwiecień", "maj", "czerwiec", "lipiec", "sierpień", "wrzesień", "październik",
  "listopad", "grudzień"];

/** The fields of a collective correction; what is typed is kept in `order.collective`. */
export function collectiveFields(order) {
  const { invoice } = order;
  order.collective ??= { bases: [], next: "", rates: {}, period: monthOf(invoice.issued_on) };
  const box = h("div", { class: "collective" });
  draw(order, box);
  return box;
}

const monthOf = (iso) => `${MONTHS[Number(iso.slice(5, 7)) - 1]} ${iso.slice(0, 4)}`;

function draw(order, box) {
  const { collective, invoice, net } = order;
  const remove = (base) => {
    collective.bases = collective.bases.filter((each) => each !== base);
    draw(order, box);
    byId("collective-number").focus();
  };
  box.replaceChildren(
    h("p", { class: "hint" }, "Jeden rabat do kilku faktur tego samego nabywcy. Dodaj pozostałe faktury i wpisz, o ile mniej płaci."),
    h("h2", {}, "Faktury"),
    h("ul", { class: "bases" },
      h("li", {}, h("div", {}, h("strong", {}, invoice.number), ` ${shown(invoice.totals.gross, invoice.totals.currency)}`)),
      collective.bases.map((base, index) => baseRow(base, index, () => remove(base)))),
    h("div", { class: "add-base" },
      field("Numer następnej faktury", collective, "next", {
        id: "collective-number", "data-pointer": "/bases",
        onkeydown: (event) => {
          if (event.key !== "Enter" || event.ctrlKey || !collective.next.trim()) return;
          event.preventDefault();
          event.stopPropagation();
          add(order, box);
        },
      }),
      h("button", { type: "button", onclick: () => add(order, box) }, "Dodaj")),
    h("h2", {}, net ? "Obniżka netto" : "Obniżka brutto"),
    h("div", { class: "fields" }, ratesOf(order).map((rate) => {
      collective.rates[rate] ??= "";
      const label = /^\d+$/.test(rate) ? `Stawka ${rate}%` : `Stawka ${rate}`;
      return field(label, collective.rates, rate, { id: `collective-rate-${rate}`, inputmode: "decimal", placeholder: "0,00" });
    })),
    field("Okres, którego dotyczy rabat", collective, "period", { id: "collective-period", "data-pointer": "/period" }));
}

/** Rates of all invoices that are known here. */
function ratesOf({ invoice, collective }) {
  const known = [invoice, ...collective.bases.map((base) => base.found).filter(Boolean)];
  return [...new Set(known.flatMap((each) => each.totals.rates.map((total) => total.rate.split("/")[0])))];
}

function baseRow(base, index, remove) {
  const at = (name) => ({ id: `base-${index}-${name}`, "data-pointer": `/bases/${index}/${name}` });
  const button = h("button", { type: "button", class: "remove", "aria-label": `Usuń fakturę ${base.number}`, onclick: remove }, "×");
  if (base.found) {
    const { buyer, totals, issued_on: day } = base.found;
    return h("li", {}, h("div", {},
      h("strong", {}, base.number), ` ${shown(totals.gross, totals.currency)}, ${dayShown(day)}, ${buyer.name || "osoba prywatna"}`,
      h("p", { class: "field-error", tabindex: "-1", ...at("number") })), button);
  }
  return h("li", {}, h("div", {},
    h("strong", {}, base.number), " – nie ma jej na tej kasie, przepisz z wydruku:",
    h("p", { class: "field-error", tabindex: "-1", ...at("number") }),
    h("div", { class: "fields" },
      field("Data wystawienia", base, "issued_on", { type: "date", ...at("issued_on") }),
      field("Numer KSeF (pusty, gdy jej nie ma w KSeF)", base, "ksef_number", {
        class: "field full", ...at("ksef_number"),
      }))), button);
}

/** Take the number that was typed or scanned; what this till holds is shown at once. */
async function add(order, box) {
  const { collective, invoice } = order;
  const number = collective.next.trim();
  if (!number) return;
  if (number === invoice.number || collective.bases.some((base) => base.number === number)) {
    say(`Faktura ${number} już jest na liście.`);
  } else {
    let invoices;
    try {
      ({ invoices } = await get(`/v1/invoices?${new URLSearchParams({ number })}`));
    } catch (error) {
      refuse(`Nie dodano faktury ${number}. ${error.message}`);
      return;
    }
    if (collective.bases.some((base) => base.number === number)) return; // a second Enter while we asked
    collective.bases.push({ number, found: invoices[0] || null, issued_on: "", ksef_number: "" });
    say(invoices[0] ? `Dodano fakturę ${number}.` : `Faktury ${number} nie ma na tej kasie.`);
  }
  collective.next = "";
  draw(order, box);
  const newest = collective.bases.at(-1);
  const unknown = newest && !newest.found && !newest.issued_on;
  byId(unknown ? `base-${collective.bases.length - 1}-issued_on` : "collective-number").focus();
}

/** What is sent beside kind and reason; null where something is missing. */
export async function collectiveBody(order) {
  const { collective } = order;
  if (collective.next.trim()) await add(order, document.querySelector(".collective"));
  if (collective.next.trim()) return null; // add() has said why
  if (!collective.bases.length) return refuse("", [{ pointer: "/bases", message: "Dodaj co najmniej jedną fakturę oprócz tej." }]);
  const typed = Object.entries(collective.rates).filter(([, amount]) => amount.trim());
  if (!typed.length) return refuse("Wpisz, o ile obniżyć kwotę w co najmniej jednej stawce.");
  const rates = typed.map(([vat, amount], index) => {
    byId(`collective-rate-${vat}`).dataset.pointer = `/rates/${index}/amount`;
    return { vat, amount: plainNumber(amount) };
  });
  const bases = collective.bases.map(({ number, found, issued_on: day, ksef_number: ksef }) => {
    if (found) return { number };
    return { number, ...(day ? { issued_on: day } : {}), ...(ksef.trim() ? { ksef_number: ksef.trim() } : { outside_ksef: true }) };
  });
  return { bases, rates, period: collective.period.trim() };
}
