// What the paper will show, before the press. The agent reads and checks the basket as it does for an invoice.

import { postText, Problem, Unreachable } from "../common/api.js";
import { saleOf } from "../basket/body.js";
import { byId, h, openDialog, whileBusy } from "../common/dom.js";
import * as store from "../basket/draft.js";
import { complain, explain, hush } from "../common/explain.js";

/**
 * readScreen  take what stands in the fields
 * drawLines   draw the lines anew
 */
export function start({ readScreen, drawLines }) {
  byId("preview-button").addEventListener("click", ({ currentTarget }) => whileBusy(currentTarget, async () => {
    hush();
    readScreen();
    if (store.dropEmptyLines()) drawLines();
    try {
      show(await postText("/v1/preview", { body: JSON.stringify(saleOf()) }));
    } catch (error) {
      if (error instanceof Problem) explain(error, "Takiej faktury nie da się wystawić.");
      else if (error instanceof Unreachable) complain(error.message);
      else throw error;
    }
  }));
}

function show(text) {
  openDialog("preview", "Podgląd wydruku", (close) => [
    h("pre", { class: "preview-paper", tabindex: "0" }, text),
    h("div", { class: "row" }, h("button", { type: "button", class: "primary", onclick: close }, "Zamknij")),
  ]);
}
