// What this browser keeps for the page: JSON in localStorage.

/** What is kept under a name; null where nothing is, or nothing that can be read. */
export function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

export const write = (name, value) => localStorage.setItem(name, JSON.stringify(value));
