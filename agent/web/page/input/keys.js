// F1: every key of the page, and the sounds.

import { byId, fact, h, openDialog } from "../common/dom.js";
import * as sounds from "../common/sounds.js";

const KEYS = [
  ["F1", "klawisze"], ["F2", "NIP"], ["F3", "odłóż koszyk, pokaż odłożone"], ["F4", "nowa pozycja"],
  ["Alt+1 … Alt+6", "najczęściej sprzedawane towary"],
  ["F6", "gotówka; drugi raz: ile daje klient"], ["F7", "karta"], ["F8", "BLIK"], ["F10", "przelew"],
  ["F9", "Faktura; w korekcie: wystaw ją"], ["Enter", "następne pole"], ["Esc", "nowa sprzedaż, zamknij"],
  ["Ctrl+F", "szukaj faktury"], ["Ctrl+P", "drukuj tę albo ostatnią fakturę"],
];

export function start() {
  byId("keys-button").addEventListener("click", show);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "F1") return;
    event.preventDefault();
    show();
  });
}

function show() {
  openDialog("keys", "Klawisze", (close) => [
    h("dl", { class: "facts" }, KEYS.map(([key, what]) => fact(h("kbd", {}, key), what))),
    h("label", { class: "switch" },
      h("input", { type: "checkbox", id: "sounds", checked: sounds.isOn(), onchange: ({ target }) => sounds.turn(target.checked) }),
      " Dźwięk, gdy program odmówi albo wydruk nie wyjdzie"),
    h("div", { class: "row" }, h("button", { type: "button", class: "primary", onclick: close }, "Zamknij")),
  ]);
}
