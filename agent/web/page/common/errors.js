// Refusals beside the fields they are about.

import { byId, h } from "./dom.js";

export function clearErrors(form) {
  form.querySelectorAll("[aria-invalid]").forEach((control) => {
    control.removeAttribute("aria-invalid");
    describe(control, `${control.id}-error`, false);
  });
  form.querySelectorAll(".field-error.added").forEach((note) => note.remove());
  form.querySelectorAll(".field-error:not(.added)").forEach((note) => { note.textContent = ""; });
}

/** Name (or no longer name) an element that describes a control, beside those that do already. */
function describe(control, id, on) {
  const others = (control.getAttribute("aria-describedby") || "").split(" ").filter((each) => each && each !== id);
  const all = on ? [...others, id] : others;
  if (all.length) control.setAttribute("aria-describedby", all.join(" "));
  else control.removeAttribute("aria-describedby");
}

/** Put each message at its field; return those that belong to no field of the form. Focus goes to the topmost mistake. */
export function showErrors(form, errors) {
  const homeless = [];
  const marked = [];
  for (const error of errors) {
    const target = nearest(form, error.pointer);
    if (!target) {
      homeless.push(error.message);
      continue;
    }
    marked.push(target);
    target.closest("details")?.setAttribute("open", "");
    if (target.matches("input, select")) {
      const id = `${target.id}-error`;
      target.setAttribute("aria-invalid", "true");
      describe(target, id, true);
      byId(id)?.remove();
      (target.closest(".line") || target.closest(".field") || target.parentElement).append(h("p", { class: "field-error added", id }, words(error)));
    } else {
      target.textContent = words(error);
    }
  }
  const [first] = marked.sort((one, other) => (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  first?.focus({ preventScroll: true });
  first?.scrollIntoView({ block: "center" });
  return homeless;
}

const PLACE = /^(?:(?:pozycja|wiersz|faktura|stawka|uwaga|płatność) \d+(?: korekty)?|nabywca|faktura korygowana): /;
const LAW = / \(art\. [^)]*\)/g; // belongs on the paper and into the log
const LABEL = /^[\p{L}\d ,]{3,30}: /u;

/** The agent names place and field, for programs; here the sentence stands beside it. */
function words({ code, message }) {
  if (code === "required") return "Uzupełnij to pole.";
  if (code === "not-a-number") return "Wpisz liczbę, np. 12,50.";
  const own = message.replace(PLACE, "").replace(LABEL, "").replace(LAW, "").replace(/(\d)\.(\d\d)(?!\d)/g, "$1,$2");
  return own.charAt(0).toUpperCase() + own.slice(1);
}

/** The field of a pointer, or the first field inside what it names; else of what is around it. */
function nearest(form, pointer) {
  const shown = (selector) => [...form.querySelectorAll(selector)].find((item) => !item.closest("[hidden]"));
  for (let path = pointer; path; path = path.slice(0, path.lastIndexOf("/"))) {
    const found = shown(`[data-pointer="${CSS.escape(path)}"]`) || shown(`[data-pointer^="${CSS.escape(`${path}/`)}"]`);
    if (found) return found;
  }
  return null;
}
