// The types of openapi-typescript, with openapi-fetch: npx openapi-typescript "$API/openapi.json" -o generated/till.d.ts
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/till.js";

const sale: components["schemas"]["Sale"] = {
  buyer: {
    nip: "5260250274",
    name: "Ministerstwo Finansów",
    address: { line1: "ul. Świętokrzyska 12", line2: "00-916 Warszawa" },
  },
  prices: "gross",
  lines: [{ name: "Kawa ziarnista 1 kg", quantity: "2", unit_price: "64.90", vat: "23" }],
  external_ref: "order-4711",
};
const client = createClient<paths>({ baseUrl: process.env.API });
const { data, error } = await client.POST("/v1/invoices", {
  params: { header: { "Idempotency-Key": crypto.randomUUID() } },
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
  body: sale,
});
if (!data) throw new Error(`${error.code}: ${error.detail}`);
console.log(data.number, data.mode, data.hand_over);
