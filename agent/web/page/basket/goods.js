// Goods into the basket without typing them: scanned, from the list under a name, by a quick key.

import { byId, h, say } from "../common/dom.js";
import * as store from "./draft.js";
import { matches } from "../common/fold.js";
import { plainNumber, shown } from "../common/money.js";
import * as products from "./products.js";
import { suggest } from "../common/suggest.js";

const KEYS = 6; // quick keys: one row of them, Alt+1 to Alt+6
const SUGGESTED = 6;

let drawn = () => {}; // draws the lines anew

export function start({ draw }) {
  drawn = draw;
  suggest(byId("lines"), ".f-name input", (text, field) => products.find(text, store.draft.prices, SUGGESTED)
    .filter((product) => product.name !== text)
    .map((product) => ({ label: product.name, detail: priced(product), take: () => fillIn(field, product) })));
  byId("lines").addEventListener("change", ({ target }) => { if (target.closest(".f-name")) forgetOtherCode(lineOf(target)); });
}

const priced = ({ unit_price: price, unit, vat }) => `${shown(plainNumber(price), store.draft.currency)}/${unit} · ${/^\d/.test(vat) ? `${vat}%` : vat}`;

const lineOf = (field) => store.draft.lines[Number(field.id.split("-")[1])];

/** A suggestion was taken: the quantity stays, and is next. */
function fillIn(field, product) {
  const line = lineOf(field);
  Object.assign(line, products.asLine(product));
  changed();
  byId(`line-${store.draft.lines.indexOf(line)}-quantity`).focus();
}

/** A line whose name was made another one is no longer the product of its code. */
function forgetOtherCode(line) {
  const known = line?.ean && products.byCode(line.ean, store.draft.prices);
  const [first] = line?.name.trim().split(/\s/) ?? [];
  if (!known || !first || matches(first, known.name)) return;
  line.ean = "";
  changed();
}

function changed() {
  store.save();
  drawn();
}

/** One more of a product, or a new line of it; returns the line. */
function add(product) {
  const { lines } = store.draft;
  const there = lines.find((line) => (product.ean ? line.ean === product.ean : line.name === product.name && line.unit_price === product.unit_price));
  if (there && /^\d+$/.test(there.quantity)) {
    there.quantity = String(Number(there.quantity) + 1);
    changed();
    return there;
  }
  const line = { ...store.emptyLine(), ...product };
  const last = lines.at(-1);
  if (!last.name.trim() && !last.unit_price.trim() && !last.ean) lines.splice(-1, 1, line);
  else lines.push(line);
  changed();
  return line;
}

/** A scanned code; what nobody knows yet is asked for by name. */
export function takeProduct(code) {
  const known = products.byCode(code, store.draft.prices);
  const line = add(known ? products.asLine(known) : { ean: code });
  byId(`line-${store.draft.lines.indexOf(line)}-${line.name ? "quantity" : "name"}`).focus();
  say(line.name ? told(line) : `Nieznany kod ${code}: wpisz nazwę i cenę.`);
}

const told = ({ name, quantity }) => `${name}: ${quantity}`;

/** Alt and a digit press a quick key. */
export function shortcut(event) {
  const key = event.altKey && /^Digit[1-9]$/.test(event.code) ? byId(`quick-${event.code.at(-1)}`) : null;
  key?.click();
  return key !== null;
}

/** Draw the quick keys where they are others than before. */
export function drawQuickKeys() {
  const common = products.commonest(store.draft.prices, KEYS);
  const version = JSON.stringify(common.map((product) => [product.name, product.unit_price]));
  if (byId("quick").dataset.of === version) return;
  byId("quick").dataset.of = version;
  byId("quick").hidden = !common.length;
  byId("quick").replaceChildren(...common.map((product, index) => h("button", {
    type: "button", id: `quick-${index + 1}`, title: `${product.name}, ${priced(product)}`,
    onclick: () => say(told(add(products.asLine(product)))),
  }, h("span", {}, product.name), h("kbd", {}, String(index + 1)))));
}
