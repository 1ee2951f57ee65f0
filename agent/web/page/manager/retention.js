// How long what is kept, and consumers' data whose period is over. An erasure cannot be undone, so it is asked for twice.

import { get, post } from "../common/api.js";
import { byId, fact, h, whileBusy } from "../common/dom.js";
import { part } from "./office_parts.js";
import { dayShown } from "../common/words.js";

/** The section. `options`: with which requests a manager asks; `tried(work)`: does it, and shows why where it does not work. */
export async function retention(options, tried) {
  const place = h("div", { id: "retention" });
  draw(place, await get("/v1/retention", options()), "", options, tried);
  return part("Dane osób prywatnych", place);
}

function draw(place, plan, told, options, tried) {
  place.replaceChildren(
    told ? h("p", { class: "note good", role: "status" }, told) : "",
    h("p", {}, state(plan)),
    plan.due_count && plan.clock_confirmed
      ? h("button", { type: "button", id: "erase", onclick: () => { byId("erase-sure").hidden = false; byId("erase-no").focus(); } },
        `Usuń dane z faktur: ${plan.due_count}`) : "",
    h("div", { id: "erase-sure", class: "note warn", role: "group", "aria-label": "Potwierdzenie usunięcia", hidden: true },
      h("p", {}, "Tego nie da się cofnąć. Zostają numery, kwoty, UPO i dziennik; nabywca i treść faktury znikają."),
      h("div", { class: "row" },
        h("button", { type: "button", id: "erase-no", onclick: () => { byId("erase-sure").hidden = true; byId("erase").focus(); } }, "Anuluj"),
        h("button", { type: "button", class: "primary", id: "erase-yes", onclick: (event) => whileBusy(event.currentTarget, () => tried(async () => {
          const { erased, waiting } = await post("/v1/retention", { ...options() });
          draw(place, await get("/v1/retention", options()), resultWords(erased, waiting), options, tried);
        })) }, "Tak, usuń"))),
    h("details", {}, h("summary", {}, "Jak długo co się przechowuje"),
      h("dl", { class: "facts" }, plan.periods.map(({ what, how_long: howLong, basis }) => fact(what, `${howLong} (${basis})`)))));
}

function state({ due_count: due, erase_consumers: byItself, hold_until: held, clock_confirmed: sure, erased_count: erased }) {
  const words = [
    due ? `Faktury, których okres przechowywania minął: ${due}.` : "Żadne dane nie są trzymane dłużej, niż trzeba.",
    byItself ? "Kasa usuwa je sama, raz dziennie." : "Kasa nie usuwa ich sama (ustawienie).",
    held ? `Wstrzymano do: ${dayShown(held)}.` : "",
    due && !sure ? "Najpierw ktoś musi potwierdzić zegar kasy." : "",
    erased ? `Usunięto dotąd: ${erased}.` : "",
  ];
  return words.filter(Boolean).join(" ");
}

const resultWords = (erased, waiting) => [
  `Usunięto dane z faktur: ${erased}.`, waiting.length ? `Nie usunięto, bo brak pliku archiwum: ${waiting.join(", ")}.` : "",
].filter(Boolean).join(" ");
