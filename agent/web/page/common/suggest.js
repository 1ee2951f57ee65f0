// A list under a text field while somebody types: arrows and Enter choose, Escape closes, a finger taps (ARIA combobox).

import { h } from "./dom.js";

const PAUSE = 150; // milliseconds after a key until what answers slowly is asked

let list = null;
let field = null;
let items = [];
let active = -1;
let newest = 0; // of the questions; an older one's answer is dropped
let timer = 0;

/**
 * Suggest in the fields that match `selector` inside `root`.
 *
 * find  called with text and field; returns, or promises, [{label, detail, take()}]
 * slow  whether `find` asks the agent
 */
export function suggest(root, selector, find, { slow = false } = {}) {
  root.addEventListener("input", ({ target, isTrusted, inputType }) => {
    if (!target.matches(selector)) return;
    clearTimeout(timer);
    if (!(isTrusted || inputType)) { // a program filled it in
      close();
      return;
    }
    newest += 1;
    const mine = newest;
    const ask = async () => {
      const found = target.value.trim() ? await find(target.value.trim(), target) : [];
      if (mine === newest && document.activeElement === target) show(target, found);
    };
    if (slow) timer = setTimeout(ask, PAUSE);
    else ask();
  });
  root.addEventListener("keydown", onKey, true);
  root.addEventListener("focusout", close);
}

function onKey(event) {
  if (!list || event.target !== field || event.ctrlKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) mark((active + step + items.length + 1) % (items.length + 1));
  else if (event.key === "Enter" && active >= 0 && active < items.length) take(items[active]);
  else if (event.key === "Escape") close();
  else {
    if (event.key === "Enter") close();
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function show(target, found) {
  close();
  if (!found.length) return;
  field = target;
  items = found;
  list = h("ul", { class: "suggestions", role: "listbox", id: "suggestions", "aria-label": "Podpowiedzi" }, found.map((item, index) => h("li", {
    role: "option", id: `suggestion-${index}`, "aria-selected": "false",
    onpointerdown: (event) => event.preventDefault(), // the focus stays in the field
    onmousedown: (event) => event.preventDefault(),
    onclick: () => take(item),
  }, h("span", {}, item.label), h("span", { class: "detail" }, item.detail))));
  (field.closest(".line") || field.parentElement).append(list); // under the line: its price stays in reach
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "true"], ["aria-controls", "suggestions"], ["aria-autocomplete", "list"]]) {
    field.setAttribute(name, value);
  }
  list.scrollIntoView({ block: "nearest" });
}

/** The place after the last is the field itself: nothing chosen. */
function mark(index) {
  active = index;
  [...list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
  if (index < items.length) field.setAttribute("aria-activedescendant", `suggestion-${index}`);
  else field.removeAttribute("aria-activedescendant");
  list.children[index]?.scrollIntoView({ block: "nearest" });
}

function take(item) {
  close();
  item.take();
}

function close() {
  newest += 1;
  list?.remove();
  field?.setAttribute("aria-expanded", "false");
  field?.removeAttribute("aria-activedescendant");
  list = null;
  active = -1;
}
