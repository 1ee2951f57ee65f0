// The fiscal receipt of the sale. A firm gets an invoice to it only where its number is on it (art. 106b ust. 5).

import { byId } from "../common/dom.js";
import { draft } from "./draft.js";
import { digits } from "../buyer/nip.js";

const LABELS = { nip: "NIP", eu_vat: "numer VAT UE" };
const RULE = "Do paragonu bez numeru nabywcy nie wolno wystawić faktury na firmę. "
  + "Możliwa jest tylko faktura dla osoby prywatnej.";

const hasReceipt = () => Boolean(draft.receipt.number.trim());
const label = () => LABELS[draft.buyer.kind];
const isAsked = () => hasReceipt() && Boolean(label()) && !draft.receipt.nip;

/** The number that the till's program read from the receipt, else the buyer's where the cashier saw it there. */
function numberOnReceipt() {
  if (draft.receipt.nip) return draft.receipt.nip;
  if (!isAsked() || draft.buyer.on_receipt !== "yes") return "";
  return draft.buyer.kind === "nip" ? digits(draft.buyer.nip) : draft.buyer.eu_vat.trim().toUpperCase();
}

/** Ask about the receipt, or show what the till's program said of it. */
export function drawQuestion() {
  const told = hasReceipt() && Boolean(draft.receipt.nip);
  byId("on-receipt").hidden = !isAsked() && !told;
  byId("on-receipt-choices").hidden = told;
  byId("on-receipt-label").textContent = told ? `Na paragonie jest NIP ${draft.receipt.nip}.` : `Czy ${label() || "NIP"} jest na paragonie?`;
  document.querySelectorAll("[name=on-receipt]").forEach((radio) => { radio.checked = radio.value === draft.buyer.on_receipt; });
  byId("on-receipt-hint").textContent = isAsked() && draft.buyer.on_receipt === "no" ? RULE : "";
  if (isAsked()) byId("more").open = true;
}

/** What is still open, or forbidden, before the press. */
export function receiptMistakes() {
  if (!isAsked() || draft.buyer.on_receipt === "yes") return [];
  const message = draft.buyer.on_receipt === "no" ? RULE : `Odpowiedz, czy ${label()} nabywcy jest na paragonie.`;
  return [{ pointer: "/receipt/nip", message }];
}

/** The receipt as the API takes it; undefined without one. */
export function receiptOf() {
  const [number, register, nip] = [draft.receipt.number.trim(), draft.receipt.register.trim(), numberOnReceipt()];
  return number ? { number, ...(register ? { register } : {}), ...(nip ? { nip } : {}) } : undefined;
}
