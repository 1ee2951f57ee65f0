// What an invoice corrects, and what corrects it: each one press away.

import { get } from "../common/api.js";
import { byId, h } from "../common/dom.js";
import { shown } from "../common/money.js";

const PLACE = "relatives";

export const relativesPlace = () => h("p", { id: PLACE, class: "relatives", hidden: true });

/** Fill the place; an invoice that is no longer on the screen leaves it alone. `isShown` tells. */
export async function loadRelatives(invoice, open, isShown) {
  const id = encodeURIComponent(invoice.id);
  const [base, { invoices: corrections }] = await Promise.all([
    invoice.corrects ? get(`/v1/invoices/${encodeURIComponent(invoice.corrects)}`) : null,
    get(`/v1/invoices?base=${id}`),
  ]);
  if (!isShown() || !byId(PLACE)) return;
  const link = (each) => h("button", { type: "button", class: "link", id: `relative-${each.id}`, onclick: () => open(each.id) },
    `${each.number} (${shown(each.totals.gross, each.totals.currency)})`);
  byId(PLACE).hidden = !base && !corrections.length;
  byId(PLACE).replaceChildren(
    ...(base ? ["Koryguje fakturę ", link(base)] : []),
    ...(corrections.length ? [base ? ". " : "", "Korekty: ", ...corrections.reverse().map(link)] : []));
}
