// The lines of the basket, and the sale as the API takes it.

import { byId, h } from "./dom.js";
import { decimal, grosze, lineGrosze, plainAmount, shown } from "./money.js";
import { digits } from "./nip.js";
import { draft, emptyLine, save } from "./draft.js";

const RATES = ["23", "8", "5", "0 KR", "zw", "oo", "np I", "np II", "0 WDT", "0 EX", "22", "7", "4", "3"];

export const SAMPLE = [
  { name: "Kawa ziarnista 1 kg", quantity: "2", unit: "szt.", unit_price: "64,90", vat: "23", discount: "" },
  { name: "Chleb żytni", quantity: "3", unit: "szt.", unit_price: "7,40", vat: "5", discount: "" },
  { name: "Ser żółty na wagę", quantity: "0,485", unit: "kg", unit_price: "42,00", vat: "5", discount: "1,00" },
];

/** Draw all rows anew: only after adding or removing one, so that typing keeps its place. */
export function drawLines(changed) {
  byId("lines").replaceChildren(...draft.lines.map((line, index) => row(line, index, changed)));
}

function row(line, index, changed) {
  const value = h("output", { class: "line-value", "aria-label": `Wartość pozycji ${index + 1}` });
  const refresh = () => {
    const cents = lineGrosze(line);
    value.textContent = cents === null ? "—" : shown(plainAmount(cents));
  };
  const input = (name, label, attributes = {}) => {
    const id = `line-${index}-${name}`;
    const control = h("input", {
      id,
      value: line[name],
      "data-pointer": `/lines/${index}/${name}`,
      oninput: (event) => { line[name] = event.target.value; save(); refresh(); changed(); },
      ...attributes,
    });
    return h("div", { class: `field f-${name}` }, h("label", { for: id }, label), control);
  };
  const rates = h("select", {
    id: `line-${index}-vat`,
    "data-pointer": `/lines/${index}/vat`,
    onchange: (event) => { line.vat = event.target.value; save(); changed(); },
  }, RATES.map((rate) => h("option", { value: rate, selected: rate === line.vat }, /^\d+$/.test(rate) ? `${rate}%` : rate)));
  refresh();
  return h("div", { class: "line", role: "group", "aria-label": `Pozycja ${index + 1}` },
    input("name", "Nazwa", { maxlength: 512 }),
    input("quantity", "Ilość", { inputmode: "decimal", maxlength: 20 }),
    input("unit", "J.m.", { maxlength: 256 }),
    input("unit_price", "Cena brutto", { inputmode: "decimal", maxlength: 22 }),
    h("div", { class: "field f-vat" }, h("label", { for: `line-${index}-vat` }, "VAT"), rates),
    input("discount", "Rabat zł", { inputmode: "decimal", maxlength: 16 }),
    h("div", { class: "field f-value" }, h("span", { class: "label" }, "Wartość"), value),
    h("button", {
      type: "button", class: "remove", "aria-label": `Usuń pozycję ${index + 1}`, title: "Usuń pozycję",
      onclick: () => {
        draft.lines.splice(index, 1);
        if (!draft.lines.length) draft.lines.push(emptyLine());
        save();
        drawLines(changed);
        changed();
        byId("add-line").focus();
      },
    }, "×"));
}

/** Sum in grosze; lines not yet complete count as nothing. */
export function totalGrosze() {
  return draft.lines.reduce((sum, line) => sum + (lineGrosze(line) ?? 0n), 0n);
}

/** What is still to be split among the forms of payment, grosze. */
export function splitRest() {
  return Object.values(draft.split).reduce((rest, amount) => rest - (grosze(amount || "0") ?? 0n), totalGrosze());
}

/** The sale of DESIGN section 6. A number that cannot be read goes as typed: the agent names it precisely. */
export function saleOf() {
  const trimmed = (text) => text.trim();
  const sale = {
    ...draft.extra,
    buyer: buyerOf(draft.buyer),
    prices: "gross",
    lines: draft.lines.filter((line) => line.name.trim() || line.unit_price.trim()).map((line) => ({
      name: trimmed(line.name),
      quantity: decimal(line.quantity, 6) ?? trimmed(line.quantity),
      unit: trimmed(line.unit),
      unit_price: decimal(line.unit_price, 8) ?? trimmed(line.unit_price),
      vat: line.vat,
      ...(trimmed(line.discount) ? { discount: decimal(line.discount, 2) ?? trimmed(line.discount) } : {}),
    })),
    payments: paymentsOf(),
    currency: "PLN",
  };
  if (draft.sold_on) sale.sold_on = draft.sold_on;
  if (trimmed(draft.exemption)) sale.exemption = trimmed(draft.exemption);
  if (trimmed(draft.note)) sale.notes = [{ key: "Uwagi", value: trimmed(draft.note) }];
  if (trimmed(draft.receipt.number)) {
    sale.receipt = { number: trimmed(draft.receipt.number) };
    if (trimmed(draft.receipt.register)) sale.receipt.register = trimmed(draft.receipt.register);
  }
  return sale;
}

/** The buyer of the API from the form's fields. */
export function buyerOf(given) {
  const buyer = {};
  if (given.kind === "nip") buyer.nip = digits(given.nip);
  else if (given.kind !== "none") buyer[given.kind] = given[given.kind].trim().toUpperCase();
  if (given.name.trim()) buyer.name = given.name.trim();
  if (given.line1.trim() || given.line2.trim()) {
    buyer.address = { line1: (given.line1.trim() || given.line2.trim()) };
    if (given.line1.trim() && given.line2.trim()) buyer.address.line2 = given.line2.trim();
    const abroad = given.kind === "eu_vat" || given.kind === "foreign_id";
    const country = abroad ? given.country.trim().toUpperCase() : "PL";
    if (country) buyer.address.country = country; // left out: the agent takes the identifier's
  }
  return buyer;
}

function paymentsOf() {
  if (draft.pay !== "split") return [{ method: draft.pay, amount: plainAmount(totalGrosze()) }];
  return Object.entries(draft.split)
    .filter(([, amount]) => (grosze(amount || "0") ?? 1n) !== 0n)
    .map(([method, amount]) => ({ method, amount: decimal(amount, 2) ?? amount.trim() }));
}

const typed = (amount) => String(amount ?? "").replace(".", ",");

/** A sale handed over by the till's own program (#sale=…) as a draft. */
export function draftFrom(sale) {
  const known = sale.buyer || {};
  const kind = ["nip", "eu_vat", "foreign_id"].find((name) => known[name]) || "none";
  const address = known.address || {};
  const payments = sale.payments || [];
  const { buyer, prices, lines, payments: _, sold_on, receipt, notes, exemption, currency, ...extra } = sale;
  return {
    buyer: {
      kind, nip: known.nip || "", eu_vat: known.eu_vat || "", foreign_id: known.foreign_id || "",
      name: known.name || "", line1: address.line1 || "", line2: address.line2 || "", country: address.country || "",
    },
    lines: (lines || []).map((line) => ({
      ...emptyLine(), ...line, quantity: typed(line.quantity), unit_price: typed(line.unit_price), discount: typed(line.discount),
    })),
    pay: payments.length === 1 ? payments[0].method : payments.length ? "split" : "cash",
    split: Object.fromEntries(["cash", "card", "voucher"].map(
      (method) => [method, payments.length > 1 ? (payments.find((item) => item.method === method) || {}).amount || "" : ""],
    )),
    receipt: { number: receipt?.number || "", register: receipt?.register || "" },
    sold_on: sold_on || "",
    note: notes?.[0]?.value || "",
    exemption: exemption || "",
    extra,
  };
}
