// The way back to the program that handed a sale over (#sale=…&return=…). Only to origins of the settings (page.return_to):
// a link to this page must not become a link to anywhere.

let allowed = [];

export function start(origins) {
  allowed = origins;
}

function permitted(address) {
  try {
    const url = new URL(address);
    return allowed.includes(url.origin) ? url : null;
  } catch {
    return null; // none was given, or no address
  }
}

/** The address as it was given, null where it is not allowed. */
export const wayBack = (address) => permitted(address)?.href ?? null;

/** The same with what was made: invoice (its id), number, state. The program asks for more, and believes the agent alone. */
export function wayBackWith(address, made) {
  const url = permitted(address);
  if (!url) return null;
  url.searchParams.set("invoice", made.id);
  url.searchParams.set("number", made.number);
  url.searchParams.set("state", made.state);
  return url.href;
}
