// Baskets put aside, for the customer who went back for his card, and the one that "Wyczyść" took. They stay in this
// browser, each with its own idempotency key.

import { read, write } from "../common/browser_store.js";
import { byId, h, openDialog, say } from "../common/dom.js";
import * as store from "./draft.js";
import { plainAmount, shown } from "../common/money.js";
import { totalGrosze } from "./totals.js";
import { buyerShown, polishDay } from "../common/words.js";

const PARKED = "ksef-agent.parked";
const CLEARED = "ksef-agent.cleared";

let show = () => {}; // draws the basket that has come back, and takes the focus there

export function start({ shown: callback, fresh }) {
  show = callback;
  byId("park").addEventListener("click", () => park(fresh));
  byId("parked-open").addEventListener("click", openList);
  byId("clear-button").addEventListener("click", () => clear(fresh));
  byId("undo-clear").addEventListener("click", undo);
  window.addEventListener("storage", ({ key }) => { if (key === PARKED || key === CLEARED) draw(); });
  draw();
}

const entriesOf = (name) => read(name) || [];

function keep(name, entries) {
  write(name, entries);
  draw();
}

/** The basket as it is put aside: named by time, buyer and sum. */
function entry() {
  const { buyer, currency, lines } = store.draft;
  return {
    at: new Date().toISOString(),
    buyer: buyerShown({ kind: buyer.kind, name: buyer.name, identifier: buyer[buyer.kind] || "" }),
    sum: shown(plainAmount(totalGrosze()), currency),
    lines: lines.map(({ name }) => name).filter(Boolean),
    basket: store.draft,
  };
}

/** One key for both: put the basket aside, or, with none there, show what was. */
export function park(fresh) {
  if (store.isEmpty()) {
    openList();
    return;
  }
  keepAside();
  fresh();
  show();
  say("Koszyk odłożony.");
}

function keepAside() {
  if (!store.isEmpty()) keep(PARKED, [entry(), ...entriesOf(PARKED)]);
}

function clear(fresh) {
  keepCleared();
  fresh();
  show();
}

/** Another basket takes the place of this one: "Cofnij" brings it back. */
export function keepCleared() {
  if (!store.isEmpty()) keep(CLEARED, [entry()]);
}

function undo() {
  const [taken] = entriesOf(CLEARED);
  keep(CLEARED, []);
  if (taken) bringBack(taken);
}

/** What was there is put aside in its turn. */
function bringBack({ basket }) {
  keepAside();
  store.replace(basket);
  show();
}

/** After an invoice nobody means the basket before it. */
export const forgetCleared = () => keep(CLEARED, []);

function draw() {
  const count = entriesOf(PARKED).length;
  byId("parked-open").hidden = !count;
  byId("parked-count").textContent = String(count);
  byId("cleared").hidden = !entriesOf(CLEARED).length;
}

function openList() {
  const entries = entriesOf(PARKED);
  if (!entries.length) return;
  openDialog("parked", "Odłożone koszyki", (close) => [
    h("ul", { class: "parked-list" }, entries.map((each) => h("li", {},
      h("button", { type: "button", class: "parked-take", onclick: () => { close(); take(each, bringBack); } },
        h("strong", {}, `${time(each.at)} · ${each.sum}`), h("span", {}, [each.buyer, ...each.lines].filter(Boolean).join(" · "))),
      h("button", {
        type: "button", class: "remove", "aria-label": `Usuń koszyk z ${time(each.at)}`,
        onclick: () => { close(); take(each, (taken) => keep(CLEARED, [taken])); },
      }, "×")))),
    h("div", { class: "row" }, h("button", { type: "button", onclick: close }, "Zamknij")),
  ]);
}

/** Another tab may have taken it a moment ago. */
function take({ basket }, then) {
  const entries = entriesOf(PARKED);
  const found = entries.find((each) => each.basket.key === basket.key);
  if (!found) return;
  keep(PARKED, entries.filter((each) => each !== found));
  then(found);
}

function time(instant) {
  const moment = new Date(instant);
  const day = polishDay(moment);
  const clock = new Intl.DateTimeFormat("pl", { timeZone: "Europe/Warsaw", hour: "2-digit", minute: "2-digit" }).format(moment);
  return day === polishDay() ? clock : `${day.split("-").reverse().join(".")} ${clock}`;
}
