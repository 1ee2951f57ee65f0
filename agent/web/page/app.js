// The till page: views, banner, keyboard. Plain modules, no build step, nothing from the network but the agent.

import { forgetToken, get, keepToken, Problem, token } from "./common/api.js";
import * as back from "./back.js";
import { agentGone, banner, troubles } from "./banner.js";
import * as buyer from "./buyer/buyer.js";
import * as burst from "./input/burst.js";
import { invoiceOf, meaning } from "./input/codes.js";
import * as correct from "./corrections/correct.js";
import * as correctionForm from "./corrections/correction_form.js";
import { byId, opened, say } from "./common/dom.js";
import * as find from "./invoices/find.js";
import * as goods from "./basket/goods.js";
import * as handover from "./invoices/handover.js";
import * as invoice from "./invoices/invoice.js";
import * as keyboard from "./input/keyboard.js";
import * as keys from "./input/keys.js";
import * as last from "./invoices/last.js";
import * as manager from "./manager/manager.js";
import { keepPage, keepSettings, lastSettings } from "./offline.js";
import { check } from "./buyer/nip.js";
import * as outside from "./corrections/outside.js";
import * as press from "./sale/press.js";
import * as queue from "./invoices/queue.js";
import * as sale from "./sale/sale.js";
import * as waiting from "./sale/waiting.js";

const VIEWS = ["login", "sale", "invoice", "queue", "find", "correct", "manager"];
const RETRY = 3_000; // milliseconds until the next try when the agent does not answer
const SETTLE = 1_000; // milliseconds: the agent's own summary follows a change a moment later

let view = "";
let started = false;
let alone = false; // begun while the agent was down
let following = 0; // the newest follower; an older one stops
let visits = 0; // views opened, and answers asked for to open one: an answer opens nothing once the user went elsewhere

function open(name) {
  visits += 1;
  if (view === "manager" && name !== "manager") manager.forget();
  if (name === "sale") manager.leave();
  view = name;
  for (const each of VIEWS) byId(`view-${each}`).hidden = each !== name;
  document.querySelectorAll("[data-view]").forEach((tab) => {
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  });
  byId("main").scrollTop = 0;
  press.drawBar();
}

/** Open a view that needs an answer first: the one on the screen stays until then, and the newest wish counts. */
async function visit(ask, arrive) {
  visits += 1;
  const mine = visits;
  const answer = await ask();
  return mine === visits ? arrive(answer) : undefined;
}

/** What to do with a scanned text; null leaves it to the field it went into. */
function understand(text, field) {
  const found = meaning(text);
  if (!found) return null;
  if (press.isOpen()) return press.missScan;
  if (view === "sale" && !opened() && check(text) === "ok" && !field?.closest(".line")) return null; // scan.js has taken it
  if (found.kind === "nip") return () => { goTo.sale(); buyer.takeNip(found.nip); };
  if (found.kind === "product") return () => { open("sale"); goods.takeProduct(found.code); };
  return () => attempt(() => visit(() => invoiceOf(found), (made) => {
    if (made) return goTo.invoice(made.id);
    return say("Tej faktury nie ma na tej kasie.");
  }));
}

const goTo = {
  sale: () => { open("sale"); takeHanded(); sale.focusFirst(); last.draw().catch(() => {}); },
  queue: async () => { open("queue"); await queue.show(); byId("queue-title").focus(); },
  find: async () => { open("find"); await find.show(); },
  correct: (base) => visit(() => correct.begin(base), (order) => {
    correct.show(order);
    open("correct");
    byId("correct-title").focus();
  }),
  invoice: (id) => visit(() => get(`/v1/invoices/${encodeURIComponent(id)}`), (found) => { open("invoice"); invoice.show(found); }),
  outside: (number) => { outside.show(number); open("correct"); byId("base-number").focus(); },
  manager: async () => { open("manager"); await manager.show(); byId("manager-title").focus(); },
};

/** Show a correction that waits. */
function showHeld(given) {
  open("invoice");
  invoice.showHeld(given);
}

/** Show the answer to a press. */
function showMade(given) {
  if (given.held) return showHeld(given);
  open("invoice");
  return invoice.show(given, { fresh: true });
}

/** Run a step the user asked for; what goes wrong is said, not swallowed. */
async function attempt(step) {
  try {
    await step();
  } catch (error) {
    troubles([{ message: error.message }]);
    if (!(error instanceof Problem)) console.warn(error);
  }
}

// --- news ----------------------------------------------------------------------------------------

/** Follow the agent: one long poll at a time, and the status after each change. */
async function follow() {
  following += 1;
  const mine = following;
  let seen = -1;
  while (mine === following) {
    try {
      banner(await get("/v1/status"));
      if (seen >= 0) {
        await refreshView();
        setTimeout(() => get("/v1/status").then(banner, () => {}), SETTLE);
      }
      seen = (await get(`/v1/changes?after=${seen}${seen < 0 ? "&wait=0" : ""}`)).seq;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return;
      agentGone();
      seen = -1;
      await new Promise((resolve) => { setTimeout(resolve, RETRY); });
    }
  }
}

async function refreshView() {
  if (view === "sale" || waiting.isOn()) await last.draw();
  if (view === "invoice") await invoice.refresh();
  if (view === "manager") await manager.refresh();
  if (view === "queue") await queue.show();
  if (view === "find") await find.refresh();
}

// --- start --------------------------------------------------------------------------------------

/**
 * #token=… of the desktop link, #sale=…&return=… of the till's own program; they leave the address bar at once. The
 * demonstration gives its token as ?demo=…: a redirect with a fragment would replace the sale's.
 */
let handed = null;

function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  const demo = new URLSearchParams(location.search).get("demo");
  if (given.get("token") || demo) keepToken(given.get("token") || demo);
  if (given.get("sale")) handed = { sale: given.get("sale"), back: given.get("return") || "" };
  if (location.hash || demo) history.replaceState(null, "", location.pathname + (demo ? "?demo" : location.search));
}

/** A basket that came while a press had no answer waits for the next visit of the sale. */
function takeHanded() {
  if (handed !== null && sale.hand(handed)) handed = null;
}

function handOver() {
  if (handed !== null) goTo.sale();
}

/** Put a sale that `ask` fetches into the form, over a begun one only if that is meant; false where that has to wait. */
const again = (ask, sure) => visit(ask, (given) => {
  if (!sure && !sale.isEmpty()) return false;
  if (!sale.take(given)) return false;
  goTo.sale();
  return true;
});

function askForToken(message = "") {
  open("login");
  byId("login-error").textContent = message;
  byId("login-token").focus();
}

async function enter() {
  let settings;
  try {
    settings = await get("/v1/page");
  } catch (error) {
    if (error instanceof Problem) return; // token-refused has asked for another one
    agentGone();
    if (!started && lastSettings()) {
      begin(lastSettings()); // the basket is there, and waits
      alone = true;
    }
    setTimeout(enter, RETRY);
    return;
  }
  keepSettings(settings);
  if (!started) begin(settings);
  else {
    apply(settings);
    if (!alone || handed !== null) goTo.sale();
  }
  alone = false;
  follow();
  keepPage().catch((error) => console.warn(error));
}

/** What another token, or the agent's newest settings, change. */
function apply(settings) {
  byId("till-name").textContent = `Kasa ${settings.till}`;
  document.title = `Faktura – kasa ${settings.till}`;
  keyboard.configure(settings);
  manager.start(settings);
  back.start(settings.return_to || []);
  handover.configure(settings);
  invoice.start({
    next: goTo.sale,
    again,
    isManager: manager.isHere,
    managerOptions: manager.options,
    open: (id) => attempt(() => goTo.invoice(id)),
    correct: (base) => attempt(() => goTo.correct(base)),
  });
}

function begin(settings) {
  started = true;
  apply(settings);
  const demo = settings.sample_basket || new URLSearchParams(location.search).has("demo");
  const show = (id) => attempt(() => goTo.invoice(id));
  open("sale");
  last.start({ open: show, changed: waiting.follow });
  burst.start({ listens: () => !["login", "manager"].includes(view), understand });
  sale.start({ answered: showMade, abandoned: () => attempt(goTo.find), sampleBasket: demo });
  correctionForm.start({
    done: showMade,
    unanswered: (error) => { open("sale"); press.unanswered(error.message, error.refusedForNow); },
  });
  correct.start({ cancel: (base) => show(base.id) });
  outside.start({ cancel: () => attempt(goTo.find) });
  queue.start({ open: show, held: (correction) => showHeld({ held: correction }) });
  find.start({ open: show, outside: (number) => attempt(() => goTo.outside(number)) });
  goTo.sale();
}

/** Where the browser's own search and print would be of the page, not of the invoices. */
const VIEW_KEYS = {
  f: (event) => { event.preventDefault(); attempt(goTo.find); },
  p: (event) => { event.preventDefault(); byId(view === "invoice" ? "reprint" : "last-print")?.click(); },
};

document.querySelectorAll("[data-view]").forEach((tab) => tab.addEventListener("click", () => {
  if (started) attempt(goTo[tab.dataset.view]);
}));
document.addEventListener("token-refused", (event) => {
  if (view === "manager") return; // the manager's own code was wrong, not the till's
  forgetToken();
  askForToken(event.detail || "");
});
keys.start();
keyboard.start();
keyboard.configure(lastSettings() ?? {});
document.addEventListener("keydown", (event) => {
  if (opened()) return;
  sale.shortcut(event);
  if (view === "correct" && event.key === "F9") {
    event.preventDefault();
    byId("correct-form")?.requestSubmit();
  }
  if (event.ctrlKey && !event.altKey && started && view !== "login" && !press.isOpen()) VIEW_KEYS[event.key.toLowerCase()]?.(event);
  if (event.key === "Escape" && ["invoice", "queue", "find", "manager"].includes(view)) goTo.sale();
});
byId("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = byId("login-token").value.trim();
  if (!given) return;
  keepToken(given);
  byId("login-token").value = "";
  byId("login-error").textContent = "";
  enter();
});

window.addEventListener("hashchange", () => {
  const before = token();
  takeFragment();
  if (token() !== before) enter();
  else if (started) handOver();
});

takeFragment();
if (token()) enter();
else askForToken();
