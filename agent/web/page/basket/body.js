// The basket as the API takes it (docs/api.md).

import { depositsOf } from "./deposits.js";
import { draft } from "./draft.js";
import { decimal, grosze, plainAmount } from "../common/money.js";
import { digits } from "../buyer/nip.js";
import { receiptOf } from "./receipt.js";
import { totalGrosze } from "./totals.js";

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
  const deposits = depositsOf(draft);
  if (deposits.length) sale.deposits = deposits;
  if (draft.simplified) sale.simplified = true;
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
    ...(line.ean ? { ean: line.ean } : {}),
    ...(line.discount.trim() ? { discount: decimal(line.discount, 2) ?? line.discount.trim() } : {}),
  }));
}

/** The buyer of the API from the form's fields. */
export function buyerOf(given) {
  const buyer = {};
  if (given.kind === "nip") buyer.nip = digits(given.nip);
  else if (given.kind !== "none") buyer[given.kind] = given[given.kind].trim().toUpperCase();
  if (given.email?.trim()) buyer.email = given.email.trim();
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
  const total = totalGrosze();
  if (draft.pay !== "split") return [{ method: draft.pay, amount: plainAmount(total < 0n ? -total : total) }];
  if (total < 0n) return []; // more packaging came back than was bought
  return Object.entries(draft.split)
    .filter(([, amount]) => (grosze(amount || "0") ?? 1n) !== 0n)
    .map(([method, amount]) => ({ method, amount: decimal(amount, 2) ?? amount.trim() }));
}
