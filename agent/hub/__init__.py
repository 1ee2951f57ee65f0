"""The hub: one courier with a memory for all tills of a chain (docs/hub.md).

Tills hand their invoices over as soon as they are durable at the till; the hub makes them durable once more, brings
them to KSeF within the limits that all tills of a NIP share, and tells each till what became of its invoices. The
till's own database stays the truth until KSeF's number and its proof are in it.

Where things are
    domain/     the hub's rules: states of an invoice here, what a till may hand over, who goes next; no I/O, no clock
    ports.py    what the use cases need of the hub's store
    store/      that store over SQLite (default) and over PostgreSQL, one set of repositories
    courier/    one NIP's way to KSeF, while this process leads it
    services/   intake, what tills are told, heartbeats, administration
    web/        HTTP for tills and people
    settings/   its settings file; app.py joins everything, serving/ runs it
"""
