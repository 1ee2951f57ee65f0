// What a scanner read, wherever the focus was: keys faster than any hand, and Enter. Only what is understood is taken;
// the field it went into gets its text back. Everything else stays what was typed; its Enter presses no button.

import { byId, opened } from "../common/dom.js";

const FASTEST_HAND = 60; // milliseconds a key, on average: no person types a whole code so fast
const PAUSE = 400; // milliseconds without a key: something else begins
const SHORTEST = 8; // characters of the shortest code
const ECHO = 50; // milliseconds: a scanner that ends with CR and LF sends Enter twice
const FIELD = "input:not([type=radio]):not([type=checkbox]), select, textarea";
const OWN_CODES = "#receipt-number, #receipt-register, #note"; // fields for what stands on other papers

let read = "";
let begun = 0;
let last = 0;
let ended = -ECHO; // when the newest scan ended
let before = null; // field, its text, and the text of the NIP field, when the first key came

/**
 * listens     whether a scan has a meaning now
 * understand  called with the text and the field it went into: what to do with it, or null
 */
export function start({ listens, understand }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.key === "Shift") return;
    if (comesByItself(event)) {
      event.preventDefault();
      return;
    }
    const goesOn = event.timeStamp - last < PAUSE;
    last = event.timeStamp;
    if (event.key === "Enter") finish(event, goesOn, listens, understand);
    else if (event.key.length === 1) collect(event, goesOn);
    else read = "";
  }, true);
}

/** An Enter that nobody means: held, or the second one of a scanner. The first may have moved the focus to a button. */
const comesByItself = (event) => event.key === "Enter" && event.target.matches("button") && (event.repeat || event.timeStamp - ended < ECHO);

function collect(event, goesOn) {
  const field = event.target.matches(FIELD) ? event.target : null;
  const moved = read && field !== before.field && field !== byId("nip"); // scan.js moves a digit's focus there
  if (!goesOn || !read || moved) {
    begun = event.timeStamp;
    before = { field, text: field?.value, nip: byId("nip").value };
    read = "";
  }
  read += event.key;
}

function finish(event, goesOn, listens, understand) {
  const text = read;
  read = "";
  const fast = (event.timeStamp - begun) / text.length < FASTEST_HAND;
  if (!goesOn || !fast || text.length < SHORTEST) return;
  ended = event.timeStamp;
  if (event.target.matches("button")) event.preventDefault();
  if (!listens()) return;
  const { field } = before;
  if (field && (!field.closest("#sale-form") || field.matches(OWN_CODES))) return;
  const act = understand(text, field);
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (field) give(field, before.text);
  give(byId("nip"), before.nip);
  opened()?.close();
  act();
}

function give(field, text) {
  if (field.value === text) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
