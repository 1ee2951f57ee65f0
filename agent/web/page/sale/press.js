// The press: one basket, one key, one body. A second click, a reload, a dead browser and a retry all ask for the same invoice.

import { post, Problem, Unreachable } from "../common/api.js";
import { saleOf } from "../basket/body.js";
import * as buyer from "../buyer/buyer.js";
import { depositMistakes } from "../basket/deposits.js";
import { byId, say } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { showErrors } from "../common/errors.js";
import { complain, explain, hush } from "../common/explain.js";
import * as known from "../buyer/known.js";
import { forgetCleared } from "../basket/parked.js";
import * as payment from "./payment.js";
import { remember } from "../basket/products.js";
import { receiptMistakes } from "../basket/receipt.js";
import * as scan from "../input/scan.js";
import { signal } from "../common/sounds.js";
import * as waiting from "./waiting.js";

let page = {}; // what the sale's form does for a press
let pressing = false;
let missed = 0; // codes that were scanned meanwhile

const form = () => byId("sale-form");

/**
 * fresh       begin a new basket
 * readScreen  take what stands in the fields
 * draw        draw the whole form
 * drawLines   draw the lines anew
 * answered    show what was made
 * abandoned   show the list of invoices
 */
export function start(callbacks) {
  page = callbacks;
  form().addEventListener("submit", (event) => { event.preventDefault(); press(); });
  byId("retry").addEventListener("click", () => deliver(store.pending()));
  byId("abandon").addEventListener("click", abandon);
  store.follow({
    changed: page.draw,
    pressed: (open) => (open ? unanswered("Na odpowiedź czeka inna karta przeglądarki na tej kasie.") : showForm(true)),
  });
}

/** Whether a press is on its way, or nobody knows what became of one. */
export const isOpen = () => pressing || Boolean(store.pending());

/** The bar with the button stands under the form, and nowhere else. */
export function drawBar() {
  byId("pay-bar").hidden = byId("view-sale").hidden || form().hidden;
}

function showForm(on) {
  byId("unanswered").hidden = on;
  form().hidden = !on;
  drawBar();
}

/** Give a press up whose outcome nobody knows. */
function abandon() {
  if (isOfScreen(store.pending())) page.fresh();
  store.clearPending();
  showForm(true);
  page.abandoned();
}

/** A code that is scanned while a press has no answer goes into no basket: said at once, and again with the answer. */
export function missScan() {
  missed += 1;
  signal("refused");
  if (!byId("pay-bar").hidden) complain("Czekam na odpowiedź i nie przyjęto kodu. Zeskanuj go jeszcze raz po wystawieniu.");
}

async function press() {
  if (pressing || store.pending()) return;
  hush();
  page.readScreen();
  if (scan.rescue(buyer.takeNip)) {
    complain("W polu na nazwę lub adres był NIP. Sprawdź nabywcę i naciśnij „Faktura” jeszcze raz.");
    return;
  }
  const basket = store.isBare() ? [{ pointer: "/lines/0/name", message: "Koszyk jest pusty: wpisz, co sprzedajesz." }] : [];
  if (refuse([...basket, ...buyer.identifierMistakes()])) return;
  if (buyer.isLookedFor()) await lookedUp();
  if (refuse([...buyer.dataMistakes(), ...receiptMistakes(), ...depositMistakes(store.draft), ...payment.mistakes()])) return;
  if (store.dropEmptyLines()) page.drawLines();
  const order = { key: store.draft.key, body: JSON.stringify(saleOf()), path: "/v1/invoices", back: store.draft.back };
  store.setPending(order);
  missed = 0;
  deliver(order);
}

/** Say what is missing; true where something is. */
function refuse(mistakes) {
  showErrors(form(), mistakes);
  if (mistakes.length) signal("refused");
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

/** Whether a press is of the basket on the screen: another one that has come there is neither sold nor cleared. */
const isOfScreen = (order) => order?.path === "/v1/invoices" && order.key === store.draft.key;

function answered(made, order) {
  let change = "";
  if (isOfScreen(order)) {
    if (isRefused(made)) store.rekey(); // the basket stays: mended, it is another sale
    else {
      remember(store.draft);
      known.remember(store.draft);
      change = payment.change();
      forgetCleared();
      page.fresh(); // first: a browser that dies in between must not show it as unsold
    }
  }
  store.clearPending();
  showForm(true);
  hush();
  page.answered({ ...made, change, back: order.back, missed });
}

/** KSeF refused it while the customer waited: there is no paper, and no sale yet. */
export const isRefused = (made) => made.state === "rejected" && !made.paper;

/** Nothing was made: the correction is begun anew from its invoice. */
function correctionRefused(problem) {
  store.clearPending();
  showForm(true);
  byId("sale-error").textContent = `Nie wystawiono korekty. ${problem.message}`;
  byId("sale-error").hidden = false;
  byId("sale-error").focus();
}

function refused(problem) {
  signal("refused");
  store.clearPending();
  showForm(true);
  if (problem.code === "idempotency-key-reused") store.rekey(); // an older page parked the basket that it had sent
  explain(problem, "Nie wystawiono faktury.");
}

/** Ask to send the same again; also for a correction, whose form hands its press over. */
export function unanswered(why, refusedForNow = false) {
  byId("unanswered-title").textContent = refusedForNow ? "Nie można teraz wystawić dokumentu" : "Brak odpowiedzi programu";
  showForm(false);
  byId("unanswered-text").textContent = why;
  byId("retry").focus();
}

function working(on, words = "") {
  byId("press").disabled = on;
  byId("retry").disabled = on;
  form().inert = on;
  if (on) waiting.begin("press-text", words);
  else waiting.end();
  if (!on) byId("press-text").textContent = "Faktura";
}
