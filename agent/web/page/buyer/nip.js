// NIP: ten digits, the last one a weighted sum modulo 11.

const WEIGHTS = [6, 5, 7, 2, 3, 4, 5, 6, 7];

/** An identifier without what only separates: letters, digits, and signs such as "+". */
export const bare = (text) => text.normalize("NFKC").replace(/[\p{Z}\p{P}\p{C}\u2212]/gu, "");

/** The NIP in its one spelling, as agent/domain/identifiers.py has it: people write separators, "PL", "NIP:" with it. */
export const digits = (text) => bare(text).replace(/^(?:NIP|PL|NR|UE|EU|VAT)+(?=\d)/i, "");

/** "empty", "short", "letters", "wrong" or "ok". */
export function check(text) {
  const plain = digits(text);
  if (!plain) return "empty";
  if (!/^\d+$/.test(plain)) return "letters";
  if (plain.length < 10) return "short";
  if (plain.length > 10) return "wrong";
  const sum = WEIGHTS.reduce((total, weight, index) => total + weight * Number(plain[index]), 0) % 11;
  return sum === Number(plain[9]) ? "ok" : "wrong";
}
