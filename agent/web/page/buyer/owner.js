// Whose name and address are in a form. They belong to the identifier they were given for: when that changes they are put
// aside, and come back with it. So no invoice goes out with the NIP of one firm and the name of another.

import { euNumber } from "./eu.js";
import { check, digits } from "./nip.js";

const OWNED = { name: "", line1: "", line2: "", country: "", email: "", recipient: null, on_receipt: "" };
const NOBODY = "?"; // no identifier yet, or half of one

/** A buyer of a form, with nothing in it. */
export const emptyBuyer = () => ({
  kind: "nip", nip: "", eu_vat: "", foreign_id: "", ...OWNED,
  of: NOBODY, // whom the fields above belong to
  typed: [], // those that a person or the till's program gave: no lookup replaces them
  looked: false, // what a lookup knows is filled in
  aside: {}, // what belongs to others: {owner: fields}
});

/** A buyer as given, by the till's program or an earlier page: whatever is filled in is meant for its identifier. */
export function givenBuyer(fields) {
  const buyer = { ...emptyBuyer(), ...fields };
  buyer.of = ownerOf(buyer);
  buyer.typed = ["name", "line1", "line2"].filter((name) => buyer[name]);
  return buyer;
}

/** Whom a name would be meant for now: "none" (a private person), a complete identifier, or nobody yet. */
function ownerOf(buyer) {
  if (buyer.kind === "none") return "none";
  if (buyer.kind === "nip") return check(buyer.nip) === "ok" ? `nip:${digits(buyer.nip)}` : NOBODY;
  const number = buyer.kind === "eu_vat" ? euNumber(buyer.eu_vat) : buyer.foreign_id.replace(/[\s.-]/g, "").toUpperCase();
  return number ? `${buyer.kind}:${number}` : NOBODY;
}

/** The NIP that the fields belong to, "" where they belong to none. */
export const nipOf = (buyer) => (buyer.of.startsWith("nip:") ? buyer.of.slice(4) : "");

/** After a change of kind or identifier: give the fields to whom they belong now. True where they changed hands. */
export function settle(buyer) {
  const owner = ownerOf(buyer);
  const before = buyer.of;
  if (owner === before) return false;
  const fields = Object.fromEntries(Object.keys(OWNED).map((name) => [name, buyer[name]]));
  buyer.of = owner;
  const typedFirst = before === NOBODY && (fields.name || fields.line1 || fields.line2);
  if (typedFirst) { // a name written before its identifier; what a lookup knows is better
    Object.assign(buyer, { on_receipt: "", recipient: null, typed: [], looked: false });
  } else {
    if (before !== NOBODY) buyer.aside[before] = { ...fields, typed: buyer.typed, looked: buyer.looked };
    Object.assign(buyer, { ...OWNED, typed: [], looked: false }, buyer.aside[owner]);
  }
  delete buyer.aside[owner];
  return true;
}

/** Somebody wrote `value` into a field. */
export function write(buyer, name, value) {
  buyer[name] = value;
  buyer.typed = buyer.typed.filter((each) => each !== name);
  if (value.trim()) buyer.typed.push(name);
}

/** Fill in what a lookup found; what somebody wrote for this buyer stays, and an address stays in one piece. */
export function fillIn(buyer, { name, address }) {
  const wrote = (field) => buyer.typed.includes(field);
  if (!wrote("name")) buyer.name = name || buyer.name;
  if (address && !wrote("line1") && !wrote("line2")) Object.assign(buyer, { line1: address.line1 || "", line2: address.line2 || "" });
  buyer.looked = true;
}

/** What a private person's invoice lacks: name and address stand on every invoice (art. 106e ust. 1 pkt 3). */
export function incompleteConsumer(buyer, pointer) {
  if (buyer.kind !== "none") return [];
  const lacking = [];
  if (!buyer.name.trim()) lacking.push({ pointer: `${pointer}/name`, message: "Wpisz imię i nazwisko. Musi je mieć także faktura dla osoby." });
  if (!buyer.line1.trim() && !buyer.line2.trim()) {
    lacking.push({ pointer: `${pointer}/address/line1`, message: "Wpisz adres. Musi go mieć także faktura dla osoby." });
  }
  return lacking;
}

/** Whether it is not known yet who has the NIP. A name that somebody wrote for it is an answer. */
export const isOpen = (buyer) => Boolean(nipOf(buyer)) && !buyer.looked && !buyer.typed.includes("name");
