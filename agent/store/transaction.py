"""All repositories of one unit of work (port Transaction)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.store.books import SqliteBooks
from agent.store.erasures import SqliteErasures
from agent.store.exports import SqliteExports
from agent.store.held import SqliteHeld
from agent.store.invoices import SqliteInvoices
from agent.store.log import SqliteEvents, SqliteFacts, SqliteKeys, SqliteKeyValues
from agent.store.prints import SqlitePrints
from agent.store.sessions import SqliteSessions
from agent.store.unit import UnitConnection


class SqliteTransaction:
    """Repositories over one connection; a new repository is one more attribute here."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self.invoices = SqliteInvoices(connection, now)
        self.events = SqliteEvents(connection, now)
        self.keys = SqliteKeys(connection, now)
        self.prints = SqlitePrints(connection, now)
        self.facts = SqliteFacts(connection)
        self.held = SqliteHeld(connection)
        self.key_values = SqliteKeyValues(connection)
        self.sessions = SqliteSessions(connection, now)
        self.exports = SqliteExports(connection, now)
        self.books = SqliteBooks(connection)
        self.erasures = SqliteErasures(connection, now)
