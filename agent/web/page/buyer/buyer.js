// The buyer in the sale's form: kind, identifier, name and address.

import { byId } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { euMistake } from "./eu.js";
import { KNOWN, lookUp, nameless, patiently } from "./lookup.js";
import { check } from "./nip.js";
import { fillIn, incompleteConsumer, isOpen, nipOf, settle, write } from "./owner.js";
import { drawQuestion } from "../basket/receipt.js";

const HINTS = {
  empty: ["", ""],
  short: ["NIP ma 10 cyfr", ""],
  letters: ["NIP składa się z samych cyfr", "bad"],
  wrong: ["Błędny NIP: cyfra kontrolna się nie zgadza", "bad"],
  ok: ["NIP poprawny", "good"],
};
const IDENTIFIERS = { nip: "nip", eu_vat: "eu-vat", foreign_id: "foreign-id" }; // kind of buyer -> id of its field
const DATA = { name: "buyer-name", line1: "line1", line2: "line2", country: "country", email: "email" };

const form = () => byId("sale-form");
const current = () => store.draft.buyer;

export function start() {
  byId("nip").addEventListener("input", () => { hint(...HINTS[check(byId("nip").value)]); settleOwner(); });
  byId("eu-vat").addEventListener("input", drawEuHint);
  ["eu-vat", "foreign-id"].forEach((id) => byId(id).addEventListener("change", settleOwner)); // no telling earlier when it is whole
  for (const [name, id] of Object.entries(DATA)) {
    byId(id).addEventListener("input", () => { write(current(), name, byId(id).value); store.save(); });
  }
  form().querySelectorAll("[name=buyer-kind]").forEach((radio) => {
    radio.addEventListener("change", () => choose(radio.value));
  });
}

/** Draw the buyer of the basket, and ask who he is where only a NIP came with it. */
export function draw() {
  hint(...HINTS[check(current().nip)]);
  settle(current());
  drawKind();
  drawEuHint();
  drawData();
  find();
}

export function choose(kind) {
  store.field("buyer.kind", kind);
  drawKind();
  settleOwner();
  drawQuestion();
}

/** A NIP that was read by a scanner, wherever the focus was. */
export function takeNip(nip) {
  choose("nip");
  byId("nip").value = nip;
  byId("nip").dispatchEvent(new Event("input", { bubbles: true }));
  byId("nip").focus();
}

/** A buyer chosen by name. */
export function takeKnown({ nip, name, address }) {
  if (!nipOf(current())) ["name", "line1", "line2"].forEach((field) => write(current(), field, "")); // what was typed to find him
  takeNip(nip);
  fillIn(current(), { name, address });
  show(KNOWN.invoices);
  byId("press").focus();
}

/** A firm of the EU chosen by name. */
export function takeEuropean({ eu_vat: number, ...data }) {
  byId("eu-vat").value = number;
  store.field("buyer.eu_vat", number);
  settleOwner();
  for (const [name, value] of Object.entries(data)) write(current(), name, value);
  store.save();
  drawData();
  byId("press").focus();
}

/** The field to go to: whom the invoice is for. */
export function firstField() {
  const id = IDENTIFIERS[current().kind];
  if (id) return byId(id);
  return byId(!current().name ? "buyer-name" : current().line1 || current().line2 ? "press" : "line1");
}

/** Mistakes of the identifier as it stands. */
export function identifierMistakes() {
  if (current().kind === "eu_vat") {
    const wrong = euMistake(byId("eu-vat").value);
    return wrong === "" ? [] : [{ pointer: "/buyer/eu_vat", message: wrong === null ? "Wpisz numer VAT UE." : `${wrong}.` }];
  }
  const state = current().kind === "nip" ? check(byId("nip").value) : "ok";
  if (state === "ok") return [];
  return [{ pointer: "/buyer/nip", message: state === "empty" ? "Wpisz NIP albo wybierz „Osoba”." : "Popraw NIP albo wybierz „Osoba”." }];
}

/** Whether a press has to wait for the lookup of the NIP on the screen. */
export const isLookedFor = () => isOpen(current());

export const wait = () => patiently(current, show);

/** What the cashier has to fill in because nobody knows it. */
export const dataMistakes = () => (store.draft.simplified ? [] // the number is enough; of anybody else the agent says so
  : [...nameless(current(), "/buyer"), ...incompleteConsumer(current(), "/buyer")]);

/** Name and address go with their identifier. */
export function settleOwner() {
  if (!settle(current())) return;
  store.save();
  drawData();
  drawQuestion();
  find();
}

function find() {
  lookUp(current, show);
}

function show(words) {
  store.save();
  drawData();
  if (current().kind === "nip") hint(...words);
}

function hint(words, mood) {
  byId("nip-hint").textContent = words;
  byId("nip-hint").dataset.mood = mood;
}

function drawEuHint() {
  const wrong = euMistake(byId("eu-vat").value);
  byId("eu-hint").textContent = wrong === "" ? "Numer ma dobrą postać" : wrong || "";
  byId("eu-hint").dataset.mood = wrong === "" ? "good" : "";
}

function drawKind() {
  const { kind } = current();
  form().querySelectorAll("[name=buyer-kind]").forEach((radio) => { radio.checked = radio.value === kind; });
  form().querySelectorAll("[data-for]").forEach((field) => { field.hidden = !field.dataset.for.split(" ").includes(kind); });
  byId("buyer-name-label").textContent = kind === "none" ? "Imię i nazwisko" : "Nazwa";
}

function drawData() {
  for (const [name, id] of Object.entries(DATA)) {
    if (byId(id).value !== current()[name]) byId(id).value = current()[name];
  }
}
