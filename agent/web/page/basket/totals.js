// What the basket comes to.

import { depositsGrosze } from "./deposits.js";
import { draft } from "./draft.js";
import { grosze, lineGrosze, taxGrosze } from "../common/money.js";

/** Whether a line's mark may matter; of another currency only the agent knows the rate. */
export const annexMatters = () => draft.currency !== "PLN" || invoiceGrosze() > 1_500_000n;

/** What the buyer pays, in grosze: the invoice, and deposits for packaging. */
export const totalGrosze = () => invoiceGrosze() + depositsGrosze(draft);

/** The invoice's total in grosze; lines not yet complete count as nothing. */
function invoiceGrosze() {
  const sums = new Map();
  for (const line of draft.lines) sums.set(line.vat, (sums.get(line.vat) ?? 0n) + (lineGrosze(line) ?? 0n));
  const tax = (rate, sum) => (draft.prices === "net" ? taxGrosze(rate, sum) : 0n);
  return [...sums].reduce((total, [rate, sum]) => total + sum + tax(rate, sum), 0n);
}

/** What is still to be split among the forms of payment, grosze. */
export function splitRest() {
  return Object.values(draft.split).reduce((rest, amount) => rest - (grosze(amount || "0") ?? 0n), totalGrosze());
}
