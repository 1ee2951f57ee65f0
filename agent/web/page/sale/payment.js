// How it is paid: keys, parts of a split payment, and the change, which is the cashier's business and on no invoice.

import { byId, h, putText } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { grosze, plainAmount, shown } from "../common/money.js";
import { splitRest, totalGrosze } from "../basket/totals.js";

const METHODS = { cash: "gotówka", card: "karta", mobile: "BLIK", transfer: "przelew", voucher: "bon", cheque: "czek", credit: "kredyt" };
const KEYS = { F6: "cash", F7: "card", F8: "mobile", F10: "transfer" };
const NOTES = [1_000n, 5_000n, 10_000n, 20_000n, 50_000n]; // grosze: what customers give is a multiple of one of these

const choices = () => byId("sale-form").querySelectorAll("[name=pay]");
const money = (amount) => shown(plainAmount(amount < 0n ? -amount : amount), store.draft.currency);

export function start(changed) {
  choices().forEach((radio) => {
    radio.addEventListener("change", () => { store.field("pay", radio.value); changed(); });
  });
}

/** The form of payment that a key means. Cash a second time: how much the customer gives. */
export function shortcut(key) {
  const method = KEYS[key];
  if (!method) return false;
  if (method === "cash" && store.draft.pay === "cash") byId("given-cash").focus();
  else byId(`pay-${method}`).click();
  return true;
}

export function draw() {
  const { pay, payments, currency } = store.draft;
  choices().forEach((radio) => { radio.checked = radio.value === pay; });
  byId("split").hidden = pay !== "split";
  const rest = splitRest();
  putText("split-rest", rest === 0n ? "Podział się zgadza." : rest > 0n ? `Do podziału zostało: ${money(rest)}` : `Podzielono za dużo o ${money(rest)}`);
  byId("pay-given").hidden = pay !== "given";
  putText("pay-given", pay === "given"
    ? `Z programu kasowego: ${payments.map((item) => `${METHODS[item.method] || item.method} ${shown(item.amount, currency)}`).join(", ")}` : "");
  drawChange();
}

/** Parts of a payment that are not the whole. */
export function mistakes() {
  const rest = store.draft.pay === "split" ? splitRest() : 0n;
  if (rest === 0n) return [];
  return [{ pointer: "/payments/split", message: rest > 0n ? `Do podziału zostało ${money(rest)}.` : `Podzielono za dużo o ${money(rest)}.` }];
}

// --- change -------------------------------------------------------------------------------------

/** What is paid in cash, grosze. */
function cashDue() {
  const { pay, split } = store.draft;
  if (pay === "cash") return totalGrosze();
  return pay === "split" ? grosze(split.cash || "0") ?? 0n : 0n;
}

/** What to give back of what the customer gave, in words; "" where nobody wrote it. */
export function change() {
  const given = grosze(store.draft.given || "");
  const due = cashDue();
  if (given === null || due <= 0n) return "";
  return given < due ? `Brakuje ${money(due - given)}` : `Reszta ${money(given - due)}`;
}

function drawChange() {
  const due = cashDue();
  byId("change").hidden = due <= 0n;
  putText("change-sum", change());
  byId("change-sum").dataset.mood = change().startsWith("Brakuje") ? "bad" : "good";
  const offered = [...new Set(NOTES.map((note) => (due + note - 1n) / note * note))].filter((amount) => amount > due).slice(0, 4);
  const wanted = offered.join();
  if (byId("change-notes").dataset.of === wanted) return;
  byId("change-notes").dataset.of = wanted;
  byId("change-notes").replaceChildren(...offered.map((amount) => h("button", {
    type: "button", "aria-label": `Klient daje ${money(amount)}`, onclick: () => give(plainAmount(amount).replace(/\.00$/, "")),
  }, money(amount).replace(/,00.*/, ""))));
}

function give(amount) {
  byId("given-cash").value = amount;
  byId("given-cash").dispatchEvent(new Event("input", { bubbles: true }));
}
