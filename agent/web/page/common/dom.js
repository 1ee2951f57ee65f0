// Building and finding elements. Text from outside only ever becomes text, never markup.

export const byId = (id) => document.getElementById(id);

/** Make an element: attributes by name, `on…` as listeners, null and false left out; children are nodes or text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A name and what belongs to it, for a list of facts (dl). */
export const fact = (name, value, kind = null) => h("div", {}, h("dt", {}, name), h("dd", { class: kind }, value));

/** The dialog that is open; its keys are its own, and nothing behind it takes the focus. */
export const opened = () => document.querySelector("dialog[open]");

/** Open a dialog, once; `content` gets what closes it. */
export function openDialog(id, title, content) {
  if (byId(id)) return;
  const dialog = h("dialog", { id, class: "card", "aria-labelledby": `${id}-title`, onclose: () => dialog.remove() },
    h("h1", { id: `${id}-title` }, title), ...content(() => dialog.close()));
  document.body.append(dialog);
  dialog.showModal();
}

/** Let the browser save a file. */
export function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Write into a live region: it speaks on every change of text, so only real changes are written. */
export function putText(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

/** Say something to screen readers without moving the focus. */
export function say(text) {
  byId("said").textContent = "";
  requestAnimationFrame(() => { byId("said").textContent = text; });
}

/**
 * Enter goes to the next field, as at any till: a scanner ends what it types with Enter and must never issue anything.
 * `shortcut` may name another element to go to; fields marked data-aside are passed over.
 */
export function enterMovesOn(form, shortcut = () => null) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || !event.target.matches("input, select")) return;
    event.preventDefault();
    const controls = [...form.elements].filter((control) => control.matches("input, select, [type=submit]"));
    const next = controls.slice(controls.indexOf(event.target) + 1)
      .find((control) => control.type !== "radio" && !("aside" in control.dataset) && !control.disabled && control.checkVisibility({ visibilityProperty: true }));
    (shortcut(event.target) || next)?.focus();
  });
}

/** What stands in a field is selected when the field is entered, by key or by click: who types replaces it. */
export function selectsWhatItEnters(root) {
  const TEXT = "input:not([type=radio]):not([type=checkbox]):not([type=date])";
  let entered = null;
  root.addEventListener("focusin", ({ target }) => {
    if (!target.matches(TEXT)) return;
    target.select();
    entered = target;
  });
  root.addEventListener("mouseup", (event) => { // the click that entered it would put the caret somewhere
    if (event.target === entered && entered.selectionStart === entered.selectionEnd) entered.select();
    entered = null;
  });
  root.addEventListener("keydown", () => { entered = null; });
}

/** Disable a button while `work` runs; a second click meanwhile does nothing. */
export async function whileBusy(button, work) {
  if (button.disabled) return;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
