// A correction that waits for its base, or that can never be issued: what to hand over, or whom to call.

import { get, post } from "../common/api.js";
import { byId, h } from "../common/dom.js";
import { factList, headline, replacementNote } from "./invoice_parts.js";
import { shown } from "../common/money.js";
import { askReason, guarded } from "./steps.js";
import { momentShown } from "../common/words.js";

let heldNow = null; // {held, replacement, replacement_earlier}
let actions = {}; // those of the invoice's view

/** Show it, in the place of an invoice. */
export function show(made, callbacks) {
  actions = callbacks;
  heldNow = made;
  drawHeld();
  byId("invoice-headline").focus();
}

function drawHeld() {
  const { held } = heldNow;
  const waits = held.state === "waiting";
  byId("view-invoice").replaceChildren(
    h("div", { class: "answer", "data-mood": waits ? "warn" : "bad" },
      h("p", { class: "answer-kind" }, waits ? "Korekta czeka" : held.state === "issued" ? "Korekta wystawiona" : "Korekta niemożliwa"),
      headline(held.hand_over),
      held.problem && !held.hand_over.includes(held.problem) ? h("p", { class: "note bad" }, held.problem) : null,
      replacementNote(heldNow, actions.open),
      h("p", { class: "note bad", id: "invoice-error", role: "alert", hidden: true }),
      h("div", { class: "row" },
        h("button", { type: "button", class: "primary", id: "next-sale", onclick: () => actions.next() }, "Nowa sprzedaż ", h("kbd", {}, "Esc")),
        waits ? h("button", { type: "button", id: "reprint", onclick: (event) => heldStep(event.currentTarget, "reprint") },
          "Drukuj potwierdzenie ponownie") : null,
        held.to_settle && actions.isManager() ? h("button", { type: "button", id: "settle", onclick: () => askReason(
          "Co zrobiono dla klienta? Tego nie da się cofnąć.",
          (reason) => heldStep(byId("settle"), "close", { body: JSON.stringify({ reason }), ...actions.managerOptions() }),
        ) }, "Zamknij sprawę") : null,
        held.invoice_id ? h("button", { type: "button", onclick: () => actions.open(held.invoice_id) }, "Pokaż korektę") : null,
        h("button", { type: "button", onclick: () => actions.open(held.base_id) }, "Pokaż fakturę korygowaną")),
      h("div", { id: "reason-place" }),
      factList([
        ["Do faktury", held.base_number],
        ["Różnica", shown(held.gross, held.currency)],
        ["Do rozliczenia z klientem", held.due === held.gross ? "" : shown(held.due, held.currency)],
        ["Przyjęto", momentShown(held.created_at)],
      ])));
}

async function heldStep(button, step, options) {
  await guarded(button, async () => {
    const held = await post(`/v1/corrections/${encodeURIComponent(heldNow.held.id)}/${step}`, options);
    if (heldNow?.held.id !== held.id) return;
    heldNow = { ...heldNow, held };
    drawHeld();
    byId("invoice-headline").focus();
  });
}

/** Whether one is on the screen. */
export const isShown = () => heldNow !== null;

/** An invoice takes its place. */
export function leave() {
  heldNow = null;
}

/** Something changed in the agent: it may have been issued. */
export async function refresh() {
  const shownNow = heldNow;
  const held = await get(`/v1/corrections/${encodeURIComponent(shownNow.held.id)}`);
  if (heldNow !== shownNow || JSON.stringify(held) === JSON.stringify(shownNow.held)) return;
  heldNow = { ...shownNow, held };
  const focused = document.activeElement?.id;
  drawHeld();
  (byId(focused) || byId("invoice-headline")).focus();
}
