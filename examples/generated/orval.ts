// The client of orval: npx orval --input "$API/openapi.json" --output generated/orval.ts --client fetch
// Its functions ask for paths without a host, and take headers beside.
import { issue, type Sale } from "./generated/orval.js";

const sale: Sale = {
  buyer: {
    nip: "5260250274",
    name: "Ministerstwo Finansów",
    address: { line1: "ul. Świętokrzyska 12", line2: "00-916 Warszawa" },
  },
  prices: "gross",
  lines: [{ name: "Kawa ziarnista 1 kg", quantity: "2", unit_price: "64.90", vat: "23" }],
  external_ref: "order-4711",
};
const plain = globalThis.fetch;
globalThis.fetch = (path, options) => plain(new URL(String(path), process.env.API), options);
const { data, status } = await issue(sale, undefined, {
  headers: {
    Authorization: `Bearer ${process.env.TOKEN}`,
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
  },
});
if (status !== 200 && status !== 201) throw new Error(`${data.code}: ${data.detail}`);
console.log(data.number, data.mode, data.hand_over);
