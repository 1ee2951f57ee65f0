// Finding by words however they are written: without diacritics, without case.

/** "Żółty SER" -> "zolty ser". */
export const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ł", "l");

const words = (text) => folded(text).match(/[\p{L}\p{N}]+/gu) || [];

/** Whether each word of `wanted` begins a word of `text`. */
export function matches(wanted, text) {
  const there = words(text);
  return words(wanted).every((word) => there.some((each) => each.startsWith(word)));
}
