// Products that this till has sold: name or code bring unit, price and rate back. Kept in this browser.

import { read, write } from "../common/browser_store.js";
import { matches } from "../common/fold.js";

const KEY = "ksef-agent.products";
const MOST = 500; // the longest unsold are forgotten
const TWICE = 2; // sold so often, a product may have a key of its own

let kept = { text: null, list: [] }; // read once, not at every key

function all() {
  const text = localStorage.getItem(KEY);
  if (text !== kept.text) kept = { text, list: read(KEY) || [] };
  return kept.list;
}

const same = (one, other) => one.name === other.name && one.prices === other.prices;
const bySales = (one, other) => (other.sold || 1) - (one.sold || 1);

/** Remember the lines of a basket that was issued. */
export function remember({ lines, prices }) {
  const before = all();
  const sold = [];
  for (const { name, unit, unit_price, vat, ean } of lines) {
    const product = { name: name.trim(), unit, unit_price, vat, ean, prices };
    if (sold.some((each) => same(each, product))) continue;
    const known = before.find((each) => same(each, product));
    sold.push({ ...product, ean: ean || known?.ean || "", sold: (known?.sold || 0) + 1 });
  }
  const others = before.filter((product) => !sold.some((each) => same(each, product)));
  write(KEY, [...sold, ...others].slice(0, MOST));
}

/** The product with this code, priced as the basket is. */
export const byCode = (code, prices) => all().find((product) => product.ean === code && product.prices === prices);

/** At most `most` products whose name has these words, or whose code begins so; the commonest first. */
export function find(text, prices, most) {
  const code = /^\d{3,}$/.test(text) ? text : null;
  return all().filter((product) => product.prices === prices && (matches(text, product.name) || (code && product.ean?.startsWith(code))))
    .sort(bySales).slice(0, most);
}

/** What is sold most, for quick keys. */
export const commonest = (prices, most) => all().filter((product) => product.prices === prices && product.sold >= TWICE).sort(bySales).slice(0, most);

/** A product as a line of the basket. */
export const asLine = ({ name, unit, unit_price: price, vat, ean }) => ({
  name, unit, vat, unit_price: price, ean: ean || "",
});

/** Whether the last digit of an EAN-8, UPC-A, EAN-13 or GTIN-14 is right. */
export function isCode(text) {
  if (!/^(?:\d{8}|\d{12,14})$/.test(text)) return false;
  const digits = [...text].reverse().map(Number);
  return digits.reduce((sum, digit, place) => sum + digit * (place % 2 ? 3 : 1), 0) % 10 === 0;
}
