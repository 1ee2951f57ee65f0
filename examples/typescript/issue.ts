// Issue an invoice once, however often the line breaks, then ask until KSeF has decided. Node alone, no packages.

import { randomUUID } from "node:crypto";

const { API, TOKEN } = process.env;
const FINAL = ["accepted", "rejected", "exempt"];

interface Invoice {
  id: string;
  number: string;
  mode: string;
  state: string;
  ksef_number: string | null;
  hand_over: string;
}

interface Problem {
  code: string;
  detail: string;
  retry_safe: boolean;
}

const sale = {
  buyer: {
    nip: "5260250274",
    name: "Ministerstwo Finansów",
    address: { line1: "ul. Świętokrzyska 12", line2: "00-916 Warszawa" },
  },
  prices: "gross",
  lines: [{ name: "Kawa ziarnista 1 kg", quantity: "2", unit: "szt.", unit_price: "64.90", vat: "23" }],
  payments: [{ method: "card", amount: "129.80" }],
  external_ref: "order-4711",
};

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Ask until there is an answer; a POST has a key, so that a repeat never makes a second invoice. */
async function call(path: string, init: RequestInit = {}): Promise<Invoice> {
  for (;;) {
    try {
      const answer = await fetch(API + path, {
        ...init,
        headers: { Authorization: `Bearer ${TOKEN}`, ...init.headers },
        signal: AbortSignal.timeout(90_000),
      });
      if (answer.ok) return (await answer.json()) as Invoice;
      const problem = (await answer.json()) as Problem;
      if (!problem.retry_safe) {
        console.error(`${problem.code}: ${problem.detail}`);
        process.exit(1);
      }
    } catch {
      // nobody knows whether it was issued: the same key tells
    }
    await pause(1);
  }
}

const key = randomUUID(); // made when the basket begins, and kept until there is an answer
let invoice = await call("/v1/invoices", {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": key },
  body: JSON.stringify(sale),
});
console.log(invoice.number, invoice.mode, invoice.hand_over);
for (let asked = 0; asked < 60; asked++) {
  invoice = await call(`/v1/invoices/${invoice.id}`);
  if (FINAL.includes(invoice.state)) break;
  await pause(2);
}
console.log(invoice.state, invoice.ksef_number ?? "");
