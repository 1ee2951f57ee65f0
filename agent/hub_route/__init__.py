"""The till's second route: KSeF through the hub of its chain (``ksef.route = "hub"``, docs/hub.md).

Loaded only where that route is chosen.

    chain.py     all of it, put together
    client.py    the calls of the contract, every failure with its outcome class
    gateway.py   the port KsefGateway over them
    routed.py    the same port over both ways: the hub, and in need the till's own
    latarnia.py  announcements as the hub heard them
    news.py      heartbeats out, news and outcomes in
"""
