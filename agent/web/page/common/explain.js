// What went wrong with the sale, over the button and at the fields.

import { byId, say } from "./dom.js";
import { clearErrors, showErrors } from "./errors.js";

const form = () => byId("sale-form");
const note = () => byId("sale-error");

export function complain(words) {
  note().textContent = words;
  note().hidden = false;
  say(words);
}

/** A refusal of the agent, after `lead`: each reason once, at its field where there is one. */
export function explain(problem, lead) {
  const homeless = showErrors(form(), problem.errors);
  note().textContent = problem.errors.length && !homeless.length ? `${lead} Popraw zaznaczone pola.` :
    [lead, problem.message, ...homeless.filter((text) => !problem.message.includes(text))].join(" ");
  note().hidden = false;
  if (!problem.errors.length) note().focus();
}

/** Before the next try. */
export function hush() {
  clearErrors(form());
  note().hidden = true;
}
