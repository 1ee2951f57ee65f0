// The client of @hey-api/openapi-ts: npx openapi-ts -i "$API/openapi.json", with openapi-ts.config.mjs
import { issue, type Sale } from "./generated/hey/index.js";

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
const { data, error } = await issue({
  baseUrl: process.env.API,
  auth: process.env.TOKEN,
  headers: { "Idempotency-Key": crypto.randomUUID() },
  body: sale,
});
if (!data) throw new Error(`${error.code}: ${error.detail}`);
console.log(data.number, data.mode, data.hand_over);
