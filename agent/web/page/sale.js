// The sale: basket, buyer, payment, and the one big button.

import { get, post, Problem, Unreachable } from "./api.js";
import { annexMark, annexMatters, draftFrom, drawRows, saleOf, SAMPLE, splitRest, totalGrosze } from "./basket.js";
import { byId, enterMovesOn, say } from "./dom.js";
import * as store from "./draft.js";
import { clearErrors, showErrors } from "./errors.js";
import { plainAmount, shown } from "./money.js";
import { check, digits } from "./nip.js";

const NIP_HINTS = {
  empty: ["", ""],
  short: ["NIP ma 10 cyfr", ""],
  letters: ["NIP składa się z samych cyfr", "bad"],
  wrong: ["Błędny NIP: cyfra kontrolna się nie zgadza", "bad"],
  ok: ["NIP poprawny", "good"],
};

const METHODS = { cash: "gotówka", card: "karta", mobile: "BLIK", transfer: "przelew", voucher: "bon", cheque: "czek", credit: "kredyt" };

let onAnswer = () => {};
let onAbandon = () => {};
let pressing = false;
let lookup = null;
let lookedUp = Promise.resolve();

const form = () => byId("sale-form");

export function start({ answered, sampleBasket, abandoned }) {
  onAnswer = answered;
  onAbandon = abandoned;
  bindFields();
  bindLines();
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
  (store.isEmpty() ? firstField() : byId("nip")).focus();
}

const firstField = () => byId("line-0-name");

/** Keys for people without a mouse. */
export function shortcut(event) {
  if (byId("view-sale").hidden) return;
  if (event.key === "F9" || (event.key === "Enter" && event.ctrlKey)) form().requestSubmit();
  else if (event.key === "F2") chooseKind("nip", true);
  else if (event.key === "F4") byId("add-line").click();
  else return;
  event.preventDefault();
}

// --- the form -----------------------------------------------------------------------------------

function draw() {
  lookup = null;
  clearErrors(form());
  byId("sale-error").hidden = true;
  form().querySelectorAll("[data-draft]").forEach((control) => { control.value = store.field(control.dataset.draft); });
  form().querySelectorAll("[name=buyer-kind]").forEach((radio) => { radio.checked = radio.value === store.draft.buyer.kind; });
  form().querySelectorAll("[name=pay]").forEach((radio) => { radio.checked = radio.value === store.draft.pay; });
  byId("more").open = Boolean(store.draft.receipt.number || store.draft.note || store.draft.sold_on || store.draft.exemption
    || store.draft.prices === "net");
  drawLines();
  drawKind();
  drawNip();
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
  byId("prices").addEventListener("change", drawLines);
  byId("nip").addEventListener("input", () => { drawNip(); lookUp(); });
  form().querySelectorAll("[name=buyer-kind]").forEach((radio) => {
    radio.addEventListener("change", () => chooseKind(radio.value, false));
  });
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

function chooseKind(kind, focus) {
  store.field("buyer.kind", kind);
  form().querySelectorAll("[name=buyer-kind]").forEach((radio) => { radio.checked = radio.value === kind; });
  drawKind();
  if (focus) byId("nip").focus();
}

function drawKind() {
  const kind = store.draft.buyer.kind;
  form().querySelectorAll("[data-for]").forEach((field) => { field.hidden = !field.dataset.for.split(" ").includes(kind); });
  byId("buyer-name-label").textContent = kind === "none" ? "Imię i nazwisko (może być puste)" : "Nazwa";
}

// --- the buyer ----------------------------------------------------------------------------------

function drawNip() {
  const [words, mood] = NIP_HINTS[check(byId("nip").value)];
  byId("nip-hint").textContent = words;
  byId("nip-hint").dataset.mood = mood;
}

/** Ask who a NIP belongs to, once per NIP. */
function lookUp() {
  const nip = digits(byId("nip").value);
  if (check(nip) !== "ok" || lookup === nip) return;
  lookup = nip;
  lookedUp = fillIn(nip);
}

/** Fill in the buyer's name and address; whatever happens, the cashier can go on typing and pressing. */
async function fillIn(nip) {
  try {
    const found = await get(`/v1/buyers/${nip}`, { timeout: 8000 });
    if (digits(byId("nip").value) !== nip || store.pending()) return;
    fill("name", found.name);
    fill("line1", found.address?.line1);
    fill("line2", found.address?.line2);
    byId("nip-hint").textContent = "NIP poprawny, nabywca znany";
  } catch (error) {
    lookup = null;
    if (error instanceof Problem && digits(byId("nip").value) === nip) {
      byId("nip-hint").textContent = "NIP poprawny. Wpisz nazwę i adres nabywcy.";
    }
  }
}

function fill(name, value) {
  const control = form().querySelector(`[data-draft="buyer.${name}"]`);
  if (control === document.activeElement) return;
  control.value = value || "";
  store.field(`buyer.${name}`, control.value);
}

// --- the press ----------------------------------------------------------------------------------

/** One basket, one key, one body: a second click, a reload and a retry all ask for the same invoice. */
async function press() {
  if (pressing || store.pending()) return;
  clearErrors(form());
  byId("sale-error").hidden = true;
  const missing = [];
  if (store.isBare()) missing.push({ pointer: "/lines/0/name", message: "Koszyk jest pusty: wpisz, co sprzedajesz." });
  const nip = store.draft.buyer.kind === "nip" ? check(byId("nip").value) : "ok";
  if (nip !== "ok") {
    missing.push({ pointer: "/buyer/nip", message: nip === "empty" ? "Wpisz NIP albo wybierz „Osoba”." : "Popraw NIP albo wybierz „Osoba”." });
  }
  if (missing.length) {
    showErrors(form(), missing);
    return;
  }
  if (store.draft.buyer.kind === "nip" && !store.field("buyer.name")) await buyerKnown();
  if (store.dropEmptyLines()) drawLines();
  const order = { key: store.draft.key, body: JSON.stringify(saleOf()), path: "/v1/invoices" };
  store.setPending(order);
  deliver(order);
}

/** Whoever types only a NIP and presses at once waits for the name, not for an error. */
async function buyerKnown() {
  pressing = true;
  working(true);
  await lookedUp;
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

function working(on) {
  byId("press").disabled = on;
  byId("retry").disabled = on;
  byId("press-text").textContent = on ? "Wystawiam…" : "Faktura";
  form().inert = on;
  if (on) say("Wystawiam fakturę");
}

/** A sale of the till's own program (base64url of its JSON) becomes the basket; never over a press without an answer. */
export function hand(given) {
  if (store.pending()) return;
  try {
    const bytes = Uint8Array.from(atob(given.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    fresh(draftFrom(JSON.parse(new TextDecoder().decode(bytes))));
  } catch {
    byId("sale-error").textContent = "Nie można odczytać koszyka przekazanego przez program kasowy.";
    byId("sale-error").hidden = false;
  }
}
