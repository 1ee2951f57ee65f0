// A sale that the till's own program hands over (#sale=…), or the demonstration's, as a basket.

import { emptyDeposits, typedDeposits } from "./deposits.js";
import { emptyLine } from "./draft.js";
import { check, digits } from "../buyer/nip.js";
import { givenBuyer } from "../buyer/owner.js";

const PAYMENTS = ["cash", "card", "mobile", "transfer"]; // those with a button

export const SAMPLE = [
  { name: "Kawa ziarnista 1 kg", quantity: "2", unit: "szt.", unit_price: "64,90", vat: "23", discount: "" },
  { name: "Chleb żytni", quantity: "3", unit: "szt.", unit_price: "7,40", vat: "5", discount: "" },
  { name: "Ser żółty na wagę", quantity: "0,485", unit: "kg", unit_price: "42,00", vat: "5", discount: "1,00" },
];

const typed = (amount) => String(amount ?? "").replace(".", ",");

/** A sale handed over by the till's own program (#sale=…) as a draft. */
export function draftFrom(sale) {
  const payments = sale.payments || [];
  const { buyer, recipient, prices, lines, payments: _, sold_on, receipt, notes, exemption, currency, simplified, ...extra } = sale;
  const deposits = typedDeposits(extra.deposits || []);
  if (deposits) delete extra.deposits;
  if (exemption && typeof exemption !== "string") extra.exemption = exemption;
  const splits = payments.every((item) => ["cash", "card", "voucher"].includes(item.method));
  const pay = !payments.length ? "cash" : payments.length === 1 && PAYMENTS.includes(payments[0].method)
    ? payments[0].method : splits ? "split" : "given";
  return {
    buyer: buyerFrom(buyer || {}, recipient || null, receipt?.nip || ""),
    prices: prices === "net" ? "net" : "gross",
    currency: currency || "PLN",
    lines: (lines || []).map(({ name, quantity, unit, unit_price: price, vat, discount, ean, ...rest }) => ({
      ...emptyLine(), name: name || "", unit: unit || "szt.", vat: String(vat ?? "23"), ean: ean || "",
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
    deposits: deposits || emptyDeposits(),
    simplified: simplified === true,
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
    line1: address.line1 || "", line2: address.line2 || "", country: address.country || foreign?.country || "", email: known.email || "", recipient,
  });
}
