"""All repositories of one unit of work (port HubTransaction)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.hub.store.database import Database
from agent.hub.store.repositories.books import StoredBooks
from agent.hub.store.repositories.certificates import StoredCertificates
from agent.hub.store.repositories.fleet import StoredFleet
from agent.hub.store.repositories.invoices import StoredInvoices
from agent.hub.store.repositories.log import StoredLog
from agent.hub.store.repositories.outcomes import StoredOutcomes
from agent.hub.store.repositories.parties import StoredParties
from agent.hub.store.repositories.sessions import StoredSessions


class StoredTransaction:
    """Repositories over one connection; a new repository is one more attribute here."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self.parties = StoredParties(database, now)
        self.invoices = StoredInvoices(database, now)
        self.outcomes = StoredOutcomes(database, now)
        self.sessions = StoredSessions(database, now)
        self.fleet = StoredFleet(database, now)
        self.books = StoredBooks(database)
        self.certificates = StoredCertificates(database, now)
        self.log = StoredLog(database, now)

    async def tell(self, channel: str) -> None:
        """Wake whoever waits for a channel, once the unit is committed."""
        await self._database.tell(channel)
