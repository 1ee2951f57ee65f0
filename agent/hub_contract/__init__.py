"""What a till and the hub say to each other (docs/hub.md, section 4): values, and their JSON.

Both sides read with tolerance: a field nobody knows is passed over, one that is missing has its default, so hub and
tills may be a minor version apart, either way. What is required says so by ContractError.

    offers.py        an invoice handed over: what only the till knows of it
    status.py        where an invoice stands, and what became of it
    heartbeat.py     a till's sign of life, and the news that answers it
    certificates.py  the Offline certificate a till shall use
"""
