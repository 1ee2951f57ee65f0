"""Rate limits of KSeF as sliding windows, kept so that KSeF never has to say 429 (API 2.9, /rate-limits).

KSeF counts per context and address, so the limits are shared by all tills behind one address: each takes its part of a
limit (ksef.tills_sharing_address). Where there are more tills than calls a part is one call in a longer window, so that
all parts together are never more than the limit.
A call occupies its place from the moment it starts until a full window after it ended: KSeF saw it
somewhere in between, so no delay on the way can make KSeF count more than this does.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum

from agent.domain.values import dataclass
from agent.ksef.failed_calls import FailedCalls
from agent.ksef.responses import Fields
from agent.ports import NO_LIMIT, TOO_MANY, CallOutcome, Clock, KsefError, LimitLeft, SendBudget

log = logging.getLogger(__name__)

SECOND, MINUTE, HOUR = 1.0, 60.0, 3600.0
GRAIN = 0.001
"""Seconds added to a wait, so that rounding never wakes a caller too early."""
UNLIMITED = -1
"""KSeF's way to say that there is no limit."""
SILENT_BLOCK_SECONDS = 60.0
"""How long a group rests after a 429 without Retry-After."""
PATIENCE_SEND_SECONDS = 1.0
"""A send waits so long for a free place; beyond that its caller decides."""
PATIENCE_SECONDS = 10.0
"""All other calls wait so long."""
POLLS_PER_SEND = 3
"""Status questions that a send of an earlier run is taken to have cost."""

ASKED_PER_SESSION = 2
"""Questions for limits (InvoiceSender.warm) that a session of an earlier run is taken to have cost: a start asks them
once it has one, and one that dies soon is followed by the next."""


class Group(StrEnum):
    """Groups of calls with a limit of their own, named as /rate-limits names them."""

    ONLINE_SESSION = "onlineSession"
    ONLINE_SESSION_CLOSE = "onlineSessionClose"
    BATCH_SESSION = "batchSession"
    BATCH_SESSION_CLOSE = "batchSessionClose"
    INVOICE_SEND = "invoiceSend"
    INVOICE_STATUS = "invoiceStatus"
    SESSION_INVOICE_LIST = "sessionInvoiceList"
    SESSION_MISC = "sessionMisc"
    INVOICE_DOWNLOAD = "invoiceDownload"
    INVOICE_METADATA = "invoiceMetadata"
    OTHER = "other"
    ANONYMOUS = "anonymous"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls allowed per second, minute and hour; UNLIMITED where there is no such limit."""

    per_second: int
    per_minute: int = UNLIMITED
    per_hour: int = UNLIMITED

    def shared(self, tills: int) -> tuple[Share, ...]:
        """Return one till's part of each window that is limited."""
        windows = (
            ("second", SECOND, self.per_second),
            ("minute", MINUTE, self.per_minute),
            ("hour", HOUR, self.per_hour),
        )
        return tuple(_share(name, span, limit, tills) for name, span, limit in windows if limit != UNLIMITED)


@dataclass(frozen=True, slots=True)
class Share:
    """One till's part of a window: ``calls`` in ``span`` seconds. ``window`` is second, minute or hour."""

    window: str
    span: float
    calls: int


DEFAULTS: Mapping[Group, Limit] = {
    Group.ONLINE_SESSION: Limit(10, 30, 120),
    Group.ONLINE_SESSION_CLOSE: Limit(20, 60, 240),
    Group.BATCH_SESSION: Limit(10, 20, 60),
    Group.BATCH_SESSION_CLOSE: Limit(20, 40, 120),
    Group.INVOICE_SEND: Limit(10, 30, 180),
    Group.INVOICE_STATUS: Limit(30, 120, 1200),
    Group.SESSION_INVOICE_LIST: Limit(10, 20, 200),
    Group.SESSION_MISC: Limit(10, 120, 1200),
    Group.INVOICE_DOWNLOAD: Limit(8, 16, 64),
    Group.INVOICE_METADATA: Limit(8, 16, 20),
    Group.OTHER: Limit(10, 30, 120),
    Group.ANONYMOUS: Limit(60),
    Group.GLOBAL: Limit(75),
}
"""Production values of API 2.9.0."""
BACKGROUND = (
    Group.SESSION_MISC,
    Group.SESSION_INVOICE_LIST,
    Group.INVOICE_DOWNLOAD,
    Group.BATCH_SESSION,
    Group.BATCH_SESSION_CLOSE,
)
"""Calls that no press waits for."""


class Window:
    """The calls of one group: those under way, and the ends of those within the last hour."""

    def __init__(self, shares: tuple[Share, ...]) -> None:
        self.shares = shares
        self._under_way = 0
        self._ended: deque[float] = deque()
        self._blocked_until = 0.0
        self.failed = FailedCalls()

    def wait(self, now: float) -> float:
        """Return the seconds until one more call is allowed, 0 for now (again asked when they are over)."""
        longest = max([HOUR, *(share.span for share in self.shares)])
        while self._ended and self._ended[0] <= now - longest:
            self._ended.popleft()
        waits = [self._blocked_until - now, self.failed.rest(now)]
        for share in self.shares:
            over = self._under_way + self._count_since(now - share.span) - share.calls
            if over >= 0:
                waits.append(self._free_in(over, share.span, now))
        return max(0.0, *waits)

    def start(self) -> None:
        """Occupy a place."""
        self._under_way += 1

    def end(self, now: float) -> None:
        """The call is over; its place stays occupied for a full window from now."""
        self._under_way -= 1
        self._ended.append(now)

    def recall(self, ages: Iterable[float], now: float) -> None:
        """Count calls of an earlier run of this agent, so many seconds old."""
        self._ended = deque(sorted([*self._ended, *(now - age for age in ages if age < HOUR)]))

    def block(self, until: float) -> None:
        """Allow nothing before ``until``."""
        self._blocked_until = max(self._blocked_until, until)

    def blocked(self, now: float) -> float:
        """Return the seconds that KSeF's last 429 still forbids."""
        return max(0.0, self._blocked_until - now)

    @property
    def pace(self) -> float:
        """Seconds between calls that use up no window: 0 without a limit."""
        return max((share.span / share.calls for share in self.shares), default=0.0)

    def windows(self, now: float) -> dict[str, tuple[int, int]]:
        """Return by window how many calls are left, and of how many."""
        return {
            share.window: (max(0, share.calls - self._under_way - self._count_since(now - share.span)), share.calls)
            for share in self.shares
        }

    def _count_since(self, instant: float) -> int:
        count = 0
        for ended in reversed(self._ended):
            if ended <= instant:
                break
            count += 1
        return count

    def _free_in(self, over: int, span: float, now: float) -> float:
        """Return the seconds until ``over`` + 1 of the calls in the span have left it."""
        inside = self._count_since(now - span)
        if over >= inside:
            return span  # all places are taken by calls under way: none ends its window sooner than that
        return self._ended[len(self._ended) - inside + over] + span - now + GRAIN


class RateBudget:
    """All windows of one till."""

    def __init__(self, clock: Clock, *, tills_sharing_address: int = 1) -> None:
        self._clock = clock
        self._tills = max(1, tills_sharing_address)
        self._windows = {group: Window(limit.shared(self._tills)) for group, limit in DEFAULTS.items()}

    def learn(self, limits: Fields) -> None:
        """Take over /rate-limits. A group that it does not name, or not as agreed, keeps its value; -1 is no limit."""
        for group, window in self._windows.items():
            try:
                values = limits.optional_object(group)
                if values is not None:
                    limit = Limit(_calls(values, "perSecond"), _calls(values, "perMinute"), _calls(values, "perHour"))
                    window.shares = limit.shared(self._tills)
            except KsefError as error:
                log.warning("KSeF's limit of %s is not read: %s", group, error.message)

    @property
    def is_lowered(self) -> bool:
        """Tell whether KSeF allows less of anything than it does by itself: for how long, it does not say."""
        return any(
            share.calls < usual.calls
            for group, window in self._windows.items()
            for share in window.shares
            for usual in DEFAULTS[group].shared(self._tills)
            if share.window == usual.window
        )

    @asynccontextmanager
    async def place(self, group: Group, patience: float = PATIENCE_SECONDS) -> AsyncIterator[None]:
        """Hold a place in ``group`` for one call.

        Waits up to ``patience`` seconds for it; KsefError NOT_SENT with code 429 and the exact wait beyond that. Where
        calls of the group keep failing, nothing waits for the next try: whoever asks hears at once what they fail by.
        """
        windows = (self._windows[group], self._windows[Group.GLOBAL])
        own = windows[0]
        give_up = self._clock.monotonic() + patience
        while wait := max(window.wait(self._clock.monotonic()) for window in windows):
            if (rest := own.failed.rest(self._clock.monotonic())) > min(patience, PATIENCE_SEND_SECONDS):
                raise KsefError(
                    f"Następna próba za {rest:.0f} s. {own.failed.words}",
                    outcome=CallOutcome.NOT_SENT,
                    code=TOO_MANY,
                    retry_after=wait,
                )
            if self._clock.monotonic() + wait > give_up:
                raise KsefError(
                    f"Limit żądań KSeF ({group}) jest wyczerpany jeszcze przez {wait:.0f} s.",
                    outcome=CallOutcome.NOT_SENT,
                    code=TOO_MANY,
                    retry_after=wait,
                )
            await self._clock.sleep(wait)
        for window in windows:
            window.start()
        try:
            yield
            own.failed.went()
        except KsefError as error:
            own.failed.failed(error, self._clock.monotonic(), own.pace)
            if error.code == TOO_MANY and error.outcome is CallOutcome.REFUSED:
                rest = SILENT_BLOCK_SECONDS if error.retry_after is None else error.retry_after
                own.block(self._clock.monotonic() + rest)
            raise
        finally:
            for window in windows:
                window.end(self._clock.monotonic())

    def pace(self, group: Group) -> float:
        """Return the seconds between calls of a group that use up no window of its limits: 0 without a limit."""
        return self._windows[group].pace

    def sends(self) -> SendBudget:
        """Return what the limits still allow for invoices sent one by one.

        A 429 with a wait beyond a minute is the hour: others of this NIP and address have used it up, whatever the own
        count says.
        """
        now = self._clock.monotonic()
        window = self._windows[Group.INVOICE_SEND]
        windows = window.windows(now)
        left_minute, per_minute = windows.get("minute", (NO_LIMIT, NO_LIMIT))
        left_hour, per_hour = windows.get("hour", (NO_LIMIT, NO_LIMIT))
        return SendBudget(
            sends_left_hour=0 if window.blocked(now) > MINUTE else left_hour,
            wait=window.wait(now),
            sends_left_minute=left_minute,
            per_minute=per_minute,
            per_hour=per_hour,
        )

    def left(self) -> tuple[LimitLeft, ...]:
        """Return what each group has left, for whoever watches; no I/O."""
        now = self._clock.monotonic()
        return tuple(
            LimitLeft(group, window.windows(now), window.blocked(now)) for group, window in self._windows.items()
        )

    def recall_sends(self, sent_at: Iterable[datetime]) -> None:
        """Count sends of an earlier run, by their wall time, so that a restart does not reopen a spent hour."""
        instants = list(sent_at)
        self._recall(Group.INVOICE_SEND, instants)
        self._recall(Group.INVOICE_STATUS, [instant for instant in instants for _ in range(POLLS_PER_SEND)])

    def recall_sessions(self, *, online: Iterable[datetime], batches: Iterable[datetime]) -> None:
        """Count sessions that an earlier run opened, interactive ones and batches, and its questions for the limits."""
        opened = list(online)
        self._recall(Group.ONLINE_SESSION, opened)
        self._recall(Group.OTHER, [instant for instant in opened for _ in range(ASKED_PER_SESSION)])
        self._recall(Group.BATCH_SESSION, batches)

    def recall_documents(self, fetched_at: Iterable[datetime]) -> None:
        """Count documents that an earlier run fetched."""
        self._recall(Group.SESSION_MISC, fetched_at)

    def rest_after(self, last_at: datetime) -> None:
        """Let the calls that no press waits for rest until a minute after an earlier run's last sign of life.

        How many of them it made in its last minute is not written down anywhere.
        """
        age = (self._clock.now() - last_at).total_seconds()
        if 0 <= age < MINUTE:
            for group in BACKGROUND:
                self._windows[group].block(self._clock.monotonic() + MINUTE - age)

    def _recall(self, group: Group, instants: Iterable[datetime]) -> None:
        now, wall = self._clock.monotonic(), self._clock.now()
        self._windows[group].recall([max(0.0, (wall - instant).total_seconds()) for instant in instants], now)


def _calls(limits: Fields, name: str) -> int:
    """Read one limit. None of no calls is believed: it would outlast its cause, and KSeF says 429 where it means it."""
    calls = limits.number(name)
    if calls < 1 and calls != UNLIMITED:
        raise limits.unusable(f"KSeF podał limit {name} = {calls}.")
    return calls


def _share(window: str, span: float, limit: int, tills: int) -> Share:
    """Return the part: whole calls of the window, or one call in as long a time as leaves room for the others'."""
    calls = limit // tills
    return Share(window, span, calls) if calls > 0 else Share(window, span * tills / max(1, limit), 1)
