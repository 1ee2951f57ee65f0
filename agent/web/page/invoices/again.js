// "Wystaw ponownie": the basket of an invoice as a new sale in the form. Everything comes from its own XML; what belongs
// to that one sale alone (date, fiscal receipt, the till's reference) stays behind.

import { text } from "../common/api.js";

const OF_THAT_SALE = ["Numer paragonu fiskalnego", "Numer unikatowy kasy", "NIP na paragonie"];

/** Text of the first element of this name in a row, "" where there is none. */
export const valueOf = (row, name) => row.getElementsByTagNameNS("*", name)[0]?.textContent.trim() || "";

/** All elements of this name. */
export const elements = (xml, name) => [...xml.getElementsByTagNameNS("*", name)];

/** The parsed FA(3) of an invoice. */
export async function xmlOf(invoice) {
  return new DOMParser().parseFromString(await text(`/v1/invoices/${encodeURIComponent(invoice.id)}/xml`), "application/xml");
}

/** The sale of docs/api.md that an invoice was made of. */
export async function saleFrom(invoice) {
  const xml = await xmlOf(invoice);
  const rows = elements(xml, "FaWiersz");
  const deposits = [["Obciazenia", ""], ["Odliczenia", "-"]].flatMap(([name, sign]) => elements(xml, name).map((charge) => (
    { name: valueOf(charge, "Powod"), amount: sign + valueOf(charge, "Kwota") })));
  const rate = rows.map((row) => valueOf(row, "KursWaluty")).find(Boolean);
  const notes = elements(xml, "DodatkowyOpis").map((note) => ({ key: valueOf(note, "Klucz"), value: valueOf(note, "Wartosc") }))
    .filter(({ key }) => !OF_THAT_SALE.includes(key));
  return {
    buyer: buyerOf(invoice.buyer),
    prices: rows.some((row) => valueOf(row, "P_9A")) ? "net" : "gross",
    currency: invoice.totals.currency,
    lines: rows.map(lineOf),
    payments: invoice.payments.map(({ method, amount }) => ({ method, amount: amount.replace(/^-/, "") })),
    notes,
    ...(valueOf(xml, "P_19A") ? { exemption: valueOf(xml, "P_19A") } : {}),
    ...(rate ? { exchange_rate: rate } : {}),
    ...(deposits.length ? { deposits } : {}),
    ...(invoice.kind === "UPR" ? { simplified: true } : {}),
  };
}

function lineOf(row) {
  const optional = { sku: valueOf(row, "Indeks"), ean: valueOf(row, "GTIN"), gtu: valueOf(row, "GTU") };
  return {
    name: valueOf(row, "P_7"),
    unit: valueOf(row, "P_8A"),
    quantity: valueOf(row, "P_8B"),
    unit_price: valueOf(row, "P_9B") || valueOf(row, "P_9A"),
    vat: valueOf(row, "P_12"),
    ...(valueOf(row, "P_10") ? { discount: valueOf(row, "P_10") } : {}),
    ...(valueOf(row, "P_12_Zal_15") ? { annex_15: true } : {}),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value)),
  };
}

function buyerOf({ kind, identifier, country, name, address, email }) {
  const person = kind === "none" ? { none: true } : {};
  const number = kind === "foreign_id" ? { foreign_id: { number: identifier, country } } : { [kind]: identifier };
  return {
    ...(kind === "none" ? {} : kind === "eu_vat" ? { eu_vat: identifier.startsWith(country || "") ? identifier : `${country}${identifier}` } : number),
    ...person,
    ...(name ? { name } : {}),
    ...(address ? { address: { line1: address.line1, line2: address.line2 || "", country: address.country } } : {}),
    ...(email ? { email } : {}),
  };
}
