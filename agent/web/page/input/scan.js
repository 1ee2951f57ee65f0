// A scanner types like a person, wherever the focus happens to be, and ends with Enter. A NIP it read is never lost, and
// its Enter issues nothing.

import { byId, say } from "../common/dom.js";
import { check } from "../buyer/nip.js";

const PAUSE = 300; // milliseconds without a key: the scanner is done
const TEXT = "input:not([type=radio]):not([type=checkbox]), select, textarea";
const NOT_FOR_A_NIP = "#buyer-name, #line1, #line2, #eu-vat, #foreign-id";

let read = "";
let timer = 0;

/**
 * Listen wherever nothing else takes the keys.
 *
 * listens  whether the sale's form is there to be filled in
 * asksNip  whether its NIP field is shown
 * take     called with a NIP read elsewhere
 */
export function start({ listens, asksNip, take }) {
  document.addEventListener("keydown", (event) => {
    if (!listens() || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches(TEXT)) {
      if (event.key === "Enter" && strayNip(event.target)) swallow(event, () => takeFrom(event.target, take));
    } else if (/^\d$/.test(event.key)) {
      if (asksNip()) toNip();
      else collect(event.key, take);
    } else if (event.key === "Enter" && read) {
      swallow(event, () => done(take));
    }
  }, true);
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text") || "";
    if (listens() && !event.target.matches?.(TEXT) && check(text) === "ok") swallow(event, () => take(text));
  });
}

/** A NIP that was scanned into a field for something else goes where it belongs. True where there was one. */
export function rescue(take) {
  const field = [...document.querySelectorAll(NOT_FOR_A_NIP)].find((each) => !each.closest("[hidden]") && strayNip(each));
  if (field) takeFrom(field, take);
  return Boolean(field);
}

const strayNip = (field) => field.matches(NOT_FOR_A_NIP) && check(field.value) === "ok";

function takeFrom(field, take) {
  const nip = field.value;
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  take(nip);
}

/** The key that is on its way arrives in the NIP field, in place of what stands there. */
function toNip() {
  byId("nip").focus();
  byId("nip").select();
}

function collect(digit, take) {
  read += digit;
  clearTimeout(timer);
  timer = setTimeout(() => done(take), PAUSE);
}

function done(take) {
  clearTimeout(timer);
  const nip = read;
  read = "";
  if (check(nip) === "ok") take(nip);
  else if (nip.length > 1) say(`Odczytano ${nip}: to nie jest NIP.`);
}

function swallow(event, then) {
  event.preventDefault();
  event.stopPropagation();
  then();
}
