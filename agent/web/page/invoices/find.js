// The invoices of this till: what is still to be printed, today's, and the search.

import { get } from "../common/api.js";
import { invoiceOf, meaning } from "../input/codes.js";
import { byId, h, say } from "../common/dom.js";
import { invoiceTable, put } from "./invoice_table.js";
import { STATES } from "../common/words.js";

const UNPRINTED_DAYS = 7; // older papers nobody waits for
const MOST = "50";

let open = () => {};
let openOutside = () => {};
let today = ""; // by the till's clock
let answering = false; // what is drawn next answers a question: it is said, and the next Enter opens the first hit
let asked = 0; // the newest question; an older one's answer is not shown
const query = { text: "", from: "", to: "", state: "" };

export function start(callbacks) {
  open = callbacks.open;
  openOutside = callbacks.outside;
}

export async function show() {
  const control = (name, label, attributes) => {
    const id = `find-${name}`;
    return h("div", { class: "field" }, h("label", { for: id }, label),
      h("input", { id, value: query[name], oninput: (event) => { query[name] = event.target.value; }, ...attributes }));
  };
  const states = Object.entries(STATES).map(([word, label]) => h("option", { value: word, selected: query.state === word }, label));
  byId("view-find").replaceChildren(
    h("div", { class: "card" },
      h("div", { class: "card-head" },
        h("h1", { id: "find-title", tabindex: "-1" }, "Faktury"),
        h("button", { type: "button", id: "outside", onclick: () => openOutside(query.text.trim()) }, "Korekta faktury spoza tej kasy")),
      h("form", { class: "find-form", onsubmit: (event) => { event.preventDefault(); ask(); } },
        control("text", "Numer, NIP, nazwa, kwota, kod z wydruku", { type: "search" }),
        control("from", "Od", { type: "date" }),
        control("to", "Do", { type: "date" }),
        h("div", { class: "field" }, h("label", { for: "find-state" }, "Stan"),
          h("select", { id: "find-state", onchange: (event) => { query.state = event.target.value; ask(); } },
            h("option", { value: "" }, "wszystkie"), states)),
        h("button", { type: "submit", class: "primary" }, "Szukaj")),
      h("p", { class: "note bad", id: "find-error", role: "alert", hidden: true }),
      h("div", { id: "unprinted" }),
      h("div", { id: "found" })));
  byId("find-text").focus();
  await refresh();
}

/** The cashier asks: a whole number or a scanned code opens its invoice at once. */
async function ask() {
  const named = meaning(query.text);
  const one = named && ["number", "code"].includes(named.kind) ? await told(() => invoiceOf(named)) : null;
  if (one) {
    open(one.id);
    return;
  }
  answering = true;
  await refresh();
}

/** Draw both lists as they are now; of several at once the last one draws. */
export async function refresh(words = "") {
  asked += 1;
  const mine = asked;
  const answers = await told(async () => {
    ({ date: today } = await get("/v1/clock"));
    return Promise.all([find(parameters()), find(unprinted())]);
  });
  if (!answers || mine !== asked || byId("view-find").hidden) return;
  const [found, papers] = answers;
  if (words) complain(words);
  put("unprinted", papers.invoices.length ? h("section", { "aria-labelledby": "unprinted-title" },
    h("h2", { id: "unprinted-title", class: "later" }, "Bez pewnego wydruku"),
    invoiceTable(papers.invoices, { open, printed: refresh, today })) : null);
  put("found", ...foundParts(found));
  if (!answering) return;
  answering = false;
  say(`Znaleziono: ${found.invoices.length}`);
  byId("found").querySelector(".link")?.focus();
}

const find = (filter) => get(`/v1/invoices?${new URLSearchParams(filter)}`);

const isFiltered = () => Object.values(query).some((value) => value.trim());

function parameters() {
  if (!isFiltered()) return { from: today, to: today, limit: MOST };
  return { ...Object.fromEntries(Object.entries(query).filter(([, value]) => value.trim())), limit: MOST };
}

function unprinted() {
  const day = new Date(`${today}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - UNPRINTED_DAYS);
  return { paper: "failed,uncertain", from: day.toISOString().slice(0, 10), limit: MOST };
}

function foundParts({ invoices, next }) {
  const empty = isFiltered() ? "Nie znaleziono faktur. Fakturę z innej kasy skorygujesz przyciskiem powyżej."
    : "Dziś nie wystawiono tu jeszcze faktury.";
  return [
    h("h2", { class: "later" }, isFiltered() ? "Znalezione" : "Dzisiaj"),
    invoices.length ? invoiceTable(invoices, { open, printed: refresh, today }) : h("p", { class: "empty" }, empty),
    next ? h("p", { class: "hint" }, `Pokazano ${MOST} najnowszych. Zawęź wyszukiwanie, aby zobaczyć starsze.`) : null,
  ];
}

/** Do it, and show why where it does not work; null then. */
async function told(work) {
  try {
    byId("find-error").hidden = true;
    return await work();
  } catch (error) {
    complain(error.message);
    return null;
  }
}

function complain(words) {
  byId("find-error").textContent = words;
  byId("find-error").hidden = false;
}
