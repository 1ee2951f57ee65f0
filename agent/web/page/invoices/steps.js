// Steps about the invoice on the screen: one press each, with the reason where a manager owes one.

import { Problem, Unreachable } from "../common/api.js";
import { byId, h, whileBusy } from "../common/dom.js";

/** Ask for the reason that a manager's step needs; `act` gets it. */
export function askReason(words, act) {
  byId("reason-place").replaceChildren(h("form", { id: "reason-form", class: "note warn", onsubmit: (event) => {
    event.preventDefault();
    const reason = byId("case-reason").value.trim();
    byId("case-reason").focus();
    if (!reason) return;
    byId("reason-place").replaceChildren();
    act(reason);
  } },
  h("label", { for: "case-reason" }, words),
  h("input", { id: "case-reason", required: true }),
  h("div", { class: "row" },
    h("button", { type: "submit", class: "primary" }, "Zamknij sprawę"),
    h("button", { type: "button", onclick: () => byId("reason-place").replaceChildren() }, "Anuluj"))));
  byId("case-reason").focus();
}

/** Do it while the button is busy; why it does not work is said over the buttons. */
export async function guarded(button, work) {
  await whileBusy(button, async () => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      const note = byId("invoice-error");
      note.textContent = error.message;
      note.hidden = false;
    }
  });
}
