// VAT numbers of the EU: a country's prefix and a form of its own, as agent/domain/identifiers.py has them (VIES).

import { bare } from "./nip.js";

/** KodUE -> [the number after it, its form in words]. */
const FORMS = {
  AT: [/U[0-9]{8}/, "U i 8 cyfr"],
  BE: [/[01][0-9]{9}/, "10 cyfr, pierwsza 0 lub 1"],
  BG: [/[0-9]{9,10}/, "9 lub 10 cyfr"],
  CY: [/[0-9]{8}[A-Z]/, "8 cyfr i litera"],
  CZ: [/[0-9]{8,10}/, "8 do 10 cyfr"],
  DE: [/[0-9]{9}/, "9 cyfr"],
  DK: [/[0-9]{8}/, "8 cyfr"],
  EE: [/[0-9]{9}/, "9 cyfr"],
  EL: [/[0-9]{9}/, "9 cyfr"],
  ES: [/[0-9A-Z][0-9]{7}[0-9A-Z]/, "9 znaków, w środku 7 cyfr"],
  FI: [/[0-9]{8}/, "8 cyfr"],
  FR: [/[0-9A-HJ-NP-Z]{2}[0-9]{9}/, "2 znaki i 9 cyfr"],
  HR: [/[0-9]{11}/, "11 cyfr"],
  HU: [/[0-9]{8}/, "8 cyfr"],
  IE: [/[0-9][0-9A-Z+*][0-9]{5}[A-Z]{1,2}/, "7 znaków i 1 lub 2 litery"],
  IT: [/[0-9]{11}/, "11 cyfr"],
  LT: [/(?:[0-9]{9}|[0-9]{12})/, "9 lub 12 cyfr"],
  LU: [/[0-9]{8}/, "8 cyfr"],
  LV: [/[0-9]{11}/, "11 cyfr"],
  MT: [/[0-9]{8}/, "8 cyfr"],
  NL: [/[0-9A-Z+*]{10}[0-9]{2}/, "12 znaków, na końcu 2 cyfry"],
  PL: [/[0-9]{10}/, "10 cyfr"],
  PT: [/[0-9]{9}/, "9 cyfr"],
  RO: [/[0-9]{2,10}/, "2 do 10 cyfr"],
  SE: [/[0-9]{10}01/, "12 cyfr, na końcu 01"],
  SI: [/[0-9]{8}/, "8 cyfr"],
  SK: [/[0-9]{10}/, "10 cyfr"],
  XI: [/(?:[0-9]{9}|[0-9]{12}|(?:GD|HA)[0-9]{3})/, "9 lub 12 cyfr"],
};

/** The number without what only separates and the words in front of it; "*" is a character of Irish and Dutch ones. */
const spelled = (text) => text.normalize("NFKC").split("*").map(bare).join("*").toUpperCase()
  .replace(/^(?:VAT|UE|EU)+(?=[A-Z]{2})/, "").replace(/^GR/, "EL");

/** What is wrong with a number, in words; "" for one of a right form, null for none at all. */
export function euMistake(text) {
  const number = spelled(text);
  if (!number) return null;
  const prefix = number.slice(0, 2);
  const [form, words] = FORMS[prefix] || [];
  if (!form) return "Numer zaczyna się od 2 liter kraju UE, np. DE123456789";
  if (prefix === "PL") return "Polską firmę wskazuje NIP: wybierz „Firma”";
  return new RegExp(`^${form.source}$`).test(number.slice(2)) ? "" : `Numer z ${prefix}: po ${prefix} ${words}`;
}

/** The number in its one spelling where its form is right, else "". */
export const euNumber = (text) => (euMistake(text) === "" ? spelled(text) : "");
