// What KSeF and the line of this shop did not do, newest first, each with its closing report.

import { h } from "../common/dom.js";
import { part, save } from "./office_parts.js";
import { momentShown } from "../common/words.js";

const KINDS = {
  awaria: "Awaria KSeF",
  "awaria-calkowita": "Awaria całkowita",
  niedostepnosc: "Niedostępność KSeF",
  offline24: "Offline24 ogłoszony w sklepie",
  lacze: "Brak łączności kasy",
};
const SHOWN = 5; // the others are folded away

/** The section; nothing where there was none. */
export function outages(list, options, tried) {
  if (!list.length) return null;
  const newest = list.toReversed();
  const rows = (some) => h("ul", { class: "outages" }, some.map((each) => row(each, options, tried)));
  return part("Przerwy w działaniu",
    rows(newest.slice(0, SHOWN)),
    newest.length > SHOWN ? h("details", {}, h("summary", {}, `Wcześniejsze: ${newest.length - SHOWN}`), rows(newest.slice(SHOWN))) : null);
}

function row({ name, kind, begin, end }, options, tried) {
  const what = KINDS[kind] || kind;
  const since = momentShown(begin);
  return h("li", {},
    h("div", {}, h("strong", {}, what), ` ${since} – ${end ? momentShown(end) : "trwa"}`),
    save("Raport (PDF)", tried, () => [`/v1/outages/${encodeURIComponent(name)}?format=pdf`, `raport-${name}.pdf`, options()], {
      "aria-label": `Raport (PDF): ${what}, ${since}`,
    }));
}
