// What both correction forms share: the kinds, the right buyer, and one press that a second click never repeats.

import { post, Problem, Unreachable } from "../common/api.js";
import { buyerOf } from "../basket/body.js";
import { byId, enterMovesOn, h, whileBusy } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { clearErrors, showErrors } from "../common/errors.js";
import { lookUp, patiently } from "../buyer/lookup.js";
import { check, digits } from "../buyer/nip.js";
import { incompleteConsumer, settle, write } from "../buyer/owner.js";
import * as waiting from "../sale/waiting.js";

const SUBMIT = "Wystaw korektę";

export const KINDS = {
  return: { label: "Zwrot towaru", reason: "zwrot towaru" },
  full_return: { label: "Zwrot całości", reason: "zwrot towaru" },
  exchange: { label: "Wymiana", reason: "wymiana towaru" },
  price: { label: "Inna cena", reason: "zmiana ceny" },
  buyer: { label: "Zły nabywca", reason: "błędne dane nabywcy" },
  collective: { label: "Rabat do kilku faktur", reason: "rabat" },
};

let done = () => {};
let unanswered = () => {};

/** `done` gets the agent's answer; `unanswered` takes over a press whose outcome nobody knows. */
export function start(callbacks) {
  done = callbacks.done;
  unanswered = callbacks.unanswered;
}

/** Choose among kinds of correction; `draw` shows another one. */
export function kindChoices(kinds, chosen, draw) {
  return h("div", { class: "choices", role: "radiogroup", "aria-label": "Rodzaj korekty" }, kinds.map((value) => h("label", {},
    h("input", {
      type: "radio", name: "correction-kind", value, checked: value === chosen,
      onchange: () => { draw(value); document.querySelector("[name=correction-kind]:checked").focus(); },
    }), h("span", {}, KINDS[value].label))));
}

/** A labelled input bound to a property: what was typed survives a new drawing of the form. */
export function field(label, holder, name, attributes = {}) {
  const { class: kind = "field", oninput = () => {}, ...more } = attributes;
  return h("div", { class: kind }, h("label", { for: more.id }, label), h("input", {
    ...more, value: holder[name], oninput: (event) => { holder[name] = event.target.value; oninput(event); },
  }));
}

/** The form around the fields. `submit` gives what is to be sent: {path, body}, or null where it has told why not. */
export function correctionForm({ title, key, submit, cancel }, ...content) {
  const form = h("form", { class: "card", id: "correct-form", novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    send(key, submit);
  } },
  h("h1", { id: "correct-title", tabindex: "-1" }, title), ...content,
  h("p", { class: "note bad", id: "correct-error", role: "alert", tabindex: "-1", hidden: true }),
  h("div", { class: "row" },
    h("button", { type: "submit", class: "primary", id: "correct-submit" }, h("span", { id: "correct-submit-text" }, SUBMIT)),
    h("button", { type: "button", onclick: cancel }, "Anuluj")));
  enterMovesOn(form);
  return form;
}

export function reasonField(order, kind, pointer) {
  order.reasons ??= {};
  order.reasons[kind] ??= KINDS[kind].reason;
  return field("Przyczyna korekty", order.reasons, kind, { id: "correct-reason", "data-pointer": `${pointer}/reason` });
}

const WAYS = { cash: "Gotówka", card: "Karta", mobile: "BLIK", transfer: "Przelew" };

/** How the difference is settled: as the customer paid, where that is one way and money that was received. */
export function moneyChoice(order, payments) {
  const methods = [...new Set(payments.map(({ method }) => method))];
  order.settled ??= methods.length === 1 && methods[0] !== "transfer" && WAYS[methods[0]] ? methods[0] : "";
  return h("div", { class: "field" },
    h("span", { class: "label", id: "settled-label" }, "Pieniądze oddasz (albo pobierzesz)"),
    h("div", { class: "choices", role: "radiogroup", "aria-labelledby": "settled-label" }, Object.entries(WAYS).map(([value, label]) => (
      h("label", {}, h("input", {
        type: "radio", name: "settled", value, checked: order.settled === value, "data-pointer": "/payments",
        onchange: () => { order.settled = value; },
      }), h("span", {}, label))))));
}

/** The body's payments: one way for the whole difference, which the agent counts. */
export const paymentsOf = (order) => (order.settled ? { payments: [{ method: order.settled }] } : {});

/** The buyer as he should have been. `pointer`: where he lies in what is sent. */
export function rightBuyer(right, pointer) {
  return h("div", { class: "fields" },
    h("p", { class: "full hint" }, "Powstaną dwa dokumenty: korekta do zera i nowa faktura na właściwego nabywcę. ",
      "Osobie prywatnej zostaw pusty NIP; imię, nazwisko i adres są potrzebne."),
    field("NIP właściwego nabywcy", right, "nip", {
      id: "right-nip", inputmode: "numeric", "data-pointer": `${pointer}/nip`, oninput: () => ownerChanged(right, "right"),
    }),
    dataFields(right, "right", pointer, "Nazwa"));
}

/** Name and address of a buyer; `prefix` of the ids. */
export function dataFields(buyer, prefix, pointer, nameLabel) {
  const plain = (name, label) => field(label, buyer, name, {
    id: `${prefix}-${name}`, "data-pointer": `${pointer}/${name === "name" ? "name" : `address/${name}`}`,
    oninput: (event) => write(buyer, name, event.target.value),
  });
  return [plain("name", nameLabel), plain("line1", "Ulica i numer"), plain("line2", "Kod i miejscowość")];
}

/** The body's buyer; without a NIP a private person. */
export const rightBuyerOf = (right) => buyerOf({ ...right, kind: digits(right.nip) ? "nip" : "none" });

/** The identifier was changed: name and address go with it, and a whole NIP is looked up. */
export function ownerChanged(buyer, prefix) {
  if (!settle(buyer)) return;
  drawData(buyer, prefix);
  lookUp(() => buyer, () => drawData(buyer, prefix));
}

function drawData(buyer, prefix) {
  for (const name of ["name", "line1", "line2"]) {
    const control = byId(`${prefix}-${name}`);
    if (control && control.value !== buyer[name]) control.value = buyer[name];
  }
}

/** Mistakes of a buyer about to be sent, after his NIP was looked up (not for long). */
export async function buyerMistakes(buyer, prefix, pointer) {
  settle(buyer);
  const state = buyer.kind === "nip" ? check(buyer.nip) : "ok";
  if (state !== "ok" && state !== "empty") return [{ pointer: `${pointer}/nip`, message: "NIP nabywcy jest błędny." }];
  await patiently(() => buyer, () => drawData(buyer, prefix));
  return incompleteConsumer({ ...buyer, kind: state === "empty" ? "none" : buyer.kind }, pointer);
}

/** Say what is wrong, at the fields where there are some. */
export function refuse(words, errors = []) {
  const homeless = showErrors(byId("correct-form"), errors);
  const more = homeless.filter((text) => !words.includes(text));
  const note = byId("correct-error");
  note.textContent = errors.length && !homeless.length ? "Nie wystawiono korekty. Popraw zaznaczone pola." : [words, ...more].join(" ");
  note.hidden = false;
  if (homeless.length === errors.length) note.focus();
  return null;
}

/** One press, one key, one body; what gets no answer is asked for again with the same (also after a reload). */
async function send(key, submit) {
  if (byId("correct-submit").disabled) return;
  clearErrors(byId("correct-form"));
  byId("correct-error").hidden = true;
  await whileBusy(byId("correct-submit"), async () => {
    const given = await submit();
    if (!given) return;
    if (store.pending()) {
      refuse("Poprzednia operacja nie ma jeszcze odpowiedzi: dokończ ją w zakładce „Sprzedaż”.");
      return;
    }
    const order = { key, path: given.path, body: JSON.stringify(given.body) };
    store.setPending(order);
    waiting.begin("correct-submit-text");
    try {
      const made = await post(order.path, order);
      store.clearPending();
      done(made);
    } catch (error) {
      if (error instanceof Problem) {
        store.clearPending();
        refuse(error.message, error.errors);
      } else if (error instanceof Unreachable) unanswered(error);
      else throw error;
    } finally {
      waiting.end();
      if (byId("correct-submit-text")) byId("correct-submit-text").textContent = SUBMIT;
    }
  });
}
