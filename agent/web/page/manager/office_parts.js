// What the sections of the manager's office are made of.

import { blob } from "../common/api.js";
import { h, saveFile, whileBusy } from "../common/dom.js";

export const part = (title, ...content) => h("section", { class: "office-part" }, h("h3", {}, title), ...content);

/**
 * A button that saves a file.
 *
 * tried(work)  does it, and shows why where it does not work
 * what         gives [path, name, options] when it is pressed
 * attributes   further ones of the button
 */
export function save(label, tried, what, attributes = {}) {
  return h("button", { type: "button", ...attributes, onclick: (event) => whileBusy(event.currentTarget, () => tried(async () => {
    const [path, name, options] = what();
    saveFile(await blob(path, options), name);
  })) }, label);
}
