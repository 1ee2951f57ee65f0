// The lines of a basket as rows of fields.

import { emptyLine } from "./draft.js";
import { byId, h } from "../common/dom.js";
import { lineGrosze, plainAmount, shown } from "../common/money.js";

const RATES = ["23", "8", "5", "0 KR", "zw", "np I", "np II", "0 WDT", "0 EX", "4"];
const PAST_RATES = ["oo", "22", "7", "3"]; // only on invoices of the past

const drawn = new WeakMap(); // row -> what it shows, and how it takes in what changed

/**
 * Draw rows of lines. A row that shows its line already only takes in new values: a long basket answers a key at once.
 *
 * prefix   of the ids
 * pointer  where the lines lie in what is sent
 * net      whether prices are net
 * changed  called after every change of `lines`
 * past     whether the lines are those of an old invoice
 * more     further fields of a line, or nothing
 */
export function drawRows(box, lines, { prefix, pointer, net, changed, past = false, more = () => null }) {
  const options = { prefix, pointer, net, changed, past, more };
  lines.forEach((line, index) => {
    const there = box.children[index];
    const was = drawn.get(there);
    if (was?.line === line && was.lines === lines && was.net === net && was.ean === line.ean) was.refresh();
    else if (there) there.replaceWith(row(box, lines, index, options));
    else box.append(row(box, lines, index, options));
  });
  while (box.children.length > lines.length) box.lastElementChild.remove();
}

function row(box, lines, index, options) {
  const { prefix, pointer, net, changed, past, more } = options;
  const line = lines[index];
  const value = h("output", { class: "line-value", "aria-label": `Wartość pozycji ${index + 1}` });
  const refresh = () => {
    const cents = lineGrosze(line);
    value.textContent = cents === null ? "—" : shown(plainAmount(cents));
  };
  const input = (name, label, attributes = {}) => {
    const id = `${prefix}-${index}-${name}`;
    const control = h("input", {
      id,
      value: line[name],
      "data-pointer": `${pointer}/${index}/${name}`,
      oninput: (event) => { line[name] = event.target.value; refresh(); changed(); },
      ...attributes,
    });
    return h("div", { class: `field f-${name}` }, h("label", { for: id }, label), control);
  };
  const offered = past ? [...RATES, ...PAST_RATES] : RATES;
  const known = offered.includes(line.vat) ? offered : [line.vat, ...offered];
  const rates = h("select", {
    id: `${prefix}-${index}-vat`,
    "data-pointer": `${pointer}/${index}/vat`,
    onchange: (event) => { line.vat = event.target.value; changed(); },
  }, known.map((rate) => h("option", { value: rate, selected: rate === line.vat }, /^\d+$/.test(rate) ? `${rate}%` : rate)));
  refresh();
  const made = h("div", { class: "line", role: "group", "aria-label": `Pozycja ${index + 1}` },
    h("div", { class: "named" }, input("name", "Nazwa"), line.ean ? h("span", { class: "ean" }, `EAN ${line.ean}`) : null),
    input("quantity", "Ilość", { inputmode: "decimal" }),
    input("unit", "J.m.", {}),
    input("unit_price", net ? "Cena netto" : "Cena brutto", { inputmode: "decimal" }),
    h("div", { class: "field f-vat" }, h("label", { for: `${prefix}-${index}-vat` }, "VAT"), rates),
    input("discount", "Rabat zł", { inputmode: "decimal" }),
    h("div", { class: "field f-value" }, h("span", { class: "label" }, "Wartość"), value),
    h("button", {
      type: "button", class: "remove", "aria-label": `Usuń pozycję ${index + 1}`, title: "Usuń pozycję",
      onclick: () => {
        lines.splice(index, 1);
        if (!lines.length) lines.push(emptyLine());
        drawRows(box, lines, options);
        changed();
        byId(`${prefix}-${Math.min(index, lines.length - 1)}-name`).focus();
      },
    }, "×"),
    more(line, index));
  drawn.set(made, { line, lines, net, ean: line.ean, refresh: () => {
    made.querySelectorAll("[data-pointer]").forEach((control) => {
      const name = control.dataset.pointer.split("/").at(-1);
      if (name in line && control.type !== "checkbox" && control.value !== line[name]) control.value = line[name];
    });
    refresh();
  } });
  return made;
}

/** Over 15 000 zł the annex decides about split payment (art. 106e ust. 1 pkt 18a): only then a line asks. */
export function annexMark(line, index, changed) {
  const control = h("input", {
    type: "checkbox", id: `line-${index}-annex_15`, "data-pointer": `/lines/${index}/annex_15`,
    checked: line.extra?.annex_15 === true,
    onchange: (event) => { line.extra = { ...line.extra, annex_15: event.target.checked }; changed(); },
  });
  return h("div", { class: "f-annex" }, h("label", {}, control, " Z załącznika nr 15 (mechanizm podzielonej płatności)"));
}
