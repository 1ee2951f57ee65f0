"""The till's clock, judged before it dates anything (domain/clock_check.py), and what is remembered about it.

Kept in the notebook: the mark, KSeF's last word, the last sign of life. A crash between a look and its commit loses
nothing that the next look, or the store's newest invoice, does not tell again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.clock_check import (
    ClockState,
    Known,
    Mark,
    Reading,
    Source,
    Verdict,
    judge,
    may_assume,
    may_believe_ntp,
)
from agent.domain.errors import Conflict, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.values import dataclass
from agent.ports import Clock, InvoiceFilter, Json, Store, Transaction
from agent.system import journal

LOG = logging.getLogger("agent.clock")
NOTEBOOK = "clock"
KEEP_SECONDS = 600.0
"""How often the last sign of life is written: so much less a till knows of its time after a power cut."""
STEP_SECONDS = 5.0
"""A wall clock that runs away from the monotonic one by so much between two looks was set."""
REFUSES = frozenset({ClockState.UNCONFIRMED, ClockState.WRONG})
CODES = {ClockState.UNCONFIRMED: "clock-unconfirmed", ClockState.WRONG: "clock-wrong"}


@dataclass(frozen=True, slots=True)
class ClockAnswer:
    """The till's clock, and whether it may date documents (agent.domain.clock_check)."""

    shows: datetime
    state: str
    """confirmed, assumed, unconfirmed, wrong; the last two date nothing."""
    confirmed_by: str | None = None
    """ksef, ntp, manager; None: nobody in this boot."""
    confirmed_at: datetime | None = None
    """When they last did, on their clock."""
    skew_seconds: float | None = None
    """The right time minus this clock; None where nothing tells."""
    problem: str | None = None
    """Polish, for people; None where the clock dates documents."""
    confirmable: bool = False
    """A manager's word that the date is right would end the problem."""


class ClockCheck:
    """Holds what is known of the right time. Everything but keep() and confirm() is memory."""

    def __init__(self, clock: Clock, store: Store, *, refuse_seconds: float, patience_seconds: float = 3.0) -> None:
        self._clock = clock
        self._store = store
        self._limit = timedelta(seconds=refuse_seconds)
        self._patience = patience_seconds
        self._known = Known()
        self._kept_at: float | None = None
        self._kept_source: Source | None = None
        self._offset: float | None = None
        """Wall minus monotonic seconds at the last look."""
        self._stepped = 0.0
        """Seconds that the wall clock was set by since keep() last wrote."""

    async def load(self) -> None:
        """Read back what earlier runs knew; called once at start."""
        kept, newest_issue, last_event = await self._store.read(_read_kept)
        known = _read(kept) if isinstance(kept, Mapping) else Known(alive_at=last_event)
        self._known = replace(known, newest_issue=newest_issue)

    # --- what is known ------------------------------------------------------------------------------

    def heard_ksef(self, skew_seconds: float) -> None:
        """Note KSeF's own time, as seconds that the clock is late by now. Its newest word counts."""
        reading = self._read_clock()
        right = reading.wall + timedelta(seconds=skew_seconds)
        self._known = replace(self._known, mark=Mark.of(reading, Source.KSEF, right), ksef_until=right)

    async def issuing(self, at: datetime, tx: Transaction) -> None:
        """Keep what is known together with a document dated ``at``, in its transaction."""
        await tx.key_values.put(NOTEBOOK, {**_to_json(self._known), "alive_at": at.isoformat()})

    def issued(self, at: datetime) -> None:
        """Note the instant of the newest document, once it is durable."""
        self._known = replace(self._known, newest_issue=at, alive_at=at)

    def look(self) -> Verdict:
        """Read the clock, take note of what confirms it, judge it."""
        reading = self._read_clock()
        if self._clock.kept_by_ntp() and may_believe_ntp(reading, self._known, self._limit):
            self._known = replace(self._known, mark=Mark.of(reading, Source.NTP))
        verdict = self._judge(reading)
        if may_assume(reading, self._known, verdict):
            self._known = replace(self._known, mark=Mark.of(reading, Source.MACHINE))
        return verdict

    async def require(self, probe: Callable[[], Awaitable[object]], refused: str) -> datetime:
        """Return the instant to date a document with. ``refused``: the Polish half sentence of what is not done.

        Unavailable where the clock may not date it; ``probe``, which makes KSeF tell its time, is tried before.
        """
        verdict = self.look()
        if verdict.state in REFUSES:
            with contextlib.suppress(TimeoutError):
                await self._clock.within(self._patience, probe())
            verdict = self.look()
        if verdict.state in REFUSES:
            raise Unavailable(f"{verdict.problem} {verdict.remedy}; {refused}.", code=CODES[verdict.state])
        return self._clock.now()

    async def instant(self, probe: Callable[[], Awaitable[object]], refused: str) -> datetime:
        """Return the instant of what bears no date of issue (a declaration, the creation of a file).

        The best known time serves, where somebody vouches for it; else as require().
        """
        self.look()
        return await self.require(probe, refused) if self._vouched(self._reading()) is None else self.best()

    async def confirm(self, day: date, by: str) -> None:
        """Take a manager's word that the clock shows the right day and hour. ``day``: the Polish date as it was shown.

        Conflict where the clock shows another day by now, or where something certain contradicts it.
        """
        verdict = self.look()
        reading = self._read_clock()
        shown = local_date(reading.wall)
        if day != shown:
            text = f"Zegar kasy pokazuje {shown:%d.%m.%Y}, a potwierdzasz {day:%d.%m.%Y}."
            raise Conflict(text, code="clock-moved")
        if verdict.state in REFUSES and not verdict.confirmable:
            raise Conflict(f"{verdict.problem} Tego nie można potwierdzić: ustaw zegar.", code="clock-not-confirmable")
        if verdict.state is not ClockState.CONFIRMED:
            self._known = replace(self._known, mark=Mark.of(reading, Source.MANAGER), alive_at=reading.wall)
        data: dict[str, Json] = {"by": by, "shown": reading.wall.isoformat(), "state": verdict.state.value}
        await self._store.write(partial(_keep_confirmed, self._known, data))

    async def keep(self) -> None:
        """Make durable what is known, from time to time and when it has changed; record that the clock was set."""
        verdict = self.look()
        reading = self._read_clock()
        mark = self._known.mark
        source = None if mark is None else mark.source
        stepped, self._stepped = self._stepped, 0.0
        due = self._kept_at is None or reading.monotonic - self._kept_at >= KEEP_SECONDS
        if not due and not stepped and source is self._kept_source:
            return
        if verdict.state not in REFUSES:
            self._known = replace(self._known, alive_at=reading.wall, ksef_until=self._certain(reading))
        data: dict[str, Json] = {"seconds": round(stepped, 3), "state": verdict.state.value, "problem": verdict.problem}
        await self._store.write(partial(_keep, self._known, data if stepped else None))
        self._kept_at, self._kept_source = reading.monotonic, source
        if stepped:
            state = verdict.state.value
            LOG.warning("the clock was set by %.0f s: %s", stepped, state, extra=journal.fields(clock=state))

    # --- what others want to know -------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """Judge the clock, and take note of nothing."""
        return self._judge(self._reading())

    def best(self) -> datetime:
        """Return the best known time, for whatever is no date of a document.

        The clock's own, unless somebody vouched for another in this boot.
        """
        reading = self._reading()
        mark = self._vouched(reading)
        if mark is None:
            return reading.wall
        right = mark.now(reading.monotonic)
        return reading.wall if abs(right - reading.wall) <= self._limit else right

    def knows_the_day(self) -> bool:
        """Whether best() may be taken for the day: somebody vouched for it, or nothing speaks against it."""
        reading = self._reading()
        return self._vouched(reading) is not None or self._judge(reading).state not in REFUSES

    def skew(self) -> float | None:
        """Seconds by which the clock is late, None where nothing tells."""
        return self.verdict().skew_seconds

    def date_doubtful(self, now: datetime) -> bool:
        """Tell whether the right time has another Polish date: P_1 would not be the day of sending."""
        return local_date(now) != local_date(now + timedelta(seconds=self.skew() or 0.0))

    def vouched_day(self) -> date | None:
        """Return the Polish date that KSeF, a time server or a manager vouches for; None where nobody does."""
        reading = self._reading()
        mark = self._vouched(reading)
        return None if mark is None else local_date(mark.now(reading.monotonic))

    def answer(self) -> ClockAnswer:
        """Return the clock for screens."""
        reading = self._reading()
        verdict = self._judge(reading)
        mark = self._vouched(reading)
        return ClockAnswer(
            shows=reading.wall,
            state=verdict.state.value,
            confirmed_by=None if mark is None else mark.source.value,
            confirmed_at=None if mark is None else mark.at,
            skew_seconds=verdict.skew_seconds,
            problem=None if verdict.problem is None else f"{verdict.problem} {verdict.remedy}.",
            confirmable=verdict.confirmable,
        )

    def _vouched(self, reading: Reading) -> Mark | None:
        """Return the mark of this boot, where somebody vouched for it."""
        mark = self._known.mark
        here = mark is not None and mark.boot == reading.boot and mark.source is not Source.MACHINE
        return mark if here else None

    def _certain(self, reading: Reading) -> datetime | None:
        """Return the latest instant that is certain by KSeF's word: it goes on with the monotonic clock."""
        mark = self._known.mark
        if mark is not None and mark.boot == reading.boot and mark.source is Source.KSEF:
            return mark.now(reading.monotonic)
        return self._known.ksef_until

    def _judge(self, reading: Reading) -> Verdict:
        return judge(reading, self._known, self._limit, battery_clock=self._clock.has_battery_clock())

    def _reading(self) -> Reading:
        return Reading(self._clock.now(), self._clock.monotonic(), self._clock.boot())

    def _read_clock(self) -> Reading:
        """Read the clock and notice where it was set since the last look."""
        reading = self._reading()
        offset = reading.wall.timestamp() - reading.monotonic
        if self._offset is not None and abs(offset - self._offset) >= STEP_SECONDS:
            self._stepped += offset - self._offset
        self._offset = offset
        return reading


async def judged(clock: Clock, store: Store, refuse_seconds: float) -> Verdict:
    """Judge the clock for a command beside a running agent, or without one; nothing is written."""
    check = ClockCheck(clock, store, refuse_seconds=refuse_seconds)
    await check.load()
    return check.look()


async def _read_kept(tx: Transaction) -> tuple[Json, datetime | None, datetime | None]:
    """Read what is kept, when the newest document was issued, and when the newest event was written."""
    newest = await tx.invoices.summaries(InvoiceFilter(limit=1))
    last = await tx.events.after(await tx.events.newest() - 1, 1)
    issued_at = newest[0].issued_at if newest else None
    return await tx.key_values.get(NOTEBOOK), issued_at, last[0].at if last else None


async def _keep(known: Known, step: Mapping[str, Json] | None, tx: Transaction) -> None:
    await tx.key_values.put(NOTEBOOK, _to_json(known))
    if step is not None:
        await tx.events.append(EventKind.CLOCK_STEPPED, step)


async def _keep_confirmed(known: Known, data: Mapping[str, Json], tx: Transaction) -> None:
    await tx.key_values.put(NOTEBOOK, _to_json(known))
    await tx.events.append(EventKind.CLOCK_CONFIRMED, data)


def _to_json(known: Known) -> dict[str, Json]:
    mark = known.mark
    return {
        "mark": None
        if mark is None
        else {"at": mark.at.isoformat(), "monotonic": mark.monotonic, "boot": mark.boot, "source": mark.source.value},
        "ksef_until": None if known.ksef_until is None else known.ksef_until.isoformat(),
        "alive_at": None if known.alive_at is None else known.alive_at.isoformat(),
    }


def _read(kept: Mapping[str, Json]) -> Known:
    mark = kept.get("mark")
    return Known(
        mark=None
        if not isinstance(mark, Mapping)
        else Mark(
            at=datetime.fromisoformat(str(mark["at"])),
            monotonic=float(str(mark["monotonic"])),
            boot=str(mark["boot"]),
            source=Source(str(mark["source"])),
        ),
        ksef_until=_instant(kept.get("ksef_until")),
        alive_at=_instant(kept.get("alive_at")),
    )


def _instant(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
