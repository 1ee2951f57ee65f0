// One invoice: what to hand over, in which mode and why, with the paper beside it.

import { saleFrom } from "./again.js";
import { blob, get, post } from "../common/api.js";
import { wayBackWith } from "../back.js";
import { byId, h, saveFile, say } from "../common/dom.js";
import { handOver } from "./handover.js";
import * as held from "./held.js";
import { facts, headline, kindShown, kindWord, mood, replacementNote } from "./invoice_parts.js";
import { loadPaper, paperFigure } from "./paper_picture.js";
import { isRefused } from "../sale/press.js";
import { loadRelatives, relativesPlace } from "./relatives.js";
import { signal } from "../common/sounds.js";
import { askReason, guarded } from "./steps.js";
import { isUnprinted, PRINTS } from "../common/words.js";

let current = null;
let actions = {
  open: () => {}, correct: () => {}, next: () => {}, again: () => {}, isManager: () => false, managerOptions: () => ({}),
};

/**
 * open     show another invoice, by its id
 * correct  begin a correction of the invoice
 * next     go to the sale
 * again    put a sale, given what fetches it, into the form; false where that has to wait
 * isManager, managerOptions  whether a manager works here, and with which options his requests go out
 */
export function start(callbacks) {
  actions = callbacks;
}

/** Show an invoice as the agent answered. `fresh` marks the answer to a press just made. */
export function show(invoice, { fresh = false } = {}) {
  current = { ...invoice, fresh };
  if (fresh && isUnprinted(invoice)) signal("unprinted");
  held.leave();
  draw();
  byId("invoice-headline").focus();
}

/** A correction that waits for its base, or that can never be issued. */
export function showHeld(made) {
  current = null;
  held.show(made, actions);
}

/** What the answer to the press alone told: it stays with the invoice as long as that is shown. */
function ofThePress() {
  const { fresh, change, back, missed, replacement, replacement_earlier } = current;
  return { fresh, change, back, missed, replacement, replacement_earlier };
}

/** Whether it is still the one on the screen: answers come when they come. */
const isCurrent = ({ id }) => current?.id === id;

/** The rest: what the agent says of the invoice at any time, to be compared. */
const recorded = ({ fresh, change, back, missed, replacement, replacement_earlier, ...invoice }) => JSON.stringify(invoice);

/** Something changed in the agent: this invoice may have its number, or its paper. */
export async function refresh() {
  if (byId("view-invoice").hidden || byId("reason-form")) return; // who types a reason is not interrupted
  if (held.isShown()) return held.refresh();
  if (!current) return;
  const invoice = await get(`/v1/invoices/${encodeURIComponent(current.id)}`);
  if (!isCurrent(invoice)) return;
  if (recorded(invoice) === recorded(current)) return;
  if (!current.ksef_number && invoice.ksef_number) say(`Faktura ${invoice.number} ma numer KSeF.`);
  // What a fresh answer said to hand over stays: the paper that came out with it is still on the counter.
  const samePaper = current.fresh && invoice.paper?.state === current.paper?.state && invoice.state !== "rejected";
  current = { ...invoice, ...ofThePress(), ...(samePaper ? { hand_over: current.hand_over } : {}) };
  const focused = document.activeElement?.id;
  draw();
  byId(focused)?.focus();
}

function draw() {
  const view = byId("view-invoice");
  const paper = current.paper;
  view.replaceChildren(
    h("div", { class: isRefused(current) ? "" : "invoice-grid" },
      h("div", { class: "answer", "data-mood": mood(current) },
        h("p", { class: "answer-kind" }, kindWord(current)),
        headline(current.hand_over),
        h("p", { class: "answer-label" }, `${kindShown(current)} ${current.number}`),
        current.change ? h("p", { class: "answer-more", id: "answer-change" }, `${current.change}.`) : null,
        current.missed ? h("p", { class: "note warn", id: "answer-missed" },
          `Kody zeskanowane przed odpowiedzią nie weszły do koszyka (${current.missed}). Zeskanuj je jeszcze raz.`) : null,
        current.held_by ? h("p", { class: "note warn" },
          `Korekta czeka, aż faktura ${current.held_by} dostanie numer KSeF. Wyśle się potem sama.`) : null,
        paper?.problem && !current.hand_over.includes(paper.problem)
          ? h("p", { class: "note bad" }, h("strong", {}, "Wydruk: "), paper.problem) : null,
        replacementNote(current, actions.open),
        h("p", { class: "note bad", id: "invoice-error", role: "alert", hidden: true }),
        buttons(),
        h("div", { id: "reason-place" }),
        relativesPlace(),
        handOver(current),
        ...facts(current)),
      paperFigure(current),
    ));
  loadPaper(current);
  const drawn = current;
  loadRelatives(current, actions.open, () => current === drawn).catch(() => {}); // a link less; the answer stands
}

function buttons() {
  const file = (name, label) => h("button", {
    type: "button", onclick: (event) => guarded(event.currentTarget, () => download(name)),
  }, label);
  const trouble = isUnprinted(current);
  const refused = isRefused(current);
  const next = h("button", { type: "button", class: trouble ? null : "primary", id: "next-sale", onclick: () => actions.next() },
    refused && current.fresh && !current.kind.startsWith("KOR") ? "Wróć do koszyka " : "Nowa sprzedaż ", h("kbd", {}, "Esc"));
  const print = refused ? null : h("button", {
    type: "button", id: "reprint", class: trouble ? "primary" : null, onclick: (event) => reprint(event.currentTarget),
  }, current.paper?.state === "failed" || !current.paper ? "Drukuj teraz" : "Drukuj ponownie");
  const back = refused ? null : wayBackWith(current.back, current);
  return h("div", { class: "row" },
    back ? h("a", { id: "return", class: "button primary", href: back }, "Wróć do programu sprzedaży") : null,
    ...(trouble ? [print, next] : [next, print]),
    current.kind.startsWith("KOR") || refused ? null
      : h("button", { type: "button", id: "to-correct", onclick: () => actions.correct(current) }, "Zwrot lub korekta"),
    current.kind.startsWith("KOR") || (refused && current.fresh) ? null
      : h("button", { type: "button", id: "again", onclick: (event) => again(event.currentTarget) }, "Wystaw ponownie"),
    ...(actions.isManager() ? waysOut() : []),
    refused ? null : file("receipt.pdf?page=a4", "PDF"),
    file("xml", "XML"),
    current.upo ? file("upo", "UPO") : null);
}

/** The same basket as a new sale; one that was begun is replaced only at a second press. */
async function again(button) {
  await guarded(button, async () => {
    const sure = button.dataset.sure === "yes";
    if (await actions.again(() => saleFrom(current), sure) !== false) return;
    button.dataset.sure = "yes";
    button.textContent = "W koszyku jest inna sprzedaż. Zastąp ją";
    say(button.textContent);
  });
}

async function reprint(button) {
  await guarded(button, async () => {
    const invoice = await post(`/v1/invoices/${encodeURIComponent(current.id)}/reprint`);
    if (!isCurrent(invoice)) return;
    current = { ...invoice, ...ofThePress() };
    draw();
    byId("reprint").focus();
    say(PRINTS[invoice.paper?.state] || "");
  });
}

/** What a manager can do about a rejected invoice: only what KSeF would not refuse again. */
function waysOut() {
  const ways = {
    "technical-correction": ["technical", "Wyślij jako korektę techniczną", (pressed) => wayOut(pressed, "technical-correction")],
    resend: ["resend", "Prześlij ponownie", (pressed) => wayOut(pressed, "resend")],
    close: ["close-case", "Zamknij sprawę", (pressed) => askReason(
      "Numer dokumentu, który zastąpił tę fakturę. Zamknięcia nie da się cofnąć.",
      (reason) => wayOut(pressed, "close", { body: JSON.stringify({ reason }) }),
    )],
  };
  return current.ways_out.map((way) => {
    const [id, label, press] = ways[way];
    return h("button", { type: "button", id, onclick: (event) => press(event.currentTarget) }, label);
  });
}

async function wayOut(button, way, options) {
  await guarded(button, async () => {
    const path = `/v1/invoices/${encodeURIComponent(current.id)}/${way}`;
    const invoice = await post(path, { ...options, ...actions.managerOptions() });
    if (!isCurrent(invoice)) return;
    current = { ...invoice, fresh: false };
    draw();
    byId("invoice-headline").focus();
  });
}

async function download(name) {
  const { id, number } = current;
  const file = await blob(`/v1/invoices/${encodeURIComponent(id)}/${name}`);
  const extension = name.startsWith("receipt") ? "pdf" : "xml";
  saveFile(file, `${number.replaceAll("/", "-")}${name === "upo" ? "-UPO" : ""}.${extension}`);
}
