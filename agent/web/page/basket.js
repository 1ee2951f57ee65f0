// The lines of the basket, and the sale as the API takes it.

import { byId, h } from "./dom.js";
import { decimal, grosze, lineGrosze, plainAmount, shown, taxGrosze } from "./money.js";
import { check, digits } from "./nip.js";
import { draft, emptyLine } from "./draft.js";
import { givenBuyer } from "./owner.js";
import { receiptOf } from "./receipt.js";

const RATES = ["23", "8", "5", "0 KR", "zw", "np I", "np II", "0 WDT", "0 EX", "4"];
const PAST_RATES = ["oo", "22", "7", "3"]; // only on invoices of the past

const PAYMENTS = ["cash", "card", "mobile", "transfer"]; // those with a button

export const SAMPLE = [
  { name: "Kawa ziarnista 1 kg", quantity: "2", unit: "szt.", unit_price: "64,90", vat: "23", discount: "" },
  { name: "Chleb żytni", quantity: "3", unit: "szt.", unit_price: "7,40", vat: "5", discount: "" },
  { name: "Ser żółty na wagę", quantity: "0,485", unit: "kg", unit_price: "42,00", vat: "5", discount: "1,00" },
];

/**
 * Draw rows of lines: only after adding or removing one, so that typing keeps its place.
 *
 * prefix   of the ids
 * pointer  where the lines lie in what is sent
 * net      whether prices are net
 * changed  called after every change of `lines`
 * past     whether the lines are those of an old invoice
 * more     further fields of a line, or nothing
 */
export function drawRows(box, lines, { prefix, pointer, net, changed, past = false, more = () => null }) {
  const options = { prefix, pointer, net, changed, past, more };
  box.replaceChildren(...lines.map((line, index) => row(box, lines, index, options)));
}

function row(box, lines, index, options) {
  const { prefix, pointer, net, changed, past, more } = options;
  const line = lines[index];
  const value = h("output", { class: "line-value", "aria-label": `Wartość pozycji ${index + 1}` });
  const refresh = () => {
    const cents = lineGrosze(line);
    value.textContent = cents === null ? "—" : shown(plainAmount(cents));
  };
  const input = (name, label, attributes = {}) => {
    const id = `${prefix}-${index}-${name}`;
    const control = h("input", {
      id,
      value: line[name],
      "data-pointer": `${pointer}/${index}/${name}`,
      oninput: (event) => { line[name] = event.target.value; refresh(); changed(); },
      ...attributes,
    });
    return h("div", { class: `field f-${name}` }, h("label", { for: id }, label), control);
  };
  const offered = past ? [...RATES, ...PAST_RATES] : RATES;
  const known = offered.includes(line.vat) ? offered : [line.vat, ...offered];
  const rates = h("select", {
    id: `${prefix}-${index}-vat`,
    "data-pointer": `${pointer}/${index}/vat`,
    onchange: (event) => { line.vat = event.target.value; changed(); },
  }, known.map((rate) => h("option", { value: rate, selected: rate === line.vat }, /^\d+$/.test(rate) ? `${rate}%` : rate)));
  refresh();
  return h("div", { class: "line", role: "group", "aria-label": `Pozycja ${index + 1}` },
    input("name", "Nazwa", {}),
    input("quantity", "Ilość", { inputmode: "decimal" }),
    input("unit", "J.m.", {}),
    input("unit_price", net ? "Cena netto" : "Cena brutto", { inputmode: "decimal" }),
    h("div", { class: "field f-vat" }, h("label", { for: `${prefix}-${index}-vat` }, "VAT"), rates),
    input("discount", "Rabat zł", { inputmode: "decimal" }),
    h("div", { class: "field f-value" }, h("span", { class: "label" }, "Wartość"), value),
    h("button", {
      type: "button", class: "remove", "aria-label": `Usuń pozycję ${index + 1}`, title: "Usuń pozycję",
      onclick: () => {
        lines.splice(index, 1);
        if (!lines.length) lines.push(emptyLine());
        drawRows(box, lines, options);
        changed();
        byId(`${prefix}-${Math.min(index, lines.length - 1)}-name`).focus();
      },
    }, "×"),
    more(line, index));
}

/** Over 15 000 zł the annex decides about split payment (art. 106e ust. 1 pkt 18a): only then a line asks. */
export function annexMark(line, index, changed) {
  const control = h("input", {
    type: "checkbox", id: `line-${index}-annex_15`, "data-pointer": `/lines/${index}/annex_15`,
    checked: line.extra?.annex_15 === true,
    onchange: (event) => { line.extra = { ...line.extra, annex_15: event.target.checked }; changed(); },
  });
  return h("div", { class: "f-annex" }, h("label", {}, control, " Z załącznika nr 15 (mechanizm podzielonej płatności)"));
}

/** Whether a line's mark may matter; of another currency only the agent knows the rate. */
export const annexMatters = () => draft.currency !== "PLN" || invoiceGrosze() > 1_500_000n;

/** What the buyer pays, in grosze: the invoice, and deposits that the till's own program handed over. */
export function totalGrosze() {
  const deposits = draft.extra.deposits ?? [];
  return deposits.reduce((sum, { amount }) => {
    const value = grosze(String(amount).replace(/^-/, "")) ?? 0n;
    return String(amount).startsWith("-") ? sum - value : sum + value; // given back for empty packaging
  }, invoiceGrosze());
}

/** The invoice's total in grosze; lines not yet complete count as nothing. */
function invoiceGrosze() {
  const sums = new Map();
  for (const line of draft.lines) sums.set(line.vat, (sums.get(line.vat) ?? 0n) + (lineGrosze(line) ?? 0n));
  const tax = (rate, sum) => (draft.prices === "net" ? taxGrosze(rate, sum) : 0n);
  return [...sums].reduce((total, [rate, sum]) => total + sum + tax(rate, sum), 0n);
}

/** What is still to be split among the forms of payment, grosze. */
export function splitRest() {
  return Object.values(draft.split).reduce((rest, amount) => rest - (grosze(amount || "0") ?? 0n), totalGrosze());
}

/** The sale of docs/api.md. A number that cannot be read goes as typed: the agent names it precisely. */
export function saleOf() {
  const trimmed = (text) => text.trim();
  const sale = {
    ...draft.extra,
    buyer: buyerOf(draft.buyer),
    prices: draft.prices,
    lines: linesOf(draft.lines),
    payments: paymentsOf(),
    currency: draft.currency,
  };
  if (draft.sold_on) sale.sold_on = draft.sold_on;
  if (trimmed(draft.exemption)) sale.exemption = trimmed(draft.exemption);
  const [first, ...others] = draft.notes;
  const own = trimmed(draft.note) ? [{ key: first?.key || "Uwagi", value: trimmed(draft.note) }] : [];
  if (own.length || others.length) sale.notes = [...own, ...others];
  const receipt = receiptOf();
  if (receipt) sale.receipt = receipt;
  if (draft.buyer.recipient) sale.recipient = draft.buyer.recipient;
  return sale;
}

/** Lines as the API takes them; what the till's own program knows beside the form's fields stays. */
export function linesOf(lines) {
  return lines.map((line) => ({
    ...line.extra,
    name: line.name.trim(),
    quantity: decimal(line.quantity, 6) ?? line.quantity.trim(),
    unit: line.unit.trim(),
    unit_price: decimal(line.unit_price, 8) ?? line.unit_price.trim(),
    vat: line.vat,
    ...(line.discount.trim() ? { discount: decimal(line.discount, 2) ?? line.discount.trim() } : {}),
  }));
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
  if (draft.pay === "given") return draft.payments;
  if (draft.pay !== "split") return [{ method: draft.pay, amount: plainAmount(totalGrosze()) }];
  return Object.entries(draft.split)
    .filter(([, amount]) => (grosze(amount || "0") ?? 1n) !== 0n)
    .map(([method, amount]) => ({ method, amount: decimal(amount, 2) ?? amount.trim() }));
}

const typed = (amount) => String(amount ?? "").replace(".", ",");

/** A sale handed over by the till's own program (#sale=…) as a draft. */
export function draftFrom(sale) {
  const payments = sale.payments || [];
  const { buyer, recipient, prices, lines, payments: _, sold_on, receipt, notes, exemption, currency, ...extra } = sale;
  if (exemption && typeof exemption !== "string") extra.exemption = exemption;
  const splits = payments.every((item) => ["cash", "card", "voucher"].includes(item.method));
  const pay = !payments.length ? "cash" : payments.length === 1 && PAYMENTS.includes(payments[0].method)
    ? payments[0].method : splits ? "split" : "given";
  return {
    buyer: buyerFrom(buyer || {}, recipient || null, receipt?.nip || ""),
    prices: prices === "net" ? "net" : "gross",
    currency: currency || "PLN",
    lines: (lines || []).map(({ name, quantity, unit, unit_price: price, vat, discount, ...rest }) => ({
      ...emptyLine(), name: name || "", unit: unit || "szt.", vat: String(vat ?? "23"),
      quantity: typed(quantity), unit_price: typed(price), discount: typed(discount), extra: rest,
    })),
    pay,
    payments,
    split: Object.fromEntries(["cash", "card", "voucher"].map(
      (method) => [method, pay === "split" ? typed((payments.find((item) => item.method === method) || {}).amount) : ""],
    )),
    receipt: { number: receipt?.number || "", register: receipt?.register || "", nip: receipt?.nip || "" },
    sold_on: sold_on || "",
    note: notes?.[0]?.value || "",
    notes: notes || [],
    exemption: typeof exemption === "string" ? exemption : "",
    extra,
  };
}

/** The buyer of a sale handed over. Nobody named is a firm whose NIP comes next, or stands on the receipt already. */
function buyerFrom(known, recipient, onReceipt) {
  const address = known.address || {};
  const foreign = known.foreign_id;
  const named = ["nip", "eu_vat", "foreign_id"].find((name) => known[name]);
  const nip = known.nip || (!named && check(onReceipt) === "ok" ? onReceipt : "");
  const kind = named || (!nip && (known.none || known.name) ? "none" : "nip");
  return givenBuyer({
    kind, nip: digits(nip), eu_vat: known.eu_vat || "", foreign_id: foreign?.number || foreign || "", name: known.name || "",
    line1: address.line1 || "", line2: address.line2 || "", country: address.country || foreign?.country || "", recipient,
  });
}
