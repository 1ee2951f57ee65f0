// Returns and corrections of one invoice of this till.

import { elements, valueOf, xmlOf } from "../invoices/again.js";
import { newKey } from "../common/api.js";
import { collectiveBody, collectiveFields } from "./collective.js";
import {
  buyerMistakes, correctionForm, kindChoices, KINDS, moneyChoice, paymentsOf, reasonField, refuse, rightBuyer, rightBuyerOf,
} from "./correction_form.js";
import { byId, h } from "../common/dom.js";
import { depositField, depositsBack, takenFields, takenSale } from "./exchange.js";
import { plainNumber, shown } from "../common/money.js";
import { emptyBuyer } from "../buyer/owner.js";
import { buyerShown } from "../common/words.js";

const MONEY_MOVES = ["return", "full_return", "exchange", "price"];
const GOODS_COME_BACK = ["return", "full_return", "exchange"];

let cancel = () => {};
let order = null;

export function start(callbacks) {
  cancel = callbacks.cancel;
}

/** Begin a correction of `invoice`, for `show`; its lines come from its own XML. */
export async function begin(invoice) {
  const xml = await xmlOf(invoice);
  const lines = linesOf(xml);
  const [deposits] = elements(xml, "SumaObciazen").map((sum) => sum.textContent.trim());
  return {
    key: newKey(), invoice, lines, deposits, net: lines.some((line) => line.net), right: emptyBuyer(), reasons: {}, collective: null,
  };
}

/** Show the form of a correction that was begun. */
export function show(begun) {
  order = begun;
  draw("return");
}

/** FaWiersz of a FA(3): the line's number, name, quantity, unit and price. */
const linesOf = (xml) => elements(xml, "FaWiersz").map((row) => ({
  line: Number(valueOf(row, "NrWierszaFa")),
  name: valueOf(row, "P_7"),
  unit: valueOf(row, "P_8A"),
  quantity: valueOf(row, "P_8B"),
  price: valueOf(row, "P_9B") || valueOf(row, "P_9A"),
  net: Boolean(valueOf(row, "P_9A")) && !valueOf(row, "P_9B"),
  typed: { quantity: "", unit_price: "" },
}));

function draw(kind) {
  const { invoice } = order;
  byId("view-correct").replaceChildren(correctionForm(
    {
      title: `Korekta faktury ${invoice.number}`, key: order.key, cancel: () => cancel(invoice),
      submit: async () => {
        const body = await bodyOf(kind);
        return body && { path: `/v1/invoices/${encodeURIComponent(invoice.id)}/corrections`, body };
      },
    },
    h("p", {}, `${buyerShown(invoice.buyer)}, ${shown(invoice.totals.gross, invoice.totals.currency)}`),
    invoice.ksef_number || ["total_failure", "outside_ksef"].includes(invoice.mode) ? null : h("p", { class: "note warn" },
      "Ta faktura nie ma jeszcze numeru KSeF. Kasa przyjmie korektę teraz i wystawi ją sama, gdy numer nadejdzie."),
    invoice.ksef_number && inTotalFailure() ? h("p", { class: "note warn" },
      "Trwa awaria całkowita KSeF, a ta faktura jest w KSeF. Kasa przyjmie korektę teraz i wystawi ją sama, gdy awaria się skończy.") : null,
    kindChoices(kindsOf(invoice), kind, draw),
    kind === "return" || kind === "exchange" ? lineTable("quantity", "Zwrot", "Ilość zwracana", () => "0") : null,
    kind === "price" ? lineTable("unit_price", "Nowa cena", "Nowa cena", (line) => line.price.replace(".", ",")) : null,
    kind === "full_return" ? h("p", { class: "note warn" }, "Wraca wszystko, co zostało z tej faktury.") : null,
    kind === "buyer" ? rightBuyer(order.right, "/buyer") : null,
    kind === "collective" ? collectiveFields(order) : null,
    ...(kind === "exchange" ? takenFields(order) : []),
    GOODS_COME_BACK.includes(kind) ? depositField(order) : null,
    MONEY_MOVES.includes(kind) ? moneyChoice(order, invoice.payments) : null,
    reasonField(order, kind, "")));
}

/** Whether one is confirmed now, as the bar under the header says. */
export const inTotalFailure = () => byId("banner").dataset.mode === "total_failure";

/** An exchange in another currency would need a rate of its own. */
const kindsOf = ({ totals }) => Object.keys(KINDS).filter((kind) => kind !== "exchange" || totals.currency === "PLN");

/** One input per line of the invoice: how much comes back, or what it costs now. */
function lineTable(name, head, label, placeholder) {
  return h("table", { class: "return-lines" },
    h("thead", {}, h("tr", {}, ["Pozycja", "Sprzedano", head].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, order.lines.map((line) => h("tr", {},
      h("td", { "data-head": "Pozycja" }, line.name),
      h("td", { "data-head": "Sprzedano" }, `${line.quantity.replace(".", ",")} ${line.unit}`),
      h("td", { "data-head": head }, h("div", { class: "field" }, h("input", {
        id: `correct-line-${line.line}`, inputmode: "decimal", "data-line": line.line, placeholder: placeholder(line),
        "aria-label": `${label}: ${line.name}`, value: line.typed[name],
        oninput: (event) => { line.typed[name] = event.target.value; },
      })))))));
}

const WHICH_LINES = {
  return: "Wpisz, ile której pozycji wróciło.",
  exchange: "Wpisz, ile której pozycji wróciło.",
  price: "Wpisz nową cenę co najmniej jednej pozycji.",
};

async function bodyOf(kind) {
  const body = {
    kind,
    reason: order.reasons[kind].trim(),
    ...(MONEY_MOVES.includes(kind) ? paymentsOf(order) : {}),
    ...(GOODS_COME_BACK.includes(kind) ? depositsBack(order) : {}),
  };
  if (WHICH_LINES[kind]) {
    body.lines = changedLines(kind, order.lines, "/lines", (line) => byId(`correct-line-${line.line}`));
    if (!body.lines.length) return refuse(WHICH_LINES[kind]);
  }
  if (kind === "exchange") {
    body.sale = takenSale(order);
    if (!body.sale) return refuse("", [{ pointer: "/sale/lines/0/name", message: "Wpisz, co klient bierze w zamian." }]);
    if (!order.settled) return refuse("", [{ pointer: "/payments", message: "Wybierz, jak rozliczysz różnicę." }]);
  }
  if (kind === "buyer") {
    const mistakes = await buyerMistakes(order.right, "right", "/buyer");
    if (mistakes.length) return refuse("", mistakes);
    body.buyer = rightBuyerOf(order.right);
  }
  if (kind === "collective") {
    const more = await collectiveBody(order);
    return more && { ...body, ...more };
  }
  return body;
}

/** Lines that were typed in, as the API takes them; each input learns where its line lies in what is sent. */
export function changedLines(kind, lines, pointer, inputOf) {
  const name = kind === "price" ? "unit_price" : "quantity";
  const plain = (line) => plainNumber(line.typed[name]);
  const changed = lines.filter((line) => plain(line) && (kind === "price" || Number(plain(line)) !== 0));
  lines.forEach((line) => { delete inputOf(line).dataset.pointer; });
  return changed.map((line, index) => {
    inputOf(line).dataset.pointer = `${pointer}/${index}/${name}`;
    return { line: line.line, [name]: plain(line) };
  });
}
