// Finding by words however they are written: without diacritics, without case.

/** "Żółty SER" -> "zolty ser". */
export const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ł", "l");

const MOST = 2_000; // texts whose words are kept: the same ones are looked through at every key
const known = new Map();

function words(text) {
  if (!known.has(text)) {
    if (known.size >= MOST) known.clear();
    known.set(text, folded(text).match(/[\p{L}\p{N}]+/gu) || []);
  }
  return known.get(text);
}

/** Whether each word of `wanted` begins a word of `text`. */
export function matches(wanted, text) {
  const there = words(text);
  return words(wanted).every((word) => there.some((each) => each.startsWith(word)));
}
