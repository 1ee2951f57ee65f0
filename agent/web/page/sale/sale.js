// The sale: basket, buyer, payment, and the one big button.

import { wayBack } from "../back.js";
import * as buyer from "../buyer/buyer.js";
import { givenDeposits } from "../basket/deposits.js";
import { byId, enterMovesOn, opened, selectsWhatItEnters } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { complain, hush } from "../common/explain.js";
import * as goods from "../basket/goods.js";
import { draftFrom, SAMPLE } from "../basket/handed.js";
import * as known from "../buyer/known.js";
import { plainAmount, shown } from "../common/money.js";
import { check } from "../buyer/nip.js";
import * as parked from "../basket/parked.js";
import * as payment from "./payment.js";
import * as press from "./press.js";
import * as preview from "./preview.js";
import { drawQuestion } from "../basket/receipt.js";
import { annexMark, drawRows } from "../basket/rows.js";
import * as scan from "../input/scan.js";
import { annexMatters, totalGrosze } from "../basket/totals.js";

const form = () => byId("sale-form");

export function start({ answered, sampleBasket, abandoned }) {
  bindFields();
  bindLines();
  buyer.start();
  scan.start({
    listens: () => form().checkVisibility() && !form().inert && !opened(),
    asksNip: () => store.draft.buyer.kind === "nip",
    take: buyer.takeNip,
  });
  enterMovesOn(form(), (field) => (field.id === "nip" && check(field.value) === "ok" ? byId("press") : null));
  byId("sample-button").hidden = !sampleBasket;
  byId("sample-button").addEventListener("click", () => { replace({ lines: structuredClone(SAMPLE) }); byId("nip").focus(); });
  parked.start({ shown: () => { draw(); focusFirst(); }, fresh });
  payment.start(refresh);
  goods.start({ draw: () => { drawLines(); refresh(); } });
  known.start();
  preview.start({ readScreen, drawLines });
  press.start({ fresh, readScreen, draw, drawLines, answered, abandoned });
  selectsWhatItEnters(document.body);
  if (sampleBasket && store.isEmpty() && !store.pending()) store.renew({ lines: structuredClone(SAMPLE) });
  draw();
  if (store.pending()) press.unanswered("Strona została przeładowana, zanim przyszła odpowiedź.");
}

/** Begin a new basket, with a new key. */
export function fresh(changes = {}) {
  store.renew(changes);
  draw();
}

/** A basket from elsewhere; what a cashier had begun is not lost. */
function replace(changes) {
  parked.keepCleared();
  fresh(changes);
}

export function focusFirst() {
  (store.isEmpty() ? firstField() : buyer.firstField()).focus();
}

const firstField = () => byId("line-0-name");

/** Keys for people without a mouse; none while a press has no answer, in another tab either. */
export function shortcut(event) {
  if (byId("view-sale").hidden || form().inert || press.isOpen()) return;
  if (event.key === "F9" || (event.key === "Enter" && event.ctrlKey)) form().requestSubmit();
  else if (payment.shortcut(event.key) || goods.shortcut(event)) event.preventDefault();
  else if (event.key === "F3") parked.park(fresh);
  else if (event.key === "F2") {
    buyer.choose("nip");
    byId("nip").focus();
  } else if (event.key === "F4") byId("add-line").click();
  else return;
  event.preventDefault();
}

// --- the form -----------------------------------------------------------------------------------

function draw() {
  hush();
  form().querySelectorAll("[data-draft]").forEach((control) => { control.value = store.field(control.dataset.draft); });
  byId("simplified").checked = store.draft.simplified;
  byId("deposits-given").textContent = givenDeposits(store.draft);
  byId("deposits-given").hidden = !givenDeposits(store.draft);
  byId("more").open = holdsMore(store.draft);
  drawWayBack();
  drawLines();
  buyer.draw();
  drawQuestion();
  refresh();
}

/** Whether something stands among the fields that are folded away. */
const holdsMore = ({ receipt, buyer: { email }, note, sold_on, exemption, prices, deposits, extra, simplified }) => Boolean(
  receipt.number || email || note || sold_on || exemption || prices === "net" || deposits.charged || deposits.returned || extra.deposits || simplified,
);

function drawWayBack() {
  const address = wayBack(store.draft.back);
  byId("sale-return").hidden = !address;
  byId("sale-return").href = address || "";
}

function drawLines() {
  const changed = () => { store.save(); refresh(); };
  drawRows(byId("lines"), store.draft.lines, {
    prefix: "line", pointer: "/lines", net: store.draft.prices === "net", changed,
    more: (line, index) => annexMark(line, index, changed),
  });
}

function refresh() {
  const total = totalGrosze();
  byId("total-label").textContent = total < 0n ? "Do wypłaty klientowi" : "Do zapłaty"; // more packaging came back than was bought
  byId("total").textContent = shown(plainAmount(total < 0n ? -total : total), store.draft.currency);
  byId("lines").classList.toggle("annex", annexMatters());
  payment.draw();
  goods.drawQuickKeys();
  if (store.draft.lines.some((line) => line.vat === "zw")) byId("more").open = true;
}

function bindFields() {
  form().querySelectorAll("[data-draft]").forEach((control) => {
    control.addEventListener("input", () => {
      store.field(control.dataset.draft, control.value);
      control.removeAttribute("aria-invalid");
      byId(`${control.id}-error`)?.remove();
      refresh();
    });
  });
  byId("receipt-number").addEventListener("input", () => answerOnReceipt("")); // another receipt, another answer
  form().querySelectorAll("[name=on-receipt]").forEach((radio) => {
    radio.addEventListener("change", () => answerOnReceipt(radio.value));
  });
  byId("prices").addEventListener("change", drawLines);
  byId("simplified").addEventListener("change", ({ target }) => store.field("simplified", target.checked));
}

function bindLines() {
  byId("add-line").addEventListener("click", () => {
    store.draft.lines.push(store.emptyLine());
    store.save();
    drawLines();
    byId(`line-${store.draft.lines.length - 1}-name`).focus();
  });
}

function answerOnReceipt(answer) {
  store.field("buyer.on_receipt", answer);
  byId("on-receipt-yes").removeAttribute("aria-invalid");
  byId("on-receipt-yes-error")?.remove();
  drawQuestion();
}

/** What stands on the screen is what goes out, also where a browser filled it in without a word. */
function readScreen() {
  form().querySelectorAll("[data-draft]").forEach((control) => {
    if (control.value !== store.field(control.dataset.draft)) control.dispatchEvent(new Event("input", { bubbles: true }));
  });
  buyer.settleOwner();
}

/** Whether nobody has begun a sale. */
export const isEmpty = () => store.isEmpty();

/** Begin a sale that is known (docs/api.md); false where a press has no answer yet. */
export function take(known) {
  if (press.isOpen()) return false;
  replace(draftFrom(known));
  return true;
}

/**
 * A sale of the till's own program (base64url of its JSON) becomes the basket; never over a press without an answer.
 * False where it has to wait for that.
 */
export function hand({ sale: given, back: address }) {
  if (press.isOpen()) return false;
  try {
    const bytes = Uint8Array.from(atob(given.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    replace({ ...draftFrom(JSON.parse(new TextDecoder().decode(bytes))), back: address });
  } catch {
    complain("Nie można odczytać koszyka przekazanego przez program kasowy.");
  }
  return true;
}
