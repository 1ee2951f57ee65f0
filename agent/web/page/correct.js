// Returns and corrections of one invoice. One form, one key: a second click never makes a second correction.

import { get, newKey, post, Problem, text } from "./api.js";
import { byId, h, whileBusy } from "./dom.js";
import { check, digits } from "./nip.js";
import { shown } from "./money.js";
import { buyerShown } from "./words.js";

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
  byId("correct-title").focus();
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
  const choice = (value, label) => h("label", {},
    h("input", { type: "radio", name: "correction-kind", value, checked: value === kind, onchange: () => draw(value) }), h("span", {}, label));
  byId("view-correct").replaceChildren(
    h("form", { class: "card", id: "correct-form", novalidate: true, onsubmit: (event) => { event.preventDefault(); submit(kind); } },
      h("h1", { id: "correct-title", tabindex: "-1" }, `Korekta faktury ${invoice.number}`),
      h("p", {}, `${buyerShown(invoice.buyer)}, ${shown(invoice.totals.gross, invoice.totals.currency)}`),
      invoice.ksef_number ? null : h("p", { class: "note warn" },
        "Ta faktura nie ma jeszcze numeru KSeF. Korekta powstanie teraz, a wyśle się po niej."),
      h("div", { class: "choices", role: "radiogroup", "aria-label": "Rodzaj korekty" },
        choice("return", "Zwrot towaru"), choice("all", "Zwrot całości"), choice("buyer", "Zły nabywca")),
      kind === "return" ? returned() : null,
      kind === "buyer" ? rightBuyer() : null,
      h("div", { class: "field" }, h("label", { for: "correct-reason" }, "Przyczyna korekty"),
        h("input", { id: "correct-reason", maxlength: 256, value: kind === "buyer" ? "błędny nabywca" : "zwrot towaru" })),
      h("p", { class: "note bad", id: "correct-error", role: "alert", tabindex: "-1", hidden: true }),
      h("div", { class: "row" },
        h("button", { type: "submit", class: "primary", id: "correct-submit" }, "Wystaw korektę"),
        h("button", { type: "button", onclick: () => cancel(order.invoice) }, "Anuluj"))));
}

function returned() {
  return h("table", { class: "return-lines" },
    h("thead", {}, h("tr", {}, ["Pozycja", "Sprzedano", "Zwrot"].map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, order.lines.map((line) => h("tr", {},
      h("td", { "data-head": "Pozycja" }, line.name),
      h("td", { "data-head": "Sprzedano" }, `${line.quantity.replace(".", ",")} ${line.unit}`),
      h("td", { "data-head": "Zwrot" }, h("input", {
        inputmode: "decimal", "data-line": line.line, value: "", placeholder: "0",
        "aria-label": `Ilość zwracana: ${line.name}`,
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
  const body = { reason: byId("correct-reason").value.trim() };
  if (kind === "return") {
    body.lines = [...document.querySelectorAll("[data-line]")]
      .map((input) => ({ line: Number(input.dataset.line), quantity: input.value.trim().replace(",", ".") }))
      .filter((line) => line.quantity && Number(line.quantity) !== 0);
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
    if (kind === "return" && !body.lines.length) return refuse("Wpisz, ile sztuk której pozycji wróciło.");
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
