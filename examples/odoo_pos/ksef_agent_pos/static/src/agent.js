// What the addon says to ksef-agent; nothing of Odoo is imported, so this can be read and tested alone.

const TRIES = 3;
const KEPT = "ksef_agent_pos.unanswered";
const RATES = [23, 8, 5]; // P_12 of these is the number itself

const decimal = (value, places) => value.toFixed(places);
const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value));

/** The sale of an order, as docs/api.md describes it. Throws where the agent could not take it. */
export function saleOf(order) {
    const { partner_id: partner } = order;
    const country = partner.country_id?.code || "PL";
    const included = order.lines.every((line) => line.tax_ids.every((tax) => tax.price_include));
    return {
        buyer: filled({
            nip: partner.vat,
            name: partner.name,
            email: partner.email,
            address: filled({
                line1: [partner.street, partner.street2].filter(Boolean).join(" "),
                line2: [partner.zip, partner.city].filter(Boolean).join(" "),
                country,
            }),
        }),
        prices: included ? "gross" : "net",
        lines: order.lines.map(lineOf),
        payments: order.payment_ids.filter((payment) => !payment.is_change).length ? paymentsOf(order) : undefined,
        currency: order.currency.name,
        external_ref: order.uuid,
    };
}

function lineOf(line) {
    const rates = line.tax_ids.filter((tax) => tax.amount_type === "percent").map((tax) => tax.amount);
    if (rates.length !== 1 || !RATES.includes(rates[0])) {
        throw new Error(`${line.product_id.display_name}: brak stawki VAT, którą można podać na fakturze`);
    }
    return filled({
        name: line.product_id.display_name,
        quantity: decimal(line.qty, 3),
        unit: line.product_id.uom_id?.name,
        unit_price: decimal(line.price_unit, 8),
        vat: String(rates[0]),
        discount: line.discount ? decimal((line.qty * line.price_unit * line.discount) / 100, 2) : "",
        sku: line.product_id.default_code,
    });
}

/** By method; what was given back is taken off the cash. */
function paymentsOf(order) {
    const methods = { cash: "cash", bank: "card", pay_later: "credit" };
    const sums = new Map();
    for (const { amount, payment_method_id: method } of order.payment_ids) {
        const word = methods[method.type] || method.name;
        sums.set(word, (sums.get(word) || 0) + amount);
    }
    return [...sums].filter(([, sum]) => sum > 0).map(([method, sum]) => ({ method, amount: decimal(sum, 2) }));
}

/** Issue once; null where no answer came: it is kept, and askAgain() goes on. Throws with the agent's own sentence. */
export async function issue(agent, key, sale) {
    for (let left = TRIES; left > 0; left -= 1) {
        const answer = await ask(agent, key, sale);
        if (answer) {
            forget(key);
            if (answer.problem) throw new Error(answer.problem.detail);
            return answer.invoice;
        }
    }
    keep(key, sale);
    return null;
}

/** Ask again for what was never answered; returns the invoices that are known now, by key. */
export async function askAgain(agent) {
    const found = {};
    for (const [key, sale] of Object.entries(unanswered())) {
        const answer = await ask(agent, key, sale);
        if (!answer) break; // the agent is still away
        if (forget(key) && answer.invoice) found[key] = answer.invoice; // of two screens that ask, one tells
    }
    return found;
}

async function ask({ address, token }, key, sale) {
    try {
        const response = await fetch(`${address}/v1/invoices`, {
            method: "POST",
            headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": key },
            body: JSON.stringify(sale),
            signal: AbortSignal.timeout(90_000),
        });
        const told = await response.json();
        if (response.ok) return { invoice: told };
        return told.retry_safe ? null : { problem: told };
    } catch {
        return null; // nobody knows whether it was issued: the same key tells
    }
}

const unanswered = () => JSON.parse(localStorage.getItem(KEPT) || "{}");
const store = (kept) => localStorage.setItem(KEPT, JSON.stringify(kept));
const keep = (key, sale) => store({ ...unanswered(), [key]: sale });

/** True where it was still there. */
function forget(key) {
    const { [key]: sale, ...rest } = unanswered();
    if (sale) store(rest);
    return Boolean(sale);
}
