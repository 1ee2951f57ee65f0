// The paper of an invoice beside the answer: its picture page by page, and its text.

import { picturePage, text } from "../common/api.js";
import { byId, h } from "../common/dom.js";
import { DOCUMENTS, PRINTS } from "../common/words.js";

let picture = { url: null, of: "", page: 1, pages: 1 };
let shownFor = ""; // id of the invoice whose paper is on the screen

/** The figure; null where KSeF refused the invoice and there never was a paper. */
export function paperFigure({ paper, state }) {
  if (!paper && ["rejected", "in_doubt"].includes(state)) return null;
  const caption = paper ? `Wydruk: ${DOCUMENTS[paper.document] || paper.document}, ${PRINTS[paper.state] || paper.state}`
    : "Podgląd: nic nie wydrukowano";
  return h("figure", { class: "paper" },
    h("figcaption", {}, caption),
    h("div", { class: "paper-roll", tabindex: "0", role: "group", "aria-label": "Obraz wydruku" },
      h("img", { id: "paper-image", alt: "" })),
    h("div", { class: "row", id: "paper-pages", hidden: true }),
    h("details", {}, h("summary", {}, "Treść wydruku jako tekst"), h("pre", { id: "paper-text", tabindex: "0" })));
}

/** Fill the figure. The picture needs the token, so it comes by fetch; the old one stays until the new one is there. */
export async function loadPaper(invoice, wanted) {
  shownFor = invoice.id;
  if (!byId("paper-image")) return;
  const path = `/v1/invoices/${encodeURIComponent(invoice.id)}`;
  const version = `${invoice.id}:${invoice.paper?.copies}:${invoice.paper?.state}:${invoice.ksef_number}`;
  const known = picture.of === version;
  const page = wanted || (known ? picture.page : 1);
  try {
    if (!known || picture.page !== page) {
      const [{ image, pages }, words] = await Promise.all([
        picturePage(`${path}/receipt.png`, page),
        known ? picture.words : text(`${path}/receipt.txt`),
      ]);
      if (picture.url) URL.revokeObjectURL(picture.url);
      picture = { url: URL.createObjectURL(image), of: version, page, pages, words };
    }
    if (shownFor !== invoice.id || !byId("paper-image")) return;
    byId("paper-image").src = picture.url;
    byId("paper-image").alt = `Obraz wydruku: ${invoice.paper?.label || invoice.number}`;
    byId("paper-text").textContent = picture.words;
    drawPages(invoice);
  } catch (error) {
    const caption = byId("paper-image")?.closest(".paper").querySelector("figcaption");
    if (caption) caption.textContent = `Podgląd wydruku niedostępny: ${error.message}`;
  }
}

/** A paper metres long is shown page by page; any other one has no buttons. */
function drawPages(invoice) {
  const { page, pages } = picture;
  const turn = (label, to) => h("button", {
    type: "button", disabled: to < 1 || to > pages, onclick: () => loadPaper(invoice, to),
  }, label);
  byId("paper-pages").hidden = pages < 2;
  byId("paper-pages").replaceChildren(
    turn("Poprzednia strona", page - 1),
    h("span", { role: "status" }, `Strona ${page} z ${pages}`),
    turn("Następna strona", page + 1));
}
