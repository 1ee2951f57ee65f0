{
    "name": "KSeF invoices by ksef-agent",
    "version": "19.0.1.0.0",
    "category": "Sales/Point of Sale",
    "summary": "Issues an order's invoice through the till's ksef-agent and shows its number",
    "depends": ["point_of_sale"],
    "data": ["views/pos_config.xml"],
    "assets": {"point_of_sale._assets_pos": ["ksef_agent_pos/static/src/**/*"]},
    "license": "LGPL-3",
}
