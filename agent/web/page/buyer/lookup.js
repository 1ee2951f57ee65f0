// Asking who a NIP belongs to. Answers come late and out of order: each goes to its own NIP, or nowhere.

import { get, Problem } from "../common/api.js";
import { fillIn, isOpen, nipOf } from "./owner.js";

const GIVE_UP = 8_000; // milliseconds: a lookup nobody waits for
const PATIENCE = 2_000; // milliseconds a press waits for one

export const KNOWN = {
  invoices: ["NIP poprawny, nabywca znany", "good"],
  "white-list": ["NIP poprawny, dane z białej listy", "good"],
};
const ASKING = ["NIP poprawny, szukam nabywcy…", "good"];
const UNKNOWN = ["NIP poprawny. Wpisz nazwę i adres nabywcy.", "good"];
const SILENT = ["NIP poprawny. Nie udało się sprawdzić nabywcy: wpisz nazwę i adres.", "good"];

const onTheWay = new Map(); // NIP -> its lookup, so that nobody asks twice at once

function ask(nip) {
  if (!onTheWay.has(nip)) {
    const lookup = get(`/v1/buyers/${nip}`, { timeout: GIVE_UP })
      .then((found) => ({ found }), (error) => ({ found: null, words: error instanceof Problem ? UNKNOWN : SILENT }))
      .finally(() => onTheWay.delete(nip));
    onTheWay.set(nip, lookup);
  }
  return onTheWay.get(nip);
}

/**
 * Look the buyer's NIP up where that is still open, and fill in what is known.
 *
 * current  returns the form's buyer as he is then; it may be another one when the answer comes
 * changed  called with a hint ([words, mood]) whenever there is something new to show
 */
export async function lookUp(current, changed) {
  const nip = nipOf(current());
  if (!isOpen(current())) return;
  changed(ASKING);
  const { found, words } = await ask(nip);
  const buyer = current();
  if (nipOf(buyer) !== nip) return;
  if (found && !buyer.looked) fillIn(buyer, found);
  changed(found ? told(found) : words);
}

/** Wait for the lookup of the NIP in the form, but not long. */
export async function patiently(current, changed) {
  let timer;
  const enough = new Promise((resolve) => { timer = setTimeout(resolve, PATIENCE); });
  await Promise.race([lookUp(current, changed), enough]);
  clearTimeout(timer);
}

function told(found) {
  if (!found.replaced) return KNOWN[found.source] || KNOWN.invoices;
  return [`Uwaga: zapamiętana nazwa „${found.replaced}” jest inna niż na białej liście. Wpisano dane z białej listy.`, "bad"];
}

/** The cashier is asked for the name that nobody knows; the rest the agent asks for. */
export function nameless(buyer, pointer) {
  if (!nipOf(buyer) || buyer.name.trim()) return [];
  return [{ pointer: `${pointer}/name`, message: `Nie wiadomo, czyj jest NIP ${nipOf(buyer)}. Wpisz nazwę i adres nabywcy.` }];
}
