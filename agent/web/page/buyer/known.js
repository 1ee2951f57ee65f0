// Buyers by name, or by the beginning of their number: those the agent remembers, and firms of the EU that this browser does.

import { get, Problem, Unreachable } from "../common/api.js";
import { read, write } from "../common/browser_store.js";
import * as buyer from "./buyer.js";
import { byId } from "../common/dom.js";
import { draft } from "../basket/draft.js";
import { matches } from "../common/fold.js";
import { check } from "./nip.js";
import { suggest } from "../common/suggest.js";

const KEY = "ksef-agent.eu-buyers";
const MOST = 200;
const SHORTEST = 3; // characters worth asking for
const SUGGESTED = 6;

export function start() {
  suggest(byId("sale-form"), "#nip, #eu-vat, #buyer-name", find, { slow: true });
}

async function find(text) {
  if (text.length < SHORTEST || check(text) === "ok") return []; // a whole NIP is looked up
  if (draft.buyer.kind === "eu_vat") return europeans().filter((each) => matches(text, `${each.eu_vat} ${each.name}`)).slice(0, SUGGESTED).map(european);
  if (draft.buyer.kind !== "nip") return [];
  try {
    const { buyers } = await get(`/v1/buyers?${new URLSearchParams({ text })}`);
    return buyers.slice(0, SUGGESTED).map((found) => ({
      label: found.name, detail: `NIP ${found.nip}`, take: () => buyer.takeKnown(found),
    }));
  } catch (error) {
    if (error instanceof Problem || error instanceof Unreachable) return []; // typing goes on without
    throw error;
  }
}

const european = (known) => ({ label: known.name, detail: known.eu_vat, take: () => buyer.takeEuropean(known) });

const europeans = () => read(KEY) || [];

/** Remember whom an invoice went to. No private persons: their data are not ours to keep. */
export function remember({ buyer: { kind, eu_vat, name, line1, line2, country } }) {
  if (kind !== "eu_vat" || !name.trim()) return;
  const others = europeans().filter((each) => each.eu_vat !== eu_vat);
  write(KEY, [{ eu_vat, name, line1, line2, country }, ...others].slice(0, MOST));
}
