// An exchange: what the customer takes instead of what comes back, to the same buyer and at prices of the same kind.

import { linesOf } from "../basket/body.js";
import { field } from "./correction_form.js";
import { GIVEN_BACK } from "../basket/deposits.js";
import { byId, h } from "../common/dom.js";
import { emptyLine } from "../basket/draft.js";
import { plainNumber, shown } from "../common/money.js";
import { drawRows } from "../basket/rows.js";

/** The fields; what was typed stays in `order.taken`. */
export function takenFields(order) {
  order.taken ??= [emptyLine()];
  const lines = h("div", { class: "lines", id: "taken-lines" });
  drawTaken(order, lines);
  return [
    h("h2", {}, "Klient bierze w zamian"),
    lines,
    h("p", { class: "field-error", "data-pointer": "/sale/lines", tabindex: "-1" }),
    h("button", { type: "button", class: "wide", id: "add-taken", onclick: () => add(order) }, "+ Dodaj pozycję"),
    h("p", { class: "hint" }, "Powstaną dwa dokumenty: korekta i nowa faktura. Różnicę policzy kasa i powie, ile zwrócić albo pobrać."),
  ];
}

function drawTaken(order, box) {
  drawRows(box, order.taken, { prefix: "taken", pointer: "/sale/lines", net: order.net, changed: () => {} });
}

function add(order) {
  order.taken.push(emptyLine());
  drawTaken(order, byId("taken-lines"));
  byId(`taken-${order.taken.length - 1}-name`).focus();
}

/** The sale as the API takes it; null where nothing is taken. */
export function takenSale(order) {
  const filled = order.taken.filter((line) => line.name.trim() || line.unit_price.trim());
  if (!filled.length) return null;
  if (filled.length < order.taken.length) {
    order.taken = filled;
    drawTaken(order, byId("taken-lines"));
  }
  return { lines: linesOf(filled) };
}

/** Kaucja that goes back with the goods; only where some was paid with the invoice. */
export function depositField(order) {
  if (!order.deposits) return null;
  order.givenBack ??= { amount: "" };
  return field(`Oddana kaucja (zapłacono ${shown(order.deposits)})`, order.givenBack, "amount", {
    id: "correct-deposit", inputmode: "decimal", class: "field narrow-field", "data-pointer": "/deposits",
  });
}

/** The body's deposits. */
export function depositsBack(order) {
  const amount = plainNumber(order.givenBack?.amount ?? "");
  return amount ? { deposits: [{ name: GIVEN_BACK, amount }] } : {};
}
