// The basket being made, and the press that has no answer yet. Both survive a reload (sessionStorage).

import { newKey } from "./api.js";

const DRAFT = "ksef-agent.draft";
const PENDING = "ksef-agent.pending";

export const emptyLine = () => ({ name: "", quantity: "1", unit: "szt.", unit_price: "", vat: "23", discount: "" });

const empty = () => ({
  key: newKey(),
  buyer: { kind: "nip", nip: "", eu_vat: "", foreign_id: "", name: "", line1: "", line2: "", country: "" },
  lines: [emptyLine()],
  pay: "cash",
  split: { cash: "", card: "", voucher: "" },
  receipt: { number: "", register: "" },
  sold_on: "",
  note: "",
  exemption: "",
  extra: {},
});

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

export let draft = read(DRAFT) || empty();

export function save() {
  sessionStorage.setItem(DRAFT, JSON.stringify(draft));
}

/** A new basket gets a new key; the key lives until the press is answered. */
export function renew(changes = {}) {
  draft = { ...empty(), ...changes };
  save();
}

export function isEmpty() {
  return draft.lines.every((line) => !line.name && !line.unit_price) && !draft.buyer.nip && !draft.buyer.name;
}

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

/** The press on its way: {key, body}. Sent again as it is until there is an answer. */
export const pending = () => read(PENDING);
export const setPending = (press) => sessionStorage.setItem(PENDING, JSON.stringify(press));
export const clearPending = () => sessionStorage.removeItem(PENDING);
