from odoo import fields, models


class PosConfig(models.Model):
    _inherit = "pos.config"

    ksef_agent_address = fields.Char("ksef-agent", help="Address of the agent on the till, e.g. http://127.0.0.1:8780")
    ksef_agent_token = fields.Char("Token of ksef-agent", groups="point_of_sale.group_pos_user", help="Role: cashier")
