"""The till's second route: KSeF through the hub of its chain (``ksef.route = "hub"``, docs/hub.md).

Loaded only where that route is chosen.

    client.py    the calls of the contract, every failure with its outcome class
    gateway.py   the port KsefGateway over them
"""
