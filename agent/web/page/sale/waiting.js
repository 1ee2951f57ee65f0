// What a press waits for, in words and seconds: the store, KSeF, the printer. Told by the newest invoice of this till.

import { byId, say } from "../common/dom.js";
import * as last from "../invoices/last.js";

const WORDS = { store: "Zapisuję…", ksef: "Czekam na KSeF…", printer: "Czekam na drukarkę…" };

let place = null; // id of the element that shows it
let stage = "";
let before = ""; // the newest invoice when the press began
let begun = 0;
let timer = 0;

export const isOn = () => place !== null;

/** Show in an element what is waited for; `words` instead of the stages, for what is no press yet. */
export function begin(id, words = "") {
  end();
  place = id;
  before = last.newest();
  begun = Date.now();
  tell(words || WORDS.store);
  if (!words) timer = setInterval(draw, 1_000);
}

export function end() {
  clearInterval(timer);
  timer = 0;
  place = null;
  stage = "";
}

/** The till's newest invoice changed: it may be the one that is being made. */
export function follow(invoice) {
  if (!place || !timer || !invoice || invoice.id === before) return;
  const prints = ["queued", "printing"].includes(invoice.paper?.state);
  if (prints) tell(WORDS.printer);
  else if (!invoice.paper) tell(WORDS.ksef);
}

function tell(words) {
  if (stage === words) return;
  stage = words;
  say(words);
  draw();
}

function draw() {
  const seconds = Math.floor((Date.now() - begun) / 1_000);
  byId(place).textContent = seconds > 0 ? `${stage} ${seconds} s` : stage;
}
