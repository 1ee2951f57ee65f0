"""What was asked of KSeF within the last hour, an earlier run's calls included: a restart never breaks its limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.values import dataclass
from agent.ports import Event, SessionKind, Store, Transaction
from agent.services.delivery.upo import CALLS_OF_A_SESSION

EVENTS_AT_ONCE = 100
"""Of 500 the start of a till that sent 2,000 within the hour kept 1.2 MiB more."""
_CALLS = (
    EventKind.SENDING,
    EventKind.UPO,
    EventKind.UPO_MISMATCH,
    EventKind.SESSION_UPO,
    EventKind.SESSION_WITHOUT_UPO,
)
"""What _is_single_send() and _documents() find something in."""
MOST_EVENTS = 20_000
"""No more are read back at the start: a clock that was wrong may have dated all of them into the last hour."""


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """When what was asked of KSeF, on the wall clock; ``last_at``: the newest event of all.

    A session that a killed process opened and never sent in is counted where the start opened it (InvoiceSender.warm);
    one of a press that died between opening and intent is not: one call for each such death.
    """

    sends: list[datetime]
    documents: list[datetime]
    sessions: list[datetime]
    """Interactive sessions, when they were opened, or a little later."""
    batches: list[datetime]
    last_at: datetime | None


async def recent_calls(store: Store, *, now: datetime, wall: datetime, timeout_seconds: float) -> RecentCalls:
    """Read them out of the log.

    now, wall        the best known time and what the wall clock shows: the rate budget takes the latter
    timeout_seconds  of a call: KSeF counts one whose answer was lost, so the intents count, as late as their calls may
                     have ended
    """
    longest_call = timedelta(seconds=timeout_seconds)
    # a little ahead: the clock was set back, and it may have been just now; far ahead: it was wrong then
    period = now - timedelta(hours=1) - longest_call, now + timedelta(hours=1)
    events, last_at = await store.read(partial(_calls_within, period))
    opened = await store.read(lambda tx: tx.sessions.used_since(period[0]))
    shown = wall - now
    return RecentCalls(
        sends=[min(now, event.at + longest_call) + shown for event in events if event.is_send],
        documents=[min(now, event.at) + shown for event in events for _ in range(event.documents)],
        sessions=[min(now, at) + shown for kind, at in opened if kind is SessionKind.ONLINE and at <= period[1]],
        batches=[min(now, at) + shown for kind, at in opened if kind is SessionKind.BATCH and at <= period[1]],
        last_at=last_at,
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls that an event stands for; the event itself, with all it tells, would be kept for nothing."""

    at: datetime
    is_send: bool
    documents: int


async def _calls_within(period: tuple[datetime, datetime], tx: Transaction) -> tuple[list[_Calls], datetime | None]:
    """Return what stands for calls of this time, oldest first, and when the newest event of any kind happened.

    Read page by page from the end, at most MOST_EVENTS, and of a page only what counts: an hour of a backlog that goes
    out is tens of thousands of events, few of them calls.
    """
    begin, end = period
    found: list[list[_Calls]] = []
    last_at: datetime | None = None
    last = newest = await tx.events.newest()
    while last > 0 and newest - last < MOST_EVENTS:
        first = max(0, last - EVENTS_AT_ONCE)
        if last_at is None:
            known = [event.at for event in await tx.events.after(first, last - first) if event.at <= end]
            last_at = known[-1] if known else None
        events = await tx.events.within(_CALLS, first, last)
        calls = (_Calls(each.at, _is_single_send(each), _documents(each)) for each in events if each.at <= end)
        found.append([each for each in calls if each.is_send or each.documents])
        oldest = await tx.events.after(first, limit=1)
        if not oldest or oldest[0].at < begin:
            break
        last = first
    return [each for page in reversed(found) for each in page], last_at


def _is_single_send(event: Event) -> bool:
    return event.kind == EventKind.SENDING and not event.data.get("batch")


def _documents(event: Event) -> int:
    """Return how many calls for UPO an event stands for; what a page of a session told came with that page."""
    if event.kind in {EventKind.UPO, EventKind.UPO_MISMATCH}:
        return 0 if "session" in event.data else 1
    return CALLS_OF_A_SESSION if event.kind in {EventKind.SESSION_UPO, EventKind.SESSION_WITHOUT_UPO} else 0
