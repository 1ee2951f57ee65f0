// Decimal amounts without floating point: strings outside, BigInt inside.

const SCALE = 8n; // digits after the point that a price may have
const ONE = 10n ** SCALE;

/** "1 234,50" -> "1234.50", whatever it is that was typed. */
export const plainNumber = (text) => String(text).replace(/\s/g, "").replace(",", ".");

/** The same; null when it is no non-negative decimal with at most `decimals` places. */
export function decimal(text, decimals) {
  const plain = plainNumber(text);
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(plain);
  if (!match || (match[2] || "").length > decimals) return null;
  return plain;
}

function scaled(plain) {
  const [whole, fraction = ""] = plain.split(".");
  return BigInt(whole) * ONE + BigInt(fraction.padEnd(Number(SCALE), "0") || "0");
}

/** Value of a line in grosze, half up; null while something is missing. */
export function lineGrosze(line) {
  const quantity = decimal(line.quantity, 6);
  const price = decimal(line.unit_price, 8);
  const discount = decimal(line.discount || "0", 2);
  if (quantity === null || price === null || discount === null) return null;
  const cent = ONE * ONE / 100n;
  const value = scaled(quantity) * scaled(price);
  return (value + cent / 2n) / cent - scaled(discount) * 100n / ONE;
}

/** Tax on a rate's net sum, half up; rates in words (zw, oo, np) carry none. */
export function taxGrosze(rate, net) {
  const percent = /^\d+$/.test(rate) ? BigInt(rate) : 0n;
  return (net * percent + 50n) / 100n;
}

/** Amount typed by a person -> grosze, null when it is none. */
export function grosze(text) {
  const plain = decimal(text, 2);
  return plain === null ? null : scaled(plain) * 100n / ONE;
}

/** Grosze -> "12.50" for the API. */
export function plainAmount(value) {
  const sign = value < 0n ? "-" : "";
  const digits = String(value < 0n ? -value : value).padStart(3, "0");
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** "1234.50" -> "1 234,50 zł". */
export function shown(plain, currency = "PLN") {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(plain)) || ["", "", "0", ""];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u00a0");
  return `${sign ? "−" : ""}${grouped},${fraction.padEnd(2, "0")}\u00a0${currency === "PLN" ? "zł" : currency}`;
}
