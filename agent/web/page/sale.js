// The sale: basket, buyer, payment, and the one big button.

import { post, Problem, Unreachable } from "./api.js";
import { annexMark, annexMatters, draftFrom, drawRows, saleOf, SAMPLE, splitRest, totalGrosze } from "./basket.js";
import * as buyer from "./buyer.js";
import { byId, enterMovesOn, say } from "./dom.js";
import * as store from "./draft.js";
import { clearErrors, showErrors } from "./errors.js";
import { plainAmount, shown } from "./money.js";
import { check } from "./nip.js";
import { drawQuestion, receiptMistakes } from "./receipt.js";
import * as scan from "./scan.js";

const METHODS = { cash: "gotówka", card: "karta", mobile: "BLIK", transfer: "przelew", voucher: "bon", cheque: "czek", credit: "kredyt" };

let onAnswer = () => {};
let onAbandon = () => {};
let pressing = false;

const form = () => byId("sale-form");

export function start({ answered, sampleBasket, abandoned }) {
  onAnswer = answered;
  onAbandon = abandoned;
  bindFields();
  bindLines();
  buyer.start();
  scan.start({
    listens: () => form().offsetParent !== null && !form().inert,
    asksNip: () => store.draft.buyer.kind === "nip",
    take: buyer.takeNip,
  });
  enterMovesOn(form(), (field) => (field.id === "nip" && check(field.value) === "ok" ? byId("press") : null));
  byId("sample-button").hidden = !sampleBasket;
  byId("sample-button").addEventListener("click", () => { fresh({ lines: structuredClone(SAMPLE) }); byId("nip").focus(); });
  byId("clear-button").addEventListener("click", () => { fresh(); firstField().focus(); });
  form().addEventListener("submit", (event) => { event.preventDefault(); press(); });
  byId("retry").addEventListener("click", () => deliver(store.pending()));
  byId("abandon").addEventListener("click", abandon);
  if (sampleBasket && store.isEmpty() && !store.pending()) store.renew({ lines: structuredClone(SAMPLE) });
  draw();
  if (store.pending()) unanswered("Strona została przeładowana, zanim przyszła odpowiedź.");
}

/** Give a press up whose outcome nobody knows. */
function abandon() {
  if (store.pending()?.path === "/v1/invoices") fresh();
  store.clearPending();
  byId("unanswered").hidden = true;
  form().hidden = false;
  onAbandon();
}

/** Begin a new basket, with a new key. */
export function fresh(changes = {}) {
  store.renew(changes);
  draw();
}

export function focusFirst() {
  (store.isEmpty() ? firstField() : buyer.firstField()).focus();
}

const firstField = () => byId("line-0-name");

/** Keys for people without a mouse. */
export function shortcut(event) {
  if (byId("view-sale").hidden || form().inert) return;
  if (event.key === "F9" || (event.key === "Enter" && event.ctrlKey)) form().requestSubmit();
  else if (event.key === "F2") {
    buyer.choose("nip");
    byId("nip").focus();
  } else if (event.key === "F4") byId("add-line").click();
  else return;
  event.preventDefault();
}

// --- the form -----------------------------------------------------------------------------------

function draw() {
  clearErrors(form());
  byId("sale-error").hidden = true;
  form().querySelectorAll("[data-draft]").forEach((control) => { control.value = store.field(control.dataset.draft); });
  form().querySelectorAll("[name=pay]").forEach((radio) => { radio.checked = radio.value === store.draft.pay; });
  byId("more").open = Boolean(store.draft.receipt.number || store.draft.note || store.draft.sold_on || store.draft.exemption
    || store.draft.prices === "net");
  drawLines();
  buyer.draw();
  drawQuestion();
  refresh();
}

function drawLines() {
  const changed = () => { store.save(); refresh(); };
  drawRows(byId("lines"), store.draft.lines, {
    prefix: "line", pointer: "/lines", net: store.draft.prices === "net", changed,
    more: (line, index) => annexMark(line, index, changed),
  });
}

function refresh() {
  const { currency, pay, payments } = store.draft;
  byId("total").textContent = shown(plainAmount(totalGrosze()), currency);
  byId("lines").classList.toggle("annex", annexMatters());
  byId("split").hidden = pay !== "split";
  const rest = splitRest();
  byId("split-rest").textContent = rest === 0n ? "Podział się zgadza."
    : rest > 0n ? `Do podziału zostało: ${shown(plainAmount(rest), currency)}`
      : `Podzielono za dużo o ${shown(plainAmount(-rest), currency)}`;
  byId("pay-given").hidden = pay !== "given";
  byId("pay-given").textContent = pay === "given"
    ? `Z programu kasowego: ${payments.map((item) => `${METHODS[item.method] || item.method} ${shown(item.amount, currency)}`).join(", ")}`
    : "";
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
  form().querySelectorAll("[name=pay]").forEach((radio) => {
    radio.addEventListener("change", () => { store.field("pay", radio.value); refresh(); });
  });
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

// --- the press ----------------------------------------------------------------------------------

/** One basket, one key, one body: a second click, a reload and a retry all ask for the same invoice. */
async function press() {
  if (pressing || store.pending()) return;
  clearErrors(form());
  byId("sale-error").hidden = true;
  readScreen();
  if (scan.rescue(buyer.takeNip)) {
    complain("W polu na nazwę lub adres był NIP. Sprawdź nabywcę i naciśnij „Faktura” jeszcze raz.");
    return;
  }
  const basket = store.isBare() ? [{ pointer: "/lines/0/name", message: "Koszyk jest pusty: wpisz, co sprzedajesz." }] : [];
  if (refuse([...basket, ...buyer.identifierMistakes()])) return;
  if (buyer.isLookedFor()) await lookedUp();
  if (refuse([...buyer.dataMistakes(), ...receiptMistakes()])) return;
  if (store.dropEmptyLines()) drawLines();
  const order = { key: store.draft.key, body: JSON.stringify(saleOf()), path: "/v1/invoices" };
  store.setPending(order);
  deliver(order);
}

/** Say what is missing; true where something is. */
function refuse(mistakes) {
  showErrors(form(), mistakes);
  return mistakes.length > 0;
}

/** Whoever types only a NIP and presses at once waits for the name, but not long; then the cashier is asked. */
async function lookedUp() {
  pressing = true;
  working(true, "Sprawdzam nabywcę…");
  await buyer.wait();
  working(false);
  pressing = false;
}

function complain(words) {
  byId("sale-error").textContent = words;
  byId("sale-error").hidden = false;
  say(words);
}

async function deliver(order) {
  if (pressing) return;
  pressing = true;
  working(true);
  const settle = await outcome(order);
  pressing = false;
  working(false); // before settling: an inert form takes no focus
  settle();
}

/** Send, and return what there is to show. */
async function outcome(order) {
  try {
    const made = await post(order.path, order);
    return () => answered(made, order);
  } catch (error) {
    if (error instanceof Problem) return () => (order.path === "/v1/invoices" ? refused(error) : correctionRefused(error));
    if (error instanceof Unreachable) return () => unanswered(error.message, error.refusedForNow);
    throw error;
  }
}

function answered(made, order) {
  store.clearPending();
  if (order.path === "/v1/invoices") fresh();
  byId("unanswered").hidden = true;
  form().hidden = false;
  onAnswer(made);
}

/** Nothing was made: the correction is begun anew from its invoice. */
function correctionRefused(problem) {
  store.clearPending();
  byId("unanswered").hidden = true;
  form().hidden = false;
  byId("sale-error").textContent = `Nie wystawiono korekty. ${problem.message}`;
  byId("sale-error").hidden = false;
  byId("sale-error").focus();
}

function refused(problem) {
  store.clearPending();
  byId("unanswered").hidden = true;
  form().hidden = false;
  const homeless = showErrors(form(), problem.errors);
  const note = byId("sale-error");
  note.textContent = problem.errors.length && !homeless.length ? "Nie wystawiono faktury. Popraw zaznaczone pola." :
    ["Nie wystawiono faktury.", problem.message, ...homeless.filter((text) => !problem.message.includes(text))].join(" ");
  note.hidden = false;
  if (!problem.errors.length) note.focus();
}

/** Ask to send the same again; also for a correction, whose form hands its press over. */
export function unanswered(why, refusedForNow = false) {
  byId("unanswered-title").textContent = refusedForNow ? "Nie można teraz wystawić dokumentu" : "Brak odpowiedzi programu";
  form().hidden = true;
  byId("unanswered").hidden = false;
  byId("unanswered-text").textContent = why;
  byId("retry").focus();
}

function working(on, words = "Wystawiam…") {
  byId("press").disabled = on;
  byId("retry").disabled = on;
  byId("press-text").textContent = on ? words : "Faktura";
  form().inert = on;
  if (on) say(words);
}

/**
 * A sale of the till's own program (base64url of its JSON) becomes the basket; never over a press without an answer.
 * False where it has to wait for that.
 */
export function hand(given) {
  if (pressing || store.pending()) return false;
  try {
    const bytes = Uint8Array.from(atob(given.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    fresh(draftFrom(JSON.parse(new TextDecoder().decode(bytes))));
  } catch {
    complain("Nie można odczytać koszyka przekazanego przez program kasowy.");
  }
  return true;
}
