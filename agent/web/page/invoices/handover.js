// The invoice to the customer's phone: KOD I as a QR code on the screen, a message in the till's own mail program.

import { blob } from "../common/api.js";
import { h } from "../common/dom.js";
import { shown } from "../common/money.js";

const WITHOUT_CODE = ["total_failure", "outside_ksef"]; // KSeF will not know these invoices
const shownCodes = new Map(); // id of an invoice -> address of its picture, while the page lives
const MOST = 20;
let byShop = false; // the shop's own programs are told of every invoice, with the buyer's address
let openFor = ""; // id of the invoice whose code is being scanned: news of it do not close it

/** `webhooks`: whether a program of the shop is told what becomes of invoices. */
export function configure({ webhooks }) {
  byShop = webhooks === true;
}

/** The part of the answer that is for the customer's phone; null where nothing is to be handed over. */
export function handOver(invoice) {
  if (invoice.state === "rejected") return null;
  const place = h("div", { class: "phone-code" });
  const inKsef = !WITHOUT_CODE.includes(invoice.mode);
  const toggled = ({ target }) => {
    openFor = target.open ? invoice.id : "";
    if (target.open && inKsef) draw(place, invoice);
  };
  return h("details", { class: "phone", id: "phone", open: openFor === invoice.id, ontoggle: toggled },
    h("summary", {}, inKsef ? "Na telefon klienta: kod QR, e-mail" : "E-mail do klienta"),
    place,
    byShop && invoice.buyer.email ? h("p", { id: "phone-shop" }, `Adres ${invoice.buyer.email} dostał razem z fakturą program sklepu.`) : null,
    h("a", { class: "button", id: "phone-mail", href: mailTo(invoice) }, "Napisz e-mail"),
    h("p", { class: "hint" }, "Wiadomość otworzy się w programie pocztowym tej kasy; PDF dołącz przyciskiem „PDF”."));
}

async function draw(place, invoice) {
  if (place.childElementCount) return;
  try {
    if (!shownCodes.has(invoice.id)) shownCodes.set(invoice.id, URL.createObjectURL(await blob(`/v1/invoices/${encodeURIComponent(invoice.id)}/code.svg`)));
  } catch (error) {
    place.replaceChildren(h("p", { class: "note bad" }, error.message));
    return;
  }
  place.replaceChildren(
    h("img", { src: shownCodes.get(invoice.id), alt: "Kod QR: sprawdzenie faktury w KSeF", width: 260, height: 260 }),
    h("p", {}, invoice.ksef_number
      ? "Klient skanuje kod aparatem telefonu i widzi fakturę w KSeF."
      : "Klient skanuje kod aparatem telefonu. Fakturę zobaczy, gdy przyjmie ją KSeF."));
  const [oldest] = shownCodes.keys();
  if (shownCodes.size <= MOST) return;
  URL.revokeObjectURL(shownCodes.get(oldest));
  shownCodes.delete(oldest);
}

/** A message with what stands on the paper, to the buyer's address where one was given. */
export function mailTo({ number, totals, ksef_number: ksefNumber, links, buyer, mode, issued_on: day }) {
  const lines = [
    "Dzień dobry,", "",
    `faktura ${number} z dnia ${day.split("-").reverse().join(".")}, kwota ${shown(totals.gross, totals.currency).replaceAll("\u00a0", " ")}.`,
    ksefNumber ? `Numer KSeF: ${ksefNumber}` : "",
    WITHOUT_CODE.includes(mode) ? "" : `Sprawdzenie w KSeF: ${links.invoice}`,
  ].filter((line, index) => line || index === 1);
  const query = `subject=${encodeURIComponent(`Faktura ${number}`)}&body=${encodeURIComponent(lines.join("\r\n"))}`;
  return `mailto:${encodeURIComponent(buyer.email || "").replace("%40", "@")}?${query}`;
}
