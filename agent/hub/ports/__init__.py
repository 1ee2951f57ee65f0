"""What the hub's use cases need of its store. Adapters: agent/hub/store/sqlite and agent/hub/store/postgresql.

The obligations hold for both (tests/contract/test_hub_store_contract.py): a unit of work is committed with everything
in it synced to disk, or nothing of it is there; readers see one snapshot; nobody misses a change.
"""

from __future__ import annotations

from agent.hub.ports.books import Books
from agent.hub.ports.certificates import OfflineCertificates
from agent.hub.ports.fleet import Fleet
from agent.hub.ports.invoices import Invoices
from agent.hub.ports.log import Log
from agent.hub.ports.outcomes import Outcomes
from agent.hub.ports.parties import Parties
from agent.hub.ports.sessions import Sessions
from agent.hub.ports.store import BUSY, DISK_FULL, HubStore, HubTransaction, Leadership, T, Work

__all__ = [
    "BUSY",
    "DISK_FULL",
    "Books",
    "Fleet",
    "HubStore",
    "HubTransaction",
    "Invoices",
    "Leadership",
    "Log",
    "OfflineCertificates",
    "Outcomes",
    "Parties",
    "Sessions",
    "T",
    "Work",
]
