// The bar under the header: the mode and why, KSeF, the queue; below it what is wrong.

import { byId, h, putText } from "./common/dom.js";
import { dayShown, distance, MODES, momentShown } from "./common/words.js";

const KSEF = { up: "KSeF odpowiada", down: "KSeF nie odpowiada", unknown: "KSeF: jeszcze nie wiadomo" };

/** Draw the agent's state. */
export function banner(status) {
  const bar = byId("banner");
  bar.dataset.mode = status.mode;
  putText("banner-mode", MODES[status.mode] || status.mode);
  putText("banner-why", status.mode_reason || "");
  const { unsent, next_deadline: next, waiting_for_window: held, window_opens_at: opens } = status.queue;
  const window = held ? `czeka na okno wysyłki od ${momentShown(opens)}: ${held}` : "";
  const waiting = unsent ? [`w kolejce: ${unsent}`, window, next ? `termin: ${dayShown(next)} (${distance(next)[0]})` : ""] : ["kolejka pusta"];
  putText("banner-facts", [KSEF[status.ksef.state] || status.ksef.state, ...waiting].filter(Boolean).join(" · "));
  byId("queue-count").hidden = !unsent;
  byId("queue-count").textContent = unsent ? String(unsent) : "";
  const told = status.problems.some((item) => item.code === "total-failure-unconfirmed");
  const confirm = status.total_failure_to_confirm && !told
    ? [{ message: "Ogłoszono awarię całkowitą KSeF. Kierownik musi ją potwierdzić albo odrzucić (zakładka „Kierownik”).", severity: "critical" }] : [];
  const printers = status.printers.filter((printer) => printer.problem)
    .map(({ name, problem }) => ({ message: problem.startsWith("Drukarka") ? problem : `Drukarka ${name}: ${problem}` }));
  const known = new Set(printers.map((item) => item.message));
  const shop = status.problems.map((item) => ({ ...item, message: item.message.replace(/: \d{3}: .*$/s, ".") })); // KSeF's words: at the invoice
  troubles([...confirm, ...printers, ...shop.filter((item) => !known.has(item.message) && item.code !== "printer")]);
}

/** Say what is wrong, at most three things; [{message, severity}]. */
export function troubles(list) {
  const words = list.map((item) => item.message).join("\n");
  if (byId("troubles").dataset.words === words) return;
  byId("troubles").dataset.words = words;
  byId("troubles").replaceChildren(...list.slice(0, 3).map((item) => (
    h("p", { class: `trouble ${item.severity === "critical" ? "bad" : "warn"}` }, item.message))));
}

/** Nobody answers at the agent's address. */
export function agentGone() {
  byId("banner").dataset.mode = "gone";
  putText("banner-mode", "Brak połączenia z programem");
  putText("banner-why", "Koszyk zostaje. Próbuję ponownie… Gdy to trwa, sprawdź komputer kasy albo zadzwoń do serwisu.");
  putText("banner-facts", "");
}
