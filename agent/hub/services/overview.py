"""How the hub stands, for people at a terminal and for monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, field
from datetime import date, datetime

from agent.domain.json_io.canonical import Json
from agent.domain.monitoring.facts import NAMED, UPO_LATE
from agent.domain.values import dataclass
from agent.hub.courier.state import CERTIFICATES, STATE, said_now
from agent.hub.domain.certificates import CertificateCount, count_from_json
from agent.hub.ports import HubTransaction
from agent.hub.services.intake import DRAINING

BACKUP = "backup"
"""In the notebook: when the newest copy of the SQLite database was made."""


@dataclass(frozen=True, slots=True)
class SellerState:
    """One NIP. ``ksef``: up, down, or unknown where nobody talks to KSeF for it, so that ``leader`` is None."""

    nip: str
    name: str
    added_at: datetime
    tills: int
    ksef: str
    leader: str | None
    open: Mapping[str, int]
    """By state, invoices that are not in KSeF yet."""
    deadline: date | None
    budget: Mapping[str, Json] = field(default_factory=dict)
    certificates: CertificateCount = field(default_factory=CertificateCount)
    failing_since: str | None = None
    """ISO 8601: since when KSeF answers and takes nothing, for an hour at least; ``failing`` are its words.

    Without it ``failing`` is what is wrong with the credentials of a process that could lead.
    """
    failing: str = ""
    batches_failing_since: str | None = None
    """ISO 8601: since when batches fail, so that what waits goes singly; ``batches_failing`` are KSeF's words."""
    batches_failing: str = ""
    upo_late: tuple[str, ...] = ()
    """Numbers of the first invoices that KSeF accepted at least UPO_LATE ago and gave no UPO for."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    draining: bool
    sellers: tuple[SellerState, ...]
    backup_at: datetime | None = None
    """When the newest copy of the database was made; None where none was, or PostgreSQL's tools make them."""

    @property
    def open_counts(self) -> Counter[str]:
        """Return how many invoices are not in KSeF yet, by state."""
        total: Counter[str] = Counter()
        for seller in self.sellers:
            total.update(seller.open)
        return total

    def to_json(self) -> dict[str, object]:
        """Return the body of `hub status --json`."""
        return {"draining": self.draining, "sellers": [asdict(each) for each in self.sellers]}


async def overview(tx: HubTransaction, now: datetime, nip: str | None = None) -> Overview:
    """Read how the hub stands, for all NIPs or for one."""
    counts = await tx.fleet.open_counts()
    leaders = {each.name: each.holder for each in await tx.fleet.leaders()}
    tills = Counter(each.nip for each in await tx.parties.tills())
    sellers = []
    for seller in await tx.parties.sellers():
        if nip not in {None, seller.nip}:
            continue
        state = said_now(await tx.log.value(STATE.format(seller.nip)), now)
        said = state or {}
        own = [each for each in counts if each.nip == seller.nip]
        waiting: Counter[str] = Counter()
        for each in own:
            waiting[each.state.value] += each.count
        sellers.append(
            SellerState(
                nip=seller.nip,
                name=seller.name,
                added_at=seller.added_at,
                tills=tills[seller.nip],
                ksef=str(said.get("ksef", "unknown")),
                leader=None if state is None else leaders.get(seller.nip),
                open=dict(waiting),
                deadline=min((each.deadline for each in own if each.deadline), default=None),
                budget={name: said[name] for name in ("left_hour", "left_minute", "wait") if name in said},
                certificates=count_from_json(await tx.log.value(CERTIFICATES.format(seller.nip))),
                failing_since=str(said["failing_since"]) if "failing_since" in said else None,
                failing=str(said.get("failing", "")),
                batches_failing_since=str(said["batches_failing_since"]) if "batches_failing_since" in said else None,
                batches_failing=str(said.get("batches_failing", "")),
                upo_late=await tx.sessions.late_upo(seller.nip, now - UPO_LATE, NAMED + 1),
            )
        )
    copied = await tx.log.value(BACKUP)
    at = copied.get("at") if isinstance(copied, Mapping) else None
    backup_at = datetime.fromisoformat(at) if isinstance(at, str) else None
    return Overview(await tx.log.value(DRAINING) is not None, tuple(sellers), backup_at)
