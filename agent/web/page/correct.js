// Returns and corrections of one invoice. One form, one key: a second click never makes a second correction.

import { get, newKey, post, Problem, text } from "./api.js";
import { byId, h, whileBusy } from "./dom.js";
import { check, digits } from "./nip.js";
import { shown } from "./money.js";
import { buyerShown } from "./words.js";

const KINDS = {
  return: { label: "Zwrot towaru", reason: "zwrot towaru" },
  full_return: { label: "Zwrot całości", reason: "zwrot towaru" },
  price: { label: "Inna cena", reason: "zmiana ceny" },
  buyer: { label: "Zły nabywca", reason: "błędne dane nabywcy" },
};

let done = () => {};
let cancel = () => {};
let order = null;

export function start(callbacks) {
  done = callbacks.done;
  cancel = callbacks.cancel;
}

/** Begin a correction of `invoice`; its lines come from its own XML. */
export async function show(invoice) {
  order = { key: newKey(), body: null, invoice, lines: linesOf(await text(`/v1/invoices/${encodeURIComponent(invoice.id)}/xml`)) };
  draw("return");
}

/** FaWiersz of a FA(3): the line's number, name, quantity and unit. */
function linesOf(xml) {
  const document = new DOMParser().parseFromString(xml, "application/xml");
  const value = (row, name) => row.getElementsByTagNameNS("*", name)[0]?.textContent.trim() || "";
  return [...document.getElementsByTagNameNS("*", "FaWiersz")].map((row) => ({
    line: Number(value(row, "NrWierszaFa")),
    name: value(row, "P_7"),
    unit: value(row, "P_8A"),
    quantity: value(row, "P_8B"),
    price: value(row, "P_9B") || value(row, "P_9A"),
  }));
}

function draw(kind) {
  const { invoice } = order;
  const choice = ([value, { label }]) => h("label", {},
    h("input", {
      type: "radio", name: "correction-kind", value, checked: value === kind,
      onchange: () => { draw(value); document.querySelector("[name=correction-kind]:checked").focus(); },
    }), h("span", {}, label));
  byId("view-correct").replaceChildren(
    h("form", { class: "card", id: "correct-form", novalidate: true, onsubmit: (event) => { event.preventDefault(); submit(kind); } },
      h("h1", { id: "correct-title", tabindex: "-1" }, `Korekta faktury ${invoice.number}`),
      h("p", {}, `${buyerShown(invoice.buyer)}, ${shown(invoice.totals.gross, invoice.totals.currency)}`),
      invoice.ksef_number || invoice.mode === "total_failure" ? null : h("p", { class: "note warn" },
        "Ta faktura nie ma jeszcze numeru KSeF. Kasa przyjmie korektę teraz i wystawi ją sama, gdy numer nadejdzie."),
      h("div", { class: "choices", role: "radiogroup", "aria-label": "Rodzaj korekty" },
        Object.entries(KINDS).map(choice)),
      kind === "return" ? lineTable("Zwrot", (line) => `Ilość zwracana: ${line.name}`, () => "0") : null,
      kind === "price" ? lineTable("Nowa cena", (line) => `Nowa cena: ${line.name}`, (line) => line.price.replace(".", ",")) : null,
      kind === "full_return" ? h("p", { class: "note warn" }, "Wraca wszystko, co zostało z tej faktury.") : null,
      kind === "buyer" ? rightBuyer() : null,
      h("div", { class: "field" }, h("label", { for: "correct-reason" }, "Przyczyna korekty"),
        h("input", { id: "correct-reason", maxlength: 256, value: KINDS[kind].reason })),
      h("p", { class: "note bad", id: "correct-error", role: "alert", tabindex: "-1", hidden: true }),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "primary", id: "correct-submit" }, "Wystaw korektę"),
        h("button", { type: "button", onclick: () => cancel(order.invoice) }, "Anuluj"))));
}

/** One input per line of the invoice: how much comes back, or what it costs now. */
function lineTable(head, label, placeholder) {
  return h("table", { class: "return-lines" },
    h("thead", {}, h("tr", {}, ["Pozycja", "Sprzedano", head].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, order.lines.map((line) => h("tr", {},
      h("td", { "data-head": "Pozycja" }, line.name),
      h("td", { "data-head": "Sprzedano" }, `${line.quantity.replace(".", ",")} ${line.unit}`),
      h("td", { "data-head": head }, h("input", {
        inputmode: "decimal", "data-line": line.line, placeholder: placeholder(line), "aria-label": label(line),
      }))))));
}

function rightBuyer() {
  const field = (id, label, attributes = {}) => h("div", { class: "field" }, h("label", { for: id }, label), h("input", { id, ...attributes }));
  return h("div", { class: "fields" },
    h("p", { class: "full hint" }, "Powstaną dwa dokumenty: korekta do zera i nowa faktura na właściwego nabywcę. ",
      "Osobie prywatnej zostaw pusty NIP."),
    field("right-nip", "NIP właściwego nabywcy", { inputmode: "numeric", maxlength: 14, oninput: fillBuyer }),
    field("right-name", "Nazwa", { maxlength: 512 }),
    field("right-line1", "Ulica i numer", { maxlength: 512 }),
    field("right-line2", "Kod i miejscowość", { maxlength: 512 }));
}

async function fillBuyer() {
  const nip = digits(byId("right-nip").value);
  if (check(nip) !== "ok") return;
  const found = await get(`/v1/buyers/${nip}`, { timeout: 8000 }).catch(() => null);
  if (!found || !byId("right-nip") || digits(byId("right-nip").value) !== nip) return;
  byId("right-name").value = found.name || "";
  byId("right-line1").value = found.address?.line1 || "";
  byId("right-line2").value = found.address?.line2 || "";
}

function bodyOf(kind) {
  const body = { kind, reason: byId("correct-reason").value.trim() };
  if (kind === "return" || kind === "price") {
    const name = kind === "return" ? "quantity" : "unit_price";
    body.lines = [...document.querySelectorAll("[data-line]")]
      .map((input) => ({ line: Number(input.dataset.line), [name]: input.value.replace(/\s/g, "").replace(",", ".") }))
      .filter((line) => line[name] && (kind === "price" || Number(line[name]) !== 0));
  }
  if (kind === "buyer") {
    const nip = digits(byId("right-nip").value);
    body.buyer = {
      ...(nip ? { nip } : {}),
      ...(byId("right-name").value.trim() ? { name: byId("right-name").value.trim() } : {}),
    };
    const [line1, line2] = [byId("right-line1").value.trim(), byId("right-line2").value.trim()];
    if (line1 || line2) body.buyer.address = { line1: line1 || line2, ...(line1 && line2 ? { line2 } : {}), country: "PL" };
  }
  return body;
}

function refuse(words) {
  const note = byId("correct-error");
  note.textContent = words;
  note.hidden = false;
  note.focus();
}

async function submit(kind) {
  if (order.body === null) {
    const body = bodyOf(kind);
    if (body.lines && !body.lines.length) {
      return refuse(kind === "return" ? "Wpisz, ile której pozycji wróciło." : "Wpisz nową cenę co najmniej jednej pozycji.");
    }
    if (kind === "buyer" && body.buyer.nip && check(body.buyer.nip) !== "ok") return refuse("NIP właściwego nabywcy jest błędny.");
    order.body = JSON.stringify(body);
  }
  await whileBusy(byId("correct-submit"), async () => {
    try {
      done(await post(`/v1/invoices/${encodeURIComponent(order.invoice.id)}/corrections`, order));
    } catch (error) {
      if (error instanceof Problem) order.body = null;
      const more = (error.errors || []).map((item) => item.message).filter((words) => !error.message.includes(words));
      refuse([error.message, ...more, error instanceof Problem ? "" : "Naciśnij jeszcze raz: druga korekta nie powstanie."].join(" ").trim());
    }
  });
}
