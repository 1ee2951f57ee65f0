// The words of the law and of the API in the cashier's language.

export const MODES = {
  online: "Tryb online",
  offline24: "Tryb offline24",
  unavailability: "Niedostępność KSeF",
  failure: "Awaria KSeF",
  total_failure: "Awaria całkowita",
  outside_ksef: "Poza KSeF",
};

export const STATES = {
  issued: "czeka na wysłanie",
  sending: "wysyłana",
  sent: "w KSeF, czeka na numer",
  in_doubt: "sprawdzana w KSeF",
  accepted: "przyjęta przez KSeF",
  rejected: "odrzucona przez KSeF",
  exempt: "bez obowiązku wysłania",
};

export const PRINTS = {
  queued: "czeka na drukarkę",
  printing: "drukuje się",
  printed: "wydrukowano",
  failed: "nie wydrukowano",
  uncertain: "nie wiadomo, czy się wydrukowało",
};

/** Whether a paper was asked for and nobody can say that it came out. */
export const isUnprinted = ({ paper }) => ["failed", "uncertain"].includes(paper?.state);

export const DOCUMENTS = { invoice: "Faktura", transaction_confirmation: "Potwierdzenie transakcji" };

const DAY = 86_400_000;

/** "2026-11-25" -> "śr., 25.11.2026". */
export function dayShown(iso) {
  if (!iso) return "";
  const [year, month, day] = iso.split("-").map(Number);
  const weekday = new Intl.DateTimeFormat("pl", { weekday: "short", timeZone: "UTC" }).format(Date.UTC(year, month - 1, day));
  return `${weekday} ${String(day).padStart(2, "0")}.${String(month).padStart(2, "0")}.${year}`;
}

/** Polish civil date of a moment, ISO. */
export const polishDay = (moment = new Date()) => new Intl.DateTimeFormat("sv", { timeZone: "Europe/Warsaw" }).format(moment);

/** How far a deadline is: [words, urgency 0..2]. */
export function distance(iso) {
  const days = Math.round((Date.parse(iso) - Date.parse(polishDay())) / DAY);
  if (days < 0) return ["po terminie", 2];
  if (days === 0) return ["dziś", 2];
  if (days === 1) return ["jutro", 1];
  return [`za ${days} dni`, 0];
}

/** "2026-11-24T10:05:00+01:00" -> "24.11.2026, 10:05". */
export function momentShown(iso) {
  if (!iso) return "";
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2})/.exec(iso);
  return match ? `${match[3]}.${match[2]}.${match[1]}, ${match[4]}` : iso;
}

/** Whether a deadline runs: what KSeF has is done, what it refused for good never goes. */
export const isToBeSent = ({ deadline, ksef_number: number, state, ways_out: ways }) => (
  Boolean(deadline) && !number && (state !== "rejected" || ways.some((way) => way !== "close")));

export function deadlineShown(invoice) {
  if (invoice.mode === "outside_ksef") return "poza KSeF";
  if (invoice.deadline_state === "lifted") return "obowiązek wysłania odpadł";
  if (invoice.deadline_state === "open") return "termin ruszy po zakończeniu przerwy w KSeF";
  if (!isToBeSent(invoice)) return "";
  return `${dayShown(invoice.deadline)} (${distance(invoice.deadline)[0]})`;
}

/** The state in words; what was issued in a total failure waits for nothing. */
export function stateShown(invoice) {
  if (invoice.state === "issued" && invoice.mode === "total_failure" && invoice.deadline_state === "lifted") return STATES.exempt;
  return STATES[invoice.state] || invoice.state;
}

export function buyerShown(buyer) {
  const name = buyer.name || (buyer.kind === "none" ? "osoba prywatna" : "");
  const id = buyer.kind === "nip" ? `NIP\u00a0${buyer.identifier}` : buyer.identifier;
  return [name, id].filter(Boolean).join(", ");
}
