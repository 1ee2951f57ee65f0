import { AlertDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import { patch } from "@web/core/utils/patch";
import { askAgain, issue, saleOf } from "@ksef_agent_pos/agent";

patch(PaymentScreen.prototype, {
    setup() {
        super.setup(...arguments);
        this.ksefAgentAskAgain();
    },

    /** The order is paid and saved: the invoice comes before the receipt, which shows its number. */
    async afterOrderValidation() {
        await this.ksefAgentIssue(this.currentOrder);
        return super.afterOrderValidation(...arguments);
    },

    get ksefAgent() {
        const { ksef_agent_address: address, ksef_agent_token: token } = this.pos.config;
        return address && token ? { address: address.replace(/\/+$/, ""), token } : null;
    },

    async ksefAgentIssue(order) {
        if (!this.ksefAgent || !order.partner_id || order.to_invoice || order.isRefund) return;
        await this.ksefAgentAskAgain();
        try {
            const invoice = await issue(this.ksefAgent, order.uuid, saleOf(order));
            if (invoice) this.ksefAgentKeep(order, invoice);
            this.ksefAgentSay(
                invoice ? `Faktura ${invoice.number}` : "Program kasy nie odpowiada",
                invoice?.hand_over || "Nie wiadomo, czy faktura powstała. Kasa zapyta o nią ponownie; nie wystawiaj drugiej."
            );
        } catch (error) {
            this.ksefAgentSay("Nie wystawiono faktury", error.message);
        }
    },

    async ksefAgentAskAgain() {
        if (!this.ksefAgent) return;
        for (const [key, invoice] of Object.entries(await askAgain(this.ksefAgent))) {
            const order = this.pos.models["pos.order"].getBy("uuid", key);
            if (order) this.ksefAgentKeep(order, invoice);
            this.ksefAgentSay(`Faktura ${invoice.number}`, invoice.hand_over);
        }
    },

    ksefAgentKeep(order, invoice) {
        order.ksef_agent_id = invoice.id;
        order.ksef_agent_number = invoice.number;
        this.pos.addPendingOrder([order.id]); // saved with the next synchronisation
    },

    ksefAgentSay(title, body) {
        this.dialog.add(AlertDialog, { title, body });
    },
});
