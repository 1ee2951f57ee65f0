// A keyboard and a number pad on the screen, for tills without keys. It stands above the bar with "Faktura", in the page's
// flow: the form gets less room, and nothing is covered.

import { byId, h } from "../common/dom.js";

const KEY = "ksef-agent.keyboard"; // this browser's switch; "" follows the till's setting
const TEXT = "input:not([type=radio]):not([type=checkbox]):not([type=date]), textarea";
const LETTERS = ["qwertyuiop", "asdfghjkl-", "zxcvbnm,./"];
const POLISH = ["ąćę", "łńó", "śźż"];
const DIGITS = ["789", "456", "123"];
const SIGNS = ["@", "&", "„", "”", "(", ")", "+", ":"];

let setting = false; // page.screen_keyboard
let field = null; // where the keys go
let inView = null; // the field that was scrolled to
let shift = false;
let fingerDown = false; // nothing moves between a press and its click

const isOn = () => ({ on: true, off: false }[localStorage.getItem(KEY)] ?? setting);
const dock = () => byId("keyboard");
const isNumber = () => ["numeric", "decimal"].includes(field.dataset.keys);

/** Draw the keys, and follow the focus. */
export function start() {
  byId("keyboard-switch").addEventListener("click", () => turn(!isOn()));
  document.addEventListener("focusin", follow);
  document.addEventListener("click", openCalendar);
  document.addEventListener("focusout", later);
  document.addEventListener("pointerdown", () => { fingerDown = true; }, true);
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => { fingerDown = false; later(); }, true);
  }
  dock().addEventListener("pointerdown", (event) => { event.preventDefault(); act(event.target.closest("button")); });
  dock().addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
  dock().addEventListener("click", (event) => { if (!event.detail) act(event.target.closest("button")); }); // no finger: a program
  drawSwitch();
}

/** A day is chosen from the browser's calendar: there is no typing into it. */
function openCalendar({ target }) {
  if (isOn() && target.matches("input[type=date]")) target.showPicker?.();
}

/** The till's setting has come. */
export function configure({ screen_keyboard: on }) {
  setting = Boolean(on);
  drawSwitch();
  later();
}

function turn(on) {
  localStorage.setItem(KEY, on ? "on" : "off");
  drawSwitch();
  if (on && field?.isConnected) field.focus();
  else if (on) document.querySelector("#main section:not([hidden]) input:not([type=radio])")?.focus();
  later();
}

function drawSwitch() {
  byId("keyboard-switch").setAttribute("aria-pressed", String(isOn()));
  const fields = document.querySelectorAll("[data-keys]");
  if (!isOn()) fields.forEach((each) => { each.inputMode = each.dataset.keys; });
}

/** The system's own keyboard stays away where ours is. */
function follow({ target }) {
  if (!isOn() || !target.matches(TEXT)) return;
  target.dataset.keys ??= target.inputMode || "text";
  target.inputMode = "none";
  field = target;
  shift = false;
  later();
}

const later = () => setTimeout(() => { if (!fingerDown) show(); }, 0);

function show() {
  const wanted = isOn() && field !== null && document.activeElement === field;
  dock().hidden = !wanted;
  if (!wanted) {
    inView = null;
    return;
  }
  const place = field.closest("dialog") || byId("keyboard-place"); // beside a dialog it would be inert
  if (dock().parentElement !== place) place.append(dock());
  draw();
  if (inView !== field) field.scrollIntoView({ block: "nearest" }); // once: whoever scrolls on is not pulled back
  inView = field;
}

function draw() {
  const version = `${isNumber()}${shift}`;
  if (dock().dataset.version === version) return;
  dock().dataset.version = version;
  dock().classList.toggle("pad", isNumber());
  dock().replaceChildren(...(isNumber() ? [block("digits", DIGITS), block("last", [[",", "0"]]), commands()] : [
    block("letters", LETTERS), block("polish", POLISH), block("digits", DIGITS),
    h("div", { class: "last" }, command("shift", "⇧", "Wielkie litery", { "aria-pressed": String(shift) }),
      SIGNS.map((sign) => letter(sign, { class: "sign" })), h("button", { type: "button", tabindex: "-1", "data-text": " ", class: "space" }, "spacja"), letter("0")),
    commands(),
  ]));
}

const block = (name, rows) => h("div", { class: name }, rows.flatMap((row) => [...row]).map((each) => letter(each)));

function letter(given, more = {}) {
  const shown = shift ? given.toUpperCase() : given;
  return h("button", { type: "button", tabindex: "-1", "data-text": shown, ...more }, shown);
}

const command = (name, shown, label, more = {}) => h("button", {
  type: "button", tabindex: "-1", "data-command": name, "aria-label": label, title: label, ...more,
}, shown);

const commands = () => h("div", { class: "commands" },
  command("back", "⌫", "Usuń znak"), command("empty", "Wyczyść", "Wyczyść pole"),
  command("next", "Dalej", "Następne pole", { class: "primary" }), command("hide", "▾", "Schowaj klawiaturę"));

// --- what a key does ----------------------------------------------------------------------------

function act(button) {
  if (!button || !field) return;
  const { text, command: name } = button.dataset;
  if (text !== undefined) put(text);
  else if (name === "back") back();
  else if (name === "empty") replace(0, field.value.length, "");
  else if (name === "next") next();
  else if (name === "hide") field.blur();
  shift = name === "shift" ? !shift : false;
  later();
}

/** As a typed key does: in place of what is selected. */
function put(text) {
  replace(field.selectionStart, field.selectionEnd, text);
}

function back() {
  const { selectionStart: start, selectionEnd: end } = field;
  const letterBefore = [...field.value.slice(0, start)].at(-1)?.length || 0;
  replace(start === end ? start - letterBefore : start, end, "");
}

function replace(start, end, text) {
  field.setRangeText(text, start, end, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, data: text, inputType: text ? "insertText" : "deleteContentBackward" }));
}

/** Enter as a key gives it; a form that does not take it for the next field is sent. */
function next() {
  const enter = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true });
  if (field.dispatchEvent(enter)) field.form?.requestSubmit();
}
