// The basket being made, and the press that has no answer yet. Both survive a reload, a closed tab and a dead browser.

import { newKey } from "../common/api.js";
import { read, write } from "../common/browser_store.js";
import { emptyDeposits } from "./deposits.js";
import { emptyBuyer } from "../buyer/owner.js";

const DRAFT = "ksef-agent.draft";
const PENDING = "ksef-agent.pending";

export const emptyLine = () => ({ name: "", quantity: "1", unit: "szt.", unit_price: "", vat: "23", discount: "", ean: "", extra: {} });

const empty = () => ({
  key: newKey(),
  buyer: emptyBuyer(),
  prices: "gross",
  currency: "PLN",
  lines: [emptyLine()],
  pay: "cash",
  split: { cash: "", card: "", voucher: "" },
  given: "", // cash the customer gave, for the change
  payments: [],
  receipt: { number: "", register: "", nip: "" },
  sold_on: "",
  note: "",
  notes: [],
  exemption: "",
  deposits: emptyDeposits(),
  simplified: false, // UPR: the buyer's number is enough
  extra: {},
  back: "", // where the program that handed the sale over wants to be called back
});

/** What this browser kept; a page of an earlier version knew fewer fields. */
function whole(basket) {
  const saved = { ...empty(), ...basket };
  return { ...saved, buyer: { ...emptyBuyer(), ...saved.buyer }, receipt: { ...empty().receipt, ...saved.receipt } };
}

export let draft = whole(read(DRAFT));

export function save() {
  write(DRAFT, draft);
}

/** Call `changed` after another tab changed the basket, `pressed` after it began a press (true) or was answered. */
export function follow({ changed, pressed }) {
  window.addEventListener("storage", ({ key, newValue }) => {
    if (key === DRAFT && newValue) {
      draft = whole(read(DRAFT));
      changed();
    }
    if (key === PENDING) pressed(Boolean(newValue));
  });
}

/** A new basket gets a new key; the key lives until the press is answered. */
export function renew(changes = {}) {
  draft = { ...empty(), ...changes };
  save();
}

/** Another basket that this browser kept, with its own key. */
export function replace(basket) {
  draft = whole(basket);
  save();
}

/** The same basket as another sale: its press is no repetition. */
export function rekey() {
  draft.key = newKey();
  save();
}

/** No line was filled in. */
export const isBare = () => draft.lines.every((line) => !line.name.trim() && !line.unit_price.trim());

export const isEmpty = () => isBare() && !draft.buyer.nip && !draft.buyer.name;

/** Read or write "buyer.nip" and the like. */
export function field(path, value) {
  const steps = path.split(".");
  const last = steps.pop();
  const holder = steps.reduce((part, step) => part[step], draft);
  if (value === undefined) return holder[last];
  holder[last] = value;
  save();
  return value;
}

/** Rows that nobody filled in do not count, and would shift what the agent says of the others. */
export function dropEmptyLines() {
  const filled = draft.lines.filter((line) => line.name.trim() || line.unit_price.trim());
  if (!filled.length || filled.length === draft.lines.length) return false;
  draft.lines = filled;
  save();
  return true;
}

/** The press on its way: {key, body, path}. Sent again as it is until there is an answer. */
export function pending() {
  const kept = read(PENDING);
  return kept && { path: "/v1/invoices", ...kept };
}

export const setPending = (press) => write(PENDING, press);
export const clearPending = () => localStorage.removeItem(PENDING);
