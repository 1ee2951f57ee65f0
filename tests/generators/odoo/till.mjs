// A till of Odoo as far as the addon touches it: an order is validated while the agent is away (AWAY), then with the agent.
// Prints what the cashier saw and what the order holds as JSON.

import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";

const kept = new Map();
globalThis.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text) };
await import("./payment_screen.mjs");

const vat = (amount) => ({ amount_type: "percent", amount, price_include: true });
const partner = {
  vat: "PL 526-025-02-74", name: "Ministerstwo Finansów", street: "ul. Świętokrzyska 12", street2: "", zip: "00-916",
  city: "Warszawa", country_id: { code: "PL" }, email: "biuro@example.pl",
};
const line = (name, qty, price, rate, discount = 0) => ({
  qty, price_unit: price, discount, tax_ids: [vat(rate)],
  product_id: { display_name: name, default_code: "SKU-1", uom_id: { name: "szt." } },
});
const cash = { type: "cash", name: "Gotówka" };
let ids = 0;
const order = (changes = {}) => ({
  id: (ids += 1), uuid: `order-${ids}`, to_invoice: false, isRefund: false, currency: { name: "PLN" }, partner_id: partner,
  lines: [line("Kawa ziarnista 1 kg", 2, 64.9, 23), line("Chleb", 1, 10, 5, 10)],
  payment_ids: [
    { amount: 150, payment_method_id: cash },
    { amount: -11.2, payment_method_id: cash, is_change: true },
  ],
  ...changes,
});
const orders = {
  sold: order(), unanswered: order(), anonymous: order({ partner_id: undefined }), refund: order({ isRefund: true }),
  odoos: order({ to_invoice: true }), foreign: order({ lines: [line("Wino", 1, 138.8, 19)] }),
};
const seen = [];
const pending = [];
const screen = (address, current) => {
  const made = new PaymentScreen();
  made.currentOrder = current;
  made.dialog = { add: (_, words) => seen.push(words) };
  made.pos = {
    config: { ksef_agent_address: address, ksef_agent_token: process.env.TOKEN },
    models: { "pos.order": { getBy: (_, uuid) => Object.values(orders).find((each) => each.uuid === uuid) } },
    addPendingOrder: (added) => pending.push(...added),
  };
  made.setup();
  return made;
};
await screen(process.env.AWAY, orders.unanswered).afterOrderValidation();
const said = seen.splice(0);
const next = [];
for (const name of ["sold", "anonymous", "refund", "odoos", "foreign"]) {
  const made = screen(`${process.env.API}/`, orders[name]);
  await made.afterOrderValidation();
  next.push(made.next);
}
const numbers = Object.fromEntries(Object.entries(orders).map(([name, each]) => [name, each.ksef_agent_number ?? null]));
console.log(JSON.stringify({ away: said, seen, numbers, pending, next, kept: [...kept.values()] }));
