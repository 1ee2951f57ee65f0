// What only a manager may do: declare offline24, confirm a total failure, withdraw either. Every step has a reason.

import { get, post, remove } from "../common/api.js";
import { byId, fact, h, whileBusy } from "../common/dom.js";
import { office } from "./office.js";
import { MODES, momentShown } from "../common/words.js";

const SESSION = "/page/manager-session";

let page = null;
let secret = ""; // a manager's token that was typed in
let session = null; // {manager}: whose PIN opened one at this page
let byToken = false; // asked for a token although there is a PIN
let drawn = ""; // the mode and the clock's trouble that are on the screen

export function start(settings) {
  page = settings;
}

/** Whether a manager works at this page. */
export const isHere = () => page?.role === "manager" || session !== null;

/** With which options a manager's request goes out. */
export const options = () => ({ secret: secret || undefined, manager: session !== null });

export async function show(message = "") {
  const [mode, clock] = await situation();
  byId("view-manager").replaceChildren(modeCard(mode, clock, message));
  if (isHere()) byId("view-manager").append(await office(clock.date, options, told));
}

function modeCard(mode, clock, message = "") {
  drawn = fingerprint(mode, clock);
  return h("form", { class: "card", id: "manager-mode", novalidate: true, onsubmit: (event) => event.preventDefault() },
    h("div", { class: "card-head" },
      h("h1", { id: "manager-title", tabindex: "-1" }, session ? `Kierownik: ${session.manager}` : "Kierownik"),
      session ? h("button", { type: "button", id: "manager-leave", onclick: () => leave().then(() => show()) }, "Zakończ") : null),
    h("dl", { class: "facts" },
      fact("Tryb teraz", MODES[mode.mode]),
      fact("Dlaczego", mode.reason),
      mode.declared === "total_failure" || (mode.declared && !mode.reason.includes(mode.declared_reason)) ? fact(mode.declared === "total_failure" ? "Potwierdził" : "Ogłosił",
        `${mode.declared_by}: ${mode.declared_reason || ""}`) : null),
    mode.total_failure_to_confirm ? h("p", { class: "note bad" },
      "Ogłoszono awarię całkowitą KSeF. Sprawdź radio, telewizję albo stronę Ministerstwa Finansów. Podają ją: ",
      "potwierdź, a faktur nie trzeba będzie wysyłać. Nie podają: odrzuć. Do tego czasu terminy wysłania biegną.") : null,
    h("p", { class: "note bad", id: "manager-error", role: "alert", hidden: true }),
    message ? h("p", { class: "note good", role: "status" }, message) : null,
    ...(asksPin() ? [pinField(), clock.problem ? h("p", { class: "note bad" }, clock.problem) : null] : controls(mode, clock)));
}

const asksPin = () => !isHere() && page.manager_pin && !byToken;

/** What a manager decides, with the reason for it; a till without PINs asks for a token beside. */
function controls(mode, clock) {
  return [
    isHere() ? null : h("div", { class: "field" }, h("label", { for: "manager-token" }, "Kod dostępu kierownika"),
      h("input", { id: "manager-token", type: "password", autocomplete: "off", value: secret,
        oninput: (event) => { secret = event.target.value.trim(); } })),
    h("div", { class: "field" }, h("label", { for: "manager-reason" }, "Powód (zostanie w dzienniku)"),
      h("input", { id: "manager-reason", required: true })),
    mode.declared || mode.total_failure_to_confirm ? null : h("p", { class: "hint" },
      "Offline24 ogłoś, gdy KSeF lub internet zawodzi i kasa nie ma na niego czekać. Faktury trafią do KSeF same."),
    h("div", { class: "row", id: "manager-steps" }, ...steps(mode)),
    h("div", { id: "manager-sure", class: "note warn", role: "group", "aria-label": "Potwierdzenie", hidden: true }),
    clock.problem ? clockTrouble(clock) : null,
    mode.declared === "total_failure" || mode.total_failure_to_confirm ? null : unheard(),
    mode.false_alarm_possible ? wasNone() : null,
  ];
}

function pinField() {
  return h("div", {},
    h("div", { class: "field" }, h("label", { for: "manager-pin" }, "PIN kierownika"),
      h("input", { id: "manager-pin", class: "big-input", type: "password", inputmode: "numeric", autocomplete: "off",
        onkeydown: (event) => { if (event.key === "Enter") byId("manager-enter").click(); } })),
    h("div", { class: "row" },
      h("button", { type: "button", class: "primary", id: "manager-enter", onclick: (event) => whileBusy(event.currentTarget, enter) }, "Wejdź"),
      h("button", { type: "button", onclick: () => { byToken = true; show(); } }, "Mam kod dostępu")));
}

async function enter() {
  const pin = byId("manager-pin").value;
  byId("manager-pin").value = "";
  const well = await told(async () => { session = await post(SESSION, { body: JSON.stringify({ pin }), manager: true }); });
  if (well) {
    await show();
    byId("manager-title").focus();
  } else byId("manager-pin")?.focus();
}

/** Something changed in the agent; whoever has begun to type is not interrupted. */
export async function refresh() {
  const inputs = [...byId("view-manager").querySelectorAll("#manager-mode input")];
  if (inputs.some((input) => input.value || input === document.activeElement) || byId("manager-sure")?.hidden === false) return;
  const now = await situation();
  if (fingerprint(...now) === drawn || !byId("manager-mode")) return;
  const focused = byId("manager-mode").contains(document.activeElement) ? document.activeElement : null;
  byId("manager-mode").replaceWith(modeCard(...now)); // what a manager has chosen of months and days below stays
  if (focused) (byId(focused.id) || sameStep(focused.dataset.step) || byId("manager-title")).focus();
}

const sameStep = (label) => [...document.querySelectorAll("[data-step]")].find((each) => each.dataset.step === label);

const situation = () => Promise.all([get("/v1/mode"), get("/v1/clock")]);

/** What would draw the view anew: the mode, and whether the clock has trouble; not its time, which runs. */
const fingerprint = (mode, clock) => JSON.stringify([mode, clock.problem && clock.state, clock.date]);

/** What can be done now: never more than two buttons. What has an opposite meaning in law is asked for twice. */
function steps(mode) {
  if (mode.declared === "total_failure") {
    return [action("Awaria całkowita się skończyła", "Odwołano awarię całkowitą: faktury znowu trafiają do KSeF.", end, IT_ENDED),
      action("To był fałszywy alarm", "Odwołano awarię całkowitą: wszystkie faktury trzeba przesłać.", falseAlarm, THERE_WAS_NONE)];
  }
  if (mode.total_failure_to_confirm) {
    return [action("Potwierdź awarię całkowitą", "Potwierdzono awarię całkowitą.", confirm, THERE_IS_ONE),
      action("Odrzuć: fałszywy alarm", "Odrzucono awarię całkowitą.", falseAlarm, THERE_WAS_NONE)];
  }
  return [mode.declared
    ? action("Odwołaj tryb", "Odwołano tryb.", end)
    : action("Ogłoś offline24", "Ogłoszono tryb offline24.", offline24)];
}

const THERE_IS_ONE = ["Faktur wystawionych odtąd do końca awarii nie przesyła się do KSeF, nigdy.", "Tak, awarię podały media"];
const IT_ENDED = ["Awaria była i się skończyła. Faktur z jej czasu nie przesyła się do KSeF, następne znowu tak.", "Tak, awaria się skończyła"];
const THERE_WAS_NONE = ["Awarii nie było. Wszystkie faktury z tego czasu trzeba przesłać do KSeF; kasa zrobi to sama.", "Tak, awarii nie było"];

/** The till issues nothing while nothing confirms its date; a manager who looks at another clock can. */
function clockTrouble(clock) {
  return h("section", { id: "manager-clock" },
    h("p", { class: "note bad" }, clock.problem),
    clock.confirmable ? h("p", {}, `Kasa pokazuje ${momentShown(clock.shows)}. Porównaj z telefonem: `,
      "potwierdź tylko wtedy, gdy zgadza się dzień, miesiąc, rok i godzina.") : null,
    clock.confirmable ? h("button", { type: "button", onclick: (event) => whileBusy(event.currentTarget, () => told(async () => {
      await post("/v1/clock", { body: JSON.stringify({ date: clock.date }), ...options() });
      secret = "";
      await show("Potwierdzono datę: kasa znowu wystawia faktury.");
    })) }, "Data i godzina są właściwe") : null);
}

/** A total failure is announced in the media; Latarnia may be down with the rest (art. 106ne ust. 3). */
function unheard() {
  return h("details", {},
    h("summary", {}, "Awarię całkowitą podały media, a kasa o niej nie wie"),
    h("p", {}, "Potwierdź tylko to, co podały radio, telewizja albo Ministerstwo Finansów. Faktury nie będą wysyłane."),
    action("Potwierdź awarię całkowitą", "Potwierdzono awarię całkowitą.", confirm, THERE_IS_ONE));
}

/** A total failure is over, and turns out never to have been: what was issued in it has to be sent after all. */
function wasNone() {
  return h("details", {},
    h("summary", {}, "Awarii całkowitej, która się skończyła, wcale nie było"),
    h("p", {}, "Potwierdź tylko to, co podaje Ministerstwo Finansów. Faktury z tego czasu zostaną przesłane do KSeF."),
    action("To był fałszywy alarm", "Faktury z czasu tej awarii zostaną przesłane do KSeF.", falseAlarm, THERE_WAS_NONE));
}

const falseAlarm = (reason) => remove("/v1/mode?false_alarm=true", { body: JSON.stringify({ reason }), ...options() });
const confirm = (reason) => post("/v1/mode", { body: JSON.stringify({ mode: "total_failure", reason }), ...options() });
const offline24 = (reason) => post("/v1/mode", { body: JSON.stringify({ mode: "offline24", reason }), ...options() });
const end = (reason) => remove("/v1/mode", { body: JSON.stringify({ reason }), ...options() });

/** A button; with `sure` ([what follows, the word for yes]) it asks once more. */
function action(label, done, call, sure = null) {
  const run = async () => {
    const reason = byId("manager-reason").value.trim();
    const well = await told(async () => {
      await call(reason);
      secret = "";
      await show(done);
    });
    if (!well && !reason) byId("manager-reason").focus();
  };
  return h("button", { type: "button", class: "primary", "data-step": label, onclick: (event) => {
    if (sure && byId("manager-reason").value.trim()) ask(label, sure, run);
    else whileBusy(event.currentTarget, run); // without a reason the agent says that one is needed
  } }, label);
}

function ask(label, [consequence, yes], run) {
  const close = () => { byId("manager-sure").hidden = true; };
  byId("manager-sure").replaceChildren(
    h("p", {}, h("strong", {}, `${label}?`), ` ${consequence}`),
    h("div", { class: "row" },
      h("button", { type: "button", id: "manager-no", onclick: close }, "Anuluj"),
      h("button", { type: "button", class: "primary", id: "manager-yes", onclick: (event) => whileBusy(event.currentTarget, run) }, yes)));
  byId("manager-sure").hidden = false;
  byId("manager-no").focus();
}

/** Do it, and show why where it does not work; return whether it did. */
async function told(work) {
  try {
    byId("manager-error").hidden = true;
    await work();
    return true;
  } catch (error) {
    if (session && error.code === "not-permitted") { // the session is over
      session = null;
      await show();
    }
    byId("manager-error").textContent = error.message;
    byId("manager-error").hidden = false;
    return false;
  }
}

/** Another view: a token that was typed is forgotten; a session goes on, for a rejected invoice or the queue. */
export function forget() {
  secret = "";
  byToken = false;
}

/** The cashier sells again, or the manager says so: the session ends. */
export async function leave() {
  forget();
  if (!session) return;
  session = null;
  await remove(SESSION, { manager: true }).catch(() => {}); // it ends by itself, too
}
