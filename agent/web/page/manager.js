// What only a manager may do: declare offline24, confirm a total failure, withdraw either. Every step has a reason.

import { get, post, remove } from "./api.js";
import { byId, h, whileBusy } from "./dom.js";
import { MODES, momentShown } from "./words.js";

let page = null;
let secret = "";
let drawn = ""; // the mode and the clock's trouble that are on the screen

export function start(settings) {
  page = settings;
}

export async function show(message = "") {
  const [mode, clock] = await situation();
  drawn = fingerprint(mode, clock);
  const manager = page.role === "manager";
  byId("view-manager").replaceChildren(
    h("form", { class: "card", novalidate: true, onsubmit: (event) => event.preventDefault() },
      h("h1", { id: "manager-title", tabindex: "-1" }, "Kierownik"),
      h("dl", { class: "facts" },
        fact("Tryb teraz", `${MODES[mode.mode]} (${mode.legal_basis})`),
        fact("Dlaczego", mode.reason),
        mode.declared === "total_failure" || (mode.declared && !mode.reason.includes(mode.declared_reason)) ? fact(mode.declared === "total_failure" ? "Potwierdził" : "Ogłosił",
          `${mode.declared_by}: ${mode.declared_reason || ""}`) : null),
      mode.total_failure_to_confirm ? h("p", { class: "note bad" },
        "Ogłoszono awarię całkowitą KSeF. Sprawdź radio, telewizję albo stronę Ministerstwa Finansów. Podają ją: ",
        "potwierdź, a faktur nie trzeba będzie wysyłać. Nie podają: odrzuć. Do tego czasu terminy wysłania biegną.") : null,
      manager ? null : h("div", { class: "field" }, h("label", { for: "manager-token" }, "Kod dostępu kierownika"),
        h("input", { id: "manager-token", type: "password", autocomplete: "off", value: secret,
          oninput: (event) => { secret = event.target.value.trim(); } })),
      h("div", { class: "field" }, h("label", { for: "manager-reason" }, "Powód (zostanie w dzienniku)"),
        h("input", { id: "manager-reason", required: true })),
      h("p", { class: "note bad", id: "manager-error", role: "alert", hidden: true }),
      message ? h("p", { class: "note good", role: "status" }, message) : null,
      mode.declared || mode.total_failure_to_confirm ? null : h("p", { class: "hint" },
        "Offline24 ogłoś, gdy KSeF lub internet zawodzi i kasa nie ma na niego czekać. Faktury trafią do KSeF same."),
      h("div", { class: "row" },
        ...steps(mode)),
      clock.problem ? clockTrouble(clock) : null,
      mode.declared === "total_failure" || mode.total_failure_to_confirm ? null : unheard(),
      mode.false_alarm_possible ? wasNone() : null));
}

/** Something changed in the agent; whoever has begun to type is not interrupted. */
export async function refresh() {
  const inputs = [...byId("view-manager").querySelectorAll("input")];
  if (inputs.some((input) => input.value || input === document.activeElement)) return;
  if (fingerprint(...await situation()) !== drawn) await show();
}

const situation = () => Promise.all([get("/v1/mode"), get("/v1/clock")]);

/** What would draw the view anew: the mode, and whether the clock has trouble; not its time, which runs. */
const fingerprint = (mode, clock) => JSON.stringify([mode, clock.problem && clock.state, clock.date]);

/** What can be done now: never more than two buttons. */
function steps(mode) {
  if (mode.declared === "total_failure") {
    return [action("Awaria całkowita się skończyła", "Odwołano awarię całkowitą: faktury znowu trafiają do KSeF.", end),
      action("To był fałszywy alarm", "Odwołano awarię całkowitą: wszystkie faktury trzeba przesłać.", falseAlarm)];
  }
  if (mode.total_failure_to_confirm) {
    return [action("Potwierdź awarię całkowitą", "Potwierdzono awarię całkowitą.", declare, "total_failure"),
      action("Odrzuć: fałszywy alarm", "Odrzucono awarię całkowitą.", falseAlarm)];
  }
  return [mode.declared
    ? action("Odwołaj tryb", "Odwołano tryb.", end)
    : action("Ogłoś offline24", "Ogłoszono tryb offline24.", declare, "offline24")];
}

/** The till issues nothing while nothing confirms its date; a manager who looks at another clock can. */
function clockTrouble(clock) {
  return h("section", { id: "manager-clock" },
    h("p", { class: "note bad" }, clock.problem),
    clock.confirmable ? h("p", {}, `Kasa pokazuje ${momentShown(clock.shows)}. Porównaj z telefonem: `,
      "potwierdź tylko wtedy, gdy zgadza się dzień, miesiąc, rok i godzina.") : null,
    clock.confirmable ? h("button", { type: "button", onclick: (event) => whileBusy(event.currentTarget, () => told(async () => {
      await post("/v1/clock", { body: JSON.stringify({ date: clock.date }), secret: secret || undefined });
      secret = "";
      await show("Potwierdzono datę: kasa znowu wystawia faktury.");
    })) }, "Data i godzina są właściwe") : null);
}

/** A total failure is announced in the media; Latarnia may be down with the rest (art. 106ne ust. 3). */
function unheard() {
  return h("details", {},
    h("summary", {}, "Awarię całkowitą podały media, a kasa o niej nie wie"),
    h("p", {}, "Potwierdź tylko to, co podały radio, telewizja albo Ministerstwo Finansów. Faktury nie będą wysyłane."),
    action("Potwierdź awarię całkowitą", "Potwierdzono awarię całkowitą.", declare, "total_failure"));
}

/** A total failure is over, and turns out never to have been: what was issued in it has to be sent after all. */
function wasNone() {
  return h("details", {},
    h("summary", {}, "Awarii całkowitej, która się skończyła, wcale nie było"),
    h("p", {}, "Potwierdź tylko to, co podaje Ministerstwo Finansów. Faktury z tego czasu zostaną przesłane do KSeF."),
    action("To był fałszywy alarm", "Faktury z czasu tej awarii zostaną przesłane do KSeF.", falseAlarm));
}

const falseAlarm = (body) => remove("/v1/mode?false_alarm=true", body);
const declare = (body) => post("/v1/mode", body);
const end = (body) => remove("/v1/mode", body);

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function action(label, done, call, mode = undefined) {
  return h("button", { type: "button", class: "primary", onclick: (event) => whileBusy(event.currentTarget, async () => {
    const reason = byId("manager-reason").value.trim();
    const well = await told(async () => {
      await call({ body: JSON.stringify(mode ? { mode, reason } : { reason }), secret: secret || undefined });
      secret = "";
      await show(done);
    });
    if (!well && !reason) byId("manager-reason").focus();
  }) }, label);
}

/** Do it, and show why where it does not work; return whether it did. */
async function told(work) {
  try {
    await work();
    return true;
  } catch (error) {
    byId("manager-error").textContent = error.message;
    byId("manager-error").hidden = false;
    return false;
  }
}

/** Leaving the view forgets the manager's code. */
export function leave() {
  secret = "";
}
