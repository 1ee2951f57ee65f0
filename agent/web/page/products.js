// Products that this till has sold: the code on the package brings name, unit, price and rate back. Kept in this browser.

const KEY = "ksef-agent.products";
const MOST = 500; // the longest unsold are forgotten

function all() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || [];
  } catch {
    return [];
  }
}

/** Remember the lines of a basket that was issued. */
export function remember({ lines, prices }) {
  const sold = lines.map(({ name, unit, unit_price, vat, ean }) => ({ name, unit, unit_price, vat, ean, prices }));
  const others = all().filter((product) => !sold.some((each) => each.name === product.name));
  localStorage.setItem(KEY, JSON.stringify([...sold, ...others].slice(0, MOST)));
}

/** The product with this code, priced as the basket is. */
export const byCode = (code, prices) => all().find((product) => product.ean === code && product.prices === prices);

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
