// A correction of an invoice this till does not hold: issued at another till, before KSeF, or in a total failure.
// The cashier copies what stands on the customer's paper, and says what comes back.

import { newKey } from "../common/api.js";
import { buyerOf, linesOf } from "../basket/body.js";
import { changedLines, inTotalFailure } from "./correct.js";
import {
  buyerMistakes, correctionForm, dataFields, field, kindChoices, ownerChanged, reasonField, refuse, rightBuyer, rightBuyerOf,
} from "./correction_form.js";
import { byId, h } from "../common/dom.js";
import { emptyLine } from "../basket/draft.js";
import { check } from "../buyer/nip.js";
import { emptyBuyer, settle, write } from "../buyer/owner.js";
import { drawRows } from "../basket/rows.js";

const BUYERS = { nip: "Firma", none: "Osoba", eu_vat: "Firma UE", foreign_id: "Zagranica" };
const KINDS = ["return", "full_return", "price", "buyer"];
const MORE = { return: ["quantity", "Wraca"], price: ["unit_price", "Nowa cena"] };

let cancel = () => {};
let order = null;

export function start(callbacks) {
  cancel = callbacks.cancel;
}

const line = () => ({ ...emptyLine(), typed: { quantity: "", unit_price: "" } });

/** Begin; `number` is what the cashier searched for. */
export function show(number = "") {
  order = {
    key: newKey(), base: { number, issued_on: "", ksef_number: "", exemption: "" }, buyer: emptyBuyer(), prices: "gross",
    lines: [line()], right: emptyBuyer(), reasons: {}, kind: "return",
  };
  draw("return");
}

function draw(kind) {
  order.kind = kind;
  const { base } = order;
  const lines = h("div", { class: "lines" });
  byId("view-correct").replaceChildren(correctionForm(
    { title: "Korekta faktury spoza tej kasy", key: order.key, submit: bodyOf, cancel },
    h("p", { class: "hint" }, "Przepisz fakturę z wydruku klienta. Faktury z tej kasy poprawia się z listy „Faktury”."),
    inTotalFailure() ? h("p", { class: "note warn" },
      "Trwa awaria całkowita KSeF. Korektę faktury, która jest w KSeF, wystawisz dopiero, gdy awaria się skończy.") : null,
    h("div", { class: "fields" },
      field("Numer faktury", base, "number", { id: "base-number", "data-pointer": "/base/number" }),
      field("Data wystawienia", base, "issued_on", { id: "base-issued-on", type: "date", "data-pointer": "/base/issued_on" }),
      field("Numer KSeF (pusty, gdy faktury nie ma w KSeF)", base, "ksef_number", {
        id: "base-ksef-number", class: "field full", "data-pointer": "/base/ksef_number",
      })),
    h("h2", {}, "Nabywca na tej fakturze"), baseBuyer(() => draw(kind)),
    h("h2", {}, "Wszystkie pozycje tej faktury"),
    h("div", { class: "field narrow-field" }, h("label", { for: "base-prices" }, "Ceny na wydruku"),
      h("select", { id: "base-prices", "data-pointer": "/base/prices", onchange: (event) => { order.prices = event.target.value; draw(kind); } },
        [["gross", "brutto (z VAT)"], ["net", "netto (bez VAT)"]]
          .map(([value, label]) => h("option", { value, selected: value === order.prices }, label)))),
    lines,
    h("p", { class: "field-error", "data-pointer": "/base/lines", tabindex: "-1" }),
    h("button", { type: "button", class: "wide", id: "add-base-line", onclick: () => addLine(kind) }, "+ Dodaj pozycję"),
    h("div", { id: "base-exemption-field", hidden: true },
      field("Podstawa zwolnienia (stawka zw)", base, "exemption", {
        id: "base-exemption", "data-pointer": "/base/exemption",
      })),
    h("h2", {}, "Korekta"), kindChoices(KINDS, kind, draw),
    h("p", { class: "hint" }, WHAT_NOW[kind]),
    kind === "buyer" ? rightBuyer(order.right, "/correction/buyer") : null,
    reasonField(order, kind, "/correction")));
  drawLines(kind, lines);
}

const WHAT_NOW = {
  return: "Przy każdej pozycji, która wraca, wpisz ilość w polu „Wraca”.",
  full_return: "Wraca wszystko, co jest na fakturze.",
  price: "Przy każdej pozycji, której cena się zmienia, wpisz „Nowa cena”.",
  buyer: "Zmienia się tylko nabywca.",
};

function addLine(kind) {
  order.lines.push(line());
  drawLines(kind);
  byId(`base-line-${order.lines.length - 1}-name`).focus();
}

function drawLines(kind, box = document.querySelector("#view-correct .lines")) {
  const [name, label] = MORE[kind] || [];
  const changed = () => {
    order.lines.forEach((each) => { each.typed ??= { quantity: "", unit_price: "" }; }); // the last one removed is replaced
    byId("base-exemption-field").hidden = !order.lines.some((each) => each.vat === "zw");
  };
  drawRows(box, order.lines, {
    prefix: "base-line", pointer: "/base/lines", net: order.prices === "net", changed, past: true,
    more: (each, index) => (name ? h("div", { class: "field f-more" },
      h("label", { for: `base-line-${index}-more` }, label),
      h("input", {
        id: `base-line-${index}-more`, inputmode: "decimal", value: each.typed?.[name] || "",
        oninput: (event) => { changed(); each.typed[name] = event.target.value; },
      })) : null),
  });
  changed();
}

function baseBuyer(redraw) {
  const { buyer } = order;
  const at = (name, path = name) => ({ id: `base-buyer-${name}`, "data-pointer": `/base/buyer/${path}` });
  const abroad = buyer.kind === "eu_vat" || buyer.kind === "foreign_id";
  const changed = () => ownerChanged(buyer, "base-buyer");
  return h("div", {},
    h("div", { class: "choices", role: "radiogroup", "aria-label": "Nabywca na fakturze korygowanej" },
      Object.entries(BUYERS).map(([value, label]) => h("label", {}, h("input", {
        type: "radio", name: "base-buyer-kind", value, checked: value === buyer.kind,
        onchange: () => { buyer.kind = value; settle(buyer); redraw(); document.querySelector("[name=base-buyer-kind]:checked").focus(); },
      }), h("span", {}, label)))),
    h("div", { class: "fields" },
      buyer.kind === "nip" ? field("NIP", buyer, "nip", { ...at("nip"), inputmode: "numeric", oninput: changed }) : null,
      buyer.kind === "eu_vat" ? field("Numer VAT UE", buyer, "eu_vat", { ...at("eu_vat"), onchange: changed }) : null,
      buyer.kind === "foreign_id" ? field("Identyfikator (numer podatkowy)", buyer, "foreign_id", {
        ...at("foreign_id"), onchange: changed,
      }) : null,
      dataFields(buyer, "base-buyer", "/base/buyer", buyer.kind === "none" ? "Imię i nazwisko" : "Nazwa"),
      abroad ? field("Kraj (np. DE)", buyer, "country", {
        ...at("country", "address/country"), oninput: (event) => write(buyer, "country", event.target.value),
      }) : null));
}

async function bodyOf() {
  const { base, buyer, kind, right } = order;
  if (buyer.kind === "nip" && check(buyer.nip) !== "ok") {
    return refuse("", [{ pointer: "/base/buyer/nip", message: "Wpisz poprawny NIP z faktury albo wybierz „Osoba”." }]);
  }
  const mistakes = [
    ...await buyerMistakes(buyer, "base-buyer", "/base/buyer"),
    ...(kind === "buyer" ? await buyerMistakes(right, "right", "/correction/buyer") : []),
  ];
  if (mistakes.length) return refuse("", mistakes);
  const filled = order.lines.filter((each) => each.name.trim() || each.unit_price.trim());
  if (filled.length && filled.length < order.lines.length) {
    order.lines = filled;
    drawLines(kind);
  }
  const correction = { kind, reason: order.reasons[kind].trim() };
  if (MORE[kind]) {
    const numbered = order.lines.map((each, index) => ({ ...each, line: index + 1 }));
    correction.lines = changedLines(kind, numbered, "/correction/lines", (each) => byId(`base-line-${each.line - 1}-more`));
    if (!correction.lines.length) return refuse(WHAT_NOW[kind]);
  }
  if (kind === "buyer") correction.buyer = rightBuyerOf(right);
  return {
    path: "/v1/corrections",
    body: {
      base: {
        number: base.number.trim(),
        ...(base.issued_on ? { issued_on: base.issued_on } : {}),
        ...(base.ksef_number.trim() ? { ksef_number: base.ksef_number.trim() } : { outside_ksef: true }),
        buyer: buyerOf(buyer),
        prices: order.prices,
        lines: linesOf(order.lines),
        ...(base.exemption.trim() ? { exemption: base.exemption.trim() } : {}),
      },
      correction,
    },
  };
}
