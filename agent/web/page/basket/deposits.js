// Kaucja for returnable packaging: outside VAT, beside the total; charged with full packaging, given back for empty one.

import { decimal, grosze, shown } from "../common/money.js";

/** What goes back to the customer for empty packaging. */
export const GIVEN_BACK = "Zwrot kaucji za opakowania";
const NAMES = { charged: "Kaucja za opakowania", returned: GIVEN_BACK };
const KINDS = Object.keys(NAMES);

/** The form's two amounts. */
export const emptyDeposits = () => ({ charged: "", returned: "" });

/** Deposits that this page named, as the form's fields; null where a program names them in its own way. */
export function typedDeposits(deposits) {
  const fields = emptyDeposits();
  for (const { name, amount } of deposits) {
    const kind = KINDS.find((each) => NAMES[each] === name && !fields[each]);
    if (!kind) return null;
    fields[kind] = String(amount).replace(/^-/, "").replace(".", ",");
  }
  return fields;
}

/** The sale's deposits as the API takes them: those of the till's own program, and those typed. */
export function depositsOf({ extra, deposits }) {
  const typed = KINDS.filter((kind) => (grosze(deposits[kind]) ?? 0n) > 0n)
    .map((kind) => ({ name: NAMES[kind], amount: `${kind === "returned" ? "-" : ""}${decimal(deposits[kind], 2)}` }));
  return [...extra.deposits ?? [], ...typed];
}

/** What they come to, in grosze; what is given back counts less. */
export const depositsGrosze = (draft) => depositsOf(draft).reduce((sum, { amount }) => {
  const value = grosze(String(amount).replace(/^-/, "")) ?? 0n;
  return String(amount).startsWith("-") ? sum - value : sum + value;
}, 0n);

/** Amounts that are none. */
export const depositMistakes = ({ deposits }) => KINDS.filter((kind) => deposits[kind].trim() && grosze(deposits[kind]) === null)
  .map((kind) => ({ pointer: `/deposits/${kind}`, message: "Wpisz kwotę kaucji, np. 5,00." }));

/** In words, what the till's own program handed over; "" for nothing. */
export function givenDeposits({ extra, currency }) {
  const given = (extra.deposits ?? []).map(({ name, amount }) => `${name} ${shown(amount, currency)}`);
  return given.length ? `Z programu kasowego: ${given.join(", ")}` : "";
}
