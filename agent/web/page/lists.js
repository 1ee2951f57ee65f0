// The queue with its nearest deadline, and the search.

import { get, post } from "./api.js";
import { byId, h, say, whileBusy } from "./dom.js";
import { shown } from "./money.js";
import { buyerShown, dayShown, distance, MODES, momentShown, STATES, stateShown } from "./words.js";

let open = () => {};
let openHeld = () => {};
let openOutside = () => {};
const query = { text: "", from: "", to: "", state: "" };

export function start(callbacks) {
  open = callbacks.open;
  openHeld = callbacks.held;
  openOutside = callbacks.outside;
}

export async function showQueue() {
  const { invoices, held, refused: lost, waiting_for_window: later, window_opens_at: opens } = await get("/v1/queue");
  const next = invoices.map((invoice) => invoice.deadline).filter(Boolean).sort()[0];
  const rejected = invoices.filter((invoice) => invoice.state === "rejected").length;
  const waiting = invoices.length - rejected;
  const [words, urgency] = next ? distance(next) : ["", 0];
  byId("view-queue").replaceChildren(
    h("div", { class: "card" },
      h("div", { class: "card-head" },
        h("h1", { id: "queue-title", tabindex: "-1" }, "Kolejka do KSeF"),
        h("button", { type: "button", id: "sync", disabled: !invoices.length, onclick: (event) => sync(event.currentTarget) }, "Wyślij teraz")),
      invoices.length
        ? h("p", { class: "queue-next", "data-urgency": urgency },
          h("strong", {}, String(waiting)), waitingWords(waiting),
          next ? ["Najbliższy termin: ", h("strong", {}, `${dayShown(next)} – ${words}`), "."] : "Termin nie biegnie.")
        : h("p", { class: "empty" }, "KSeF ma już wszystkie faktury z tej kasy. Nic nie czeka."),
      later ? h("p", { class: "note" }, `Wysyłka w oknie od ${momentShown(opens)}: ${later}. „Wyślij teraz” nie czeka na okno.`) : null,
      rejected ? h("p", { class: "note bad" }, `Odrzucone przez KSeF: ${rejected}. Zawołaj kierownika.`) : null,
      lost.length ? heldTable("lost-title", "Korekty, których nie można wystawić: decyduje kierownik", lost) : null,
      invoices.length ? table(invoices) : null,
      held.length ? heldTable("held-title", "Korekty, które czekają na numer KSeF swojej faktury", held) : null));
}

function heldTable(id, title, held) {
  return h("section", { "aria-labelledby": id },
    h("h2", { id, class: "later" }, title),
    h("table", {},
      h("thead", {}, h("tr", {}, ["Do faktury", "Różnica", "Stan"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, held.map((item) => h("tr", { "data-state": item.state === "refused" ? "rejected" : null },
        cell("Do faktury", h("button", { type: "button", class: "link", onclick: () => openHeld(item) }, item.base_number)),
        cell("Różnica", shown(item.gross, item.currency)),
        cell("Stan", item.problem || "wystawi się sama"))))));
}

/** Polish counts: 1 faktura, 2-4 faktury, 5 faktur, 12 faktur, 22 faktury. */
function waitingWords(count) {
  if (count === 1) return " faktura czeka. ";
  const few = [2, 3, 4].includes(count % 10) && ![12, 13, 14].includes(count % 100);
  return few ? " faktury czekają. " : " faktur czeka. ";
}

async function sync(button) {
  await whileBusy(button, async () => {
    const { waiting } = await post("/v1/sync", { body: "{}" });
    say(`Wysyłanie ruszyło, czeka: ${waiting}`);
  });
}

export function showFind() {
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
      h("form", { class: "find-form", onsubmit: (event) => { event.preventDefault(); search(true); } },
        control("text", "Numer, NIP, nazwa lub numer KSeF", { type: "search" }),
        control("from", "Od", { type: "date" }),
        control("to", "Do", { type: "date" }),
        h("div", { class: "field" }, h("label", { for: "find-state" }, "Stan"),
          h("select", { id: "find-state", onchange: (event) => { query.state = event.target.value; search(); } },
            h("option", { value: "" }, "wszystkie"), states)),
        h("button", { type: "submit", class: "primary" }, "Szukaj")),
      h("div", { id: "found", "aria-live": "polite" })));
  byId("find-text").focus();
  return search();
}

/** `scanned`: the cashier asked by Enter or the button; a whole number opens its invoice at once. */
async function search(scanned = false) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value.trim()));
  parameters.set("limit", "50");
  try {
    const { invoices, next } = await get(`/v1/invoices?${parameters}`);
    const text = query.text.trim();
    if (scanned && invoices.length === 1 && [invoices[0].number, invoices[0].ksef_number].includes(text)) return open(invoices[0].id);
    byId("found").replaceChildren(
      invoices.length ? table(invoices) : h("p", { class: "empty" }, "Nie znaleziono faktur. Fakturę z innej kasy skorygujesz przyciskiem powyżej."),
      next ? h("p", { class: "hint" }, "Pokazano 50 najnowszych. Zawęź wyszukiwanie, aby zobaczyć starsze.") : "");
  } catch (error) {
    byId("found").replaceChildren(h("p", { class: "note bad", role: "alert" }, error.message));
  }
}

function table(invoices) {
  const heads = ["Numer", "Nabywca", "Kwota", "Tryb", "Stan", "Termin"];
  return h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: head === "Kwota" ? "amount" : null }, head)))),
    h("tbody", {}, invoices.map((invoice) => {
      const waiting = invoice.deadline && !invoice.ksef_number;
      const [words, urgency] = waiting ? distance(invoice.deadline) : ["", 0];
      return h("tr", { "data-state": invoice.state },
        cell("Numer", h("button", { type: "button", class: "link", onclick: () => open(invoice.id) }, invoice.number)),
        cell("Nabywca", buyerShown(invoice.buyer)),
        cell("Kwota", shown(invoice.totals.gross, invoice.totals.currency), "amount"),
        cell("Tryb", MODES[invoice.mode].replace(/^Tryb /, "")),
        cell("Stan", stateShown(invoice)),
        h("td", { "data-head": "Termin", "data-urgency": urgency }, waiting ? `${dayShown(invoice.deadline)}, ${words}` : "—"));
    })));
}

const cell = (head, content, kind = null) => h("td", { "data-head": head, class: kind }, content);
