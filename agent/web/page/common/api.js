// Talking to the agent. Three outcomes: an answer, a refusal (Problem), or nobody knows (Unreachable).

const TOKEN = "ksef-agent.token";
const PRESS_TIMEOUT = 90_000; // milliseconds: the budget for KSeF plus a slow printer
const READ_TIMEOUT = 35_000; // milliseconds: longer than the longest /v1/changes

/** The agent answered and refused; the request may be changed and sent again. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || "Program odmówił.");
    this.status = status;
    this.code = body.code || "";
    this.errors = body.errors || [];
  }
}

/** No usable answer: whether it was done is unknown. Only the same request with the same key may follow. */
export class Unreachable extends Error {
  /** `refusedForNow`: the agent said that it cannot do it now (full disk, wrong clock). */
  constructor(message, refusedForNow = false) {
    super(message);
    this.refusedForNow = refusedForNow;
  }
}

export function token() {
  return localStorage.getItem(TOKEN) || "";
}

export function keepToken(value) {
  localStorage.setItem(TOKEN, value);
}

export function forgetToken() {
  localStorage.removeItem(TOKEN);
}

/** Idempotency key: 128 random bits. crypto.randomUUID is missing on plain http from another device. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send(method, path, { body, key, secret, timeout, manager } = {}) {
  const headers = { Authorization: `Bearer ${secret || token()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (manager) headers["X-Ksef-Agent-Manager"] = "page"; // with the cookie of a manager's PIN
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal: AbortSignal.timeout(timeout || READ_TIMEOUT) });
  } catch (error) {
    throw new Unreachable(
      error.name === "TimeoutError" ? "Program nie odpowiedział na czas." : "Nie ma połączenia z programem kasowym.",
    );
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status >= 500) throw new Unreachable(problem.detail || "Program zgłosił błąd.", [503, 507].includes(response.status));
  if (response.status === 401) document.dispatchEvent(new CustomEvent("token-refused", { detail: problem.detail }));
  throw new Problem(response.status, problem);
}

async function asJson(promise) {
  const response = await promise;
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Unreachable("Odpowiedź programu urwała się w połowie.");
  }
}

export const get = (path, options) => asJson(send("GET", path, options));
export const post = (path, options) => asJson(send("POST", path, { timeout: PRESS_TIMEOUT, ...options }));
export const postText = async (path, options) => (await send("POST", path, options)).text();
export const remove = (path, options) => asJson(send("DELETE", path, options));
export const text = async (path) => (await send("GET", path)).text();
export const blob = async (path, options) => (await send("GET", path, options)).blob();

/** One page of a paper's picture, and how many there are: one, but for papers metres long. */
export async function picturePage(path, page) {
  const response = await send("GET", `${path}?page=${page}`);
  return { image: await response.blob(), pages: Number(response.headers.get("X-Pages")) || 1 };
}
