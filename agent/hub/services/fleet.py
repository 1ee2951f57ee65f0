"""The fleet: every till as the hub knows it, worst first, and what is wrong with the hub itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from agent.domain.calendar import BusinessCalendar, local_time
from agent.domain.errors import NotFound
from agent.domain.values import dataclass
from agent.hub.domain.fleet import FleetPolicy, Grade, TillView, Trouble, view_of
from agent.hub.domain.records import HubInvoice, OpenCount
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.overview import Overview, overview
from agent.hub.services.seller_troubles import troubles_of
from agent.hub.settings.model import FleetSettings
from agent.ports import Clock

SHARE_HOURS = 24
LISTED = 200
"""Invoices on a till's page."""
REMOVED = "sprzedawca wycofany"
TLS_SOON = timedelta(days=30)
TLS_LATE = timedelta(days=7)
VERSIONS = 10
"""Versions that one sentence names."""


@dataclass(frozen=True, slots=True)
class Share:
    """Invoices of a shop within a day: all, and those that had their number while the customer waited."""

    shop: str
    count: int
    online: int


@dataclass(frozen=True, slots=True)
class FleetView:
    """All of it at one instant."""

    at: datetime
    tills: tuple[TillView, ...]
    """Worst first."""
    overview: Overview
    shares: tuple[Share, ...]
    troubles: tuple[Trouble, ...]
    """Of the hub itself, and of all tills together."""
    silent: timedelta
    """A till that was not heard for so long is silent."""

    @property
    def grade(self) -> Grade:
        """Return the worst there is."""
        found = [each.grade for each in self.troubles] + [each.grade for each in self.tills]
        return min((each for each in found if each is not Grade.UNHEARD), default=Grade.WELL)

    @property
    def versions(self) -> Counter[str]:
        """Return how many tills run which version."""
        return Counter(each.version for each in self.tills if each.version is not None)


@dataclass(frozen=True, slots=True)
class TillPage:
    """One till, and its invoices."""

    view: TillView
    open: Sequence[HubInvoice]
    refused: Sequence[HubInvoice]
    """By KSeF, and neither read by the till nor settled here."""
    newest: Sequence[HubInvoice]


class Fleet:
    """Looks at all tills."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        settings: FleetSettings,
        version: str,
        backup_within: timedelta | None = None,
        *,
        tls_ends: datetime | None = None,
        refused: Callable[[], str | None] = lambda: None,
        clock_trouble: Callable[[], Trouble | None] = lambda: None,
    ) -> None:
        """``backup_within``: how old the newest copy of the database may be; None: nobody looks.

        ``tls_ends``: when the certificate ends that this process serves with; None: none. ``refused``: why this process
        can store nothing now, a Polish sentence. ``clock_trouble``: what is wrong with its clock.
        """
        self._refused = refused
        self._clock_trouble = clock_trouble
        self._tls_ends = tls_ends
        self._backup_within = backup_within
        self._store = store
        self._clock = clock
        self._version = version
        self._policy = FleetPolicy(
            silent=timedelta(minutes=settings.silent_minutes),
            deadline_hours=settings.deadline_hours,
            opens=settings.opens,
            closes=settings.closes,
            calendar=BusinessCalendar(),
        )

    async def look(self, nip: str | None = None) -> FleetView:
        """Return everything, or everything of one NIP, of one snapshot."""
        return await self._store.read(lambda tx: self._look(tx, nip))

    async def till(self, till_id: int, nip: str | None = None) -> TillPage:
        """Return one till of look() with its invoices; NotFound where there is none, or it is of another NIP."""

        async def work(tx: HubTransaction) -> TillPage:
            views = await self._views(tx, self._clock.now(), nip)
            found = [each for each in views if each.till.id == till_id]
            if not found:
                raise NotFound("Nie ma takiej kasy.", code="till-unknown")
            waiting = await tx.books.open_of(till_id, LISTED)
            refused = await tx.outcomes.refusals_of(till_id, LISTED)
            return TillPage(found[0], waiting, refused, await tx.books.newest_of(till_id, LISTED))

        return await self._store.read(work)

    async def _look(self, tx: HubTransaction, nip: str | None) -> FleetView:
        now = self._clock.now()
        views = await self._views(tx, now, nip)
        state = await overview(tx, now, nip)
        by_shop: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        shares = await tx.books.shares(now - timedelta(hours=SHARE_HOURS))
        for each in views:
            count, online = shares.get(each.till.id, (0, 0))
            by_shop[each.till.shop][0] += count
            by_shop[each.till.shop][1] += online
        return FleetView(
            at=now,
            tills=tuple(views),
            overview=state,
            shares=tuple(Share(shop, *counts) for shop, counts in sorted(by_shop.items())),
            troubles=tuple(self._troubles(state, views)),
            silent=self._policy.silent,
        )

    async def _views(self, tx: HubTransaction, now: datetime, nip: str | None) -> list[TillView]:
        """Judge all tills in use, and those revoked ones of which not all is in KSeF yet, or settled."""
        sellers = {each.nip: each.name for each in await tx.parties.sellers()}
        beats = {each.till_id: each for each in await tx.fleet.last_beats()}
        counts: dict[int, list[OpenCount]] = defaultdict(list)
        for each in await tx.fleet.open_counts():
            if nip in {None, each.nip}:
                counts[each.till_id].append(each)
        refused = {each.till_id: each for each in await tx.outcomes.refusals() if nip in {None, each.nip}}
        tills = await tx.parties.tills(nip)
        revoked = (counts.keys() | refused.keys()) - {each.id for each in tills}
        tills += [await tx.parties.till(each) for each in sorted(revoked)]
        views = [
            view_of(
                till,
                sellers.get(till.nip, REMOVED),
                beats.get(till.id),
                counts.get(till.id, ()),
                now=now,
                policy=self._policy,
                refused=refused.get(till.id),
            )
            for till in tills
        ]
        return sorted(views, key=lambda each: each.order)

    def _backup_trouble(self, state: Overview) -> Trouble | None:
        """Judge the age of the newest copy, from the first seller on: before it there is nothing to lose."""
        since = state.backup_at or min((each.added_at for each in state.sellers), default=None)
        if self._backup_within is None or since is None or self._clock.now() - since <= self._backup_within:
            return None
        last = "żadnej nie ma" if state.backup_at is None else f"ostatnia: {local_time(since):%d.%m.%Y %H:%M}"
        text = f"Kopia bazy centrali jest za stara ({last}): systemctl enable --now ksef-agent-hub-backup.timer."
        return Trouble("backup-old", Grade.WARNING, text)

    def _tls_trouble(self) -> Trouble | None:
        """Judge the hub's own certificate: with its end every till loses the hub at once."""
        if self._tls_ends is None or (left := self._tls_ends - self._clock.now()) > TLS_SOON:
            return None
        at = f"{local_time(self._tls_ends):%d.%m.%Y %H:%M}"
        what = f"wygasł {at}; kasy nie łączą się z centralą" if left < timedelta(0) else f"wygasa {at}"
        text = f"Certyfikat TLS centrali {what}. Wystaw nowy (ksef-agent hub tls) i uruchom centralę ponownie."
        return Trouble("tls-certificate", Grade.CRITICAL if left <= TLS_LATE else Grade.WARNING, text)

    def _troubles(self, state: Overview, views: Sequence[TillView]) -> list[Trouble]:
        found = []
        if (refusal := self._refused()) is not None:
            text = f"Centrala niczego nie może zapisać, kasy wystawiają i wysyłają bez niej: {refusal}"
            found.append(Trouble("store-refuses", Grade.CRITICAL, text))
        if state.draining:
            found.append(Trouble("draining", Grade.WARNING, "Centrala nie przyjmuje faktur (ksef-agent hub drain)."))
        for seller in state.sellers:
            found += troubles_of(seller)
        found += [
            each
            for each in (self._clock_trouble(), self._backup_trouble(state), self._tls_trouble())
            if each is not None
        ]
        versions = {each.version for each in views if each.version is not None}
        if len(versions) > 1:
            named = sorted(versions)[:VERSIONS]
            more = f" i jeszcze {len(versions) - VERSIONS}" if len(versions) > VERSIONS else ""
            text = f"Kasy mają różne wersje programu: {', '.join(named)}{more}."
            found.append(Trouble("versions", Grade.WARNING, text))
        return found
