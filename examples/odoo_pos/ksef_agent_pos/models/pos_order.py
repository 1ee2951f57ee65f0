from odoo import fields, models


class PosOrder(models.Model):
    _inherit = "pos.order"

    ksef_agent_id = fields.Char("Id of the invoice in ksef-agent", readonly=True, copy=False)
    ksef_agent_number = fields.Char("Invoice (ksef-agent)", readonly=True, copy=False, index=True)
