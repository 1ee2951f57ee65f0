// What a scanned text means: an own invoice (its number, its KSeF number, KOD I), a product, a NIP inside a longer text.

import { get } from "../common/api.js";
import { check, digits } from "../buyer/nip.js";
import { isCode } from "../basket/products.js";

const KSEF_NUMBER = /^\d{10}-\d{8}-[0-9A-F]{6}-?[0-9A-F]{6}-[0-9A-F]{2}$/i;
const INVOICE_CODE = /\/invoice\/\d{10}\/(\d\d)-(\d\d)-(\d{4})\/([\w-]{43})/;
const NUMBER = /^[A-Z]{1,6}[-/][A-Z0-9/-]*\d{4}[/-][A-Z0-9/-]*\d$/i;
const NIPS = /(?<!\d)(?:\d{10}|\d{3}[- ]\d{3}[- ]\d{2}[- ]\d{2}|\d{3}[- ]\d{2}[- ]\d{2}[- ]\d{3})(?!\d)/g;

/** {kind: "number" | "code" | "product" | "nip", …}; null for a text that means none of these. */
export function meaning(text) {
  const plain = text.trim();
  const code = INVOICE_CODE.exec(plain);
  if (code) return { kind: "code", day: `${code[3]}-${code[2]}-${code[1]}`, sha256: hex(code[4]) };
  if (KSEF_NUMBER.test(plain) || NUMBER.test(plain)) return { kind: "number", number: plain.toUpperCase() };
  if (isCode(plain)) return { kind: "product", code: plain };
  const nips = new Set((plain.match(NIPS) || []).map(digits).filter((nip) => check(nip) === "ok"));
  return nips.size === 1 ? { kind: "nip", nip: [...nips][0] } : null;
}

function hex(base64url) {
  const bytes = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return [...bytes].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

/** The invoice of this till that a text names; undefined where it has none. */
export async function invoiceOf({ kind, number, day, sha256 }) {
  const query = kind === "code" ? { from: day, to: day, sha256 } : { text: number };
  const { invoices } = await get(`/v1/invoices?${new URLSearchParams({ ...query, limit: "500" })}`);
  return kind === "code" ? invoices[0] : invoices.find((each) => [each.number, each.ksef_number].includes(number));
}
