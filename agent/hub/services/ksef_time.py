"""What time it is by KSeF, for tills that ask this process, and whether its own clock is right.

A till compares its clock with what the hub says and dates nothing where they differ (agent/domain/clock_check.py). So a
hub must not pass off its own clock as the right time: one that is wrong would stop every till of the chain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from agent.domain.monitoring.alert import AlertCode
from agent.domain.values import dataclass
from agent.hub.domain.fleet import Grade, Trouble
from agent.ports import CallOutcome, Clock, KsefError
from agent.services.heartbeats import Beat, unheard

ASK_SECONDS = 60.0
FRESH_SECONDS = 3600.0
"""So long KSeF's word is carried on by the monotonic clock; a virtual machine that was paused stops that."""
MINUTE = timedelta(minutes=1)
SLOW_SECONDS = 60.0
"""An answer after so long says little: half of the way there and back is what nobody knows. The machine slept, say."""
ALARM = MINUTE
CRITICAL = timedelta(minutes=15)


async def never() -> float:
    """Ask nobody."""
    raise KsefError("Nikt nie pyta KSeF o czas.", outcome=CallOutcome.NOT_SENT)


@dataclass(frozen=True, slots=True)
class HubTime:
    """``confirmed``: KSeF or a time server vouches for it; else it is the hub's own clock and no more."""

    now: datetime
    confirmed: bool


class KsefTime:
    """Asks KSeF every minute, in each process: the one that leads a NIP may be on another machine."""

    def __init__(self, ask: Callable[[], Awaitable[float]], clock: Clock, beat: Beat = unheard) -> None:
        """``ask`` returns KSeF's time minus the clock's, seconds, or raises KsefError."""
        self._ask = ask
        self._clock = clock
        self._beat = beat
        self._heard: tuple[datetime, float] | None = None
        """KSeF's time, and when by the monotonic clock."""

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self.hear()
            self._beat()
            await self._clock.sleep(ASK_SECONDS)

    async def hear(self) -> None:
        """Ask once; without an answer what was heard before goes on."""
        begun = self._clock.monotonic()
        try:
            skew = await self._ask()
        except KsefError:
            return
        if self._clock.monotonic() - begun > SLOW_SECONDS:
            return
        self._heard = (self._clock.now() + timedelta(seconds=skew), self._clock.monotonic())

    def tell(self) -> HubTime:
        """Return the time for tills."""
        own, right = self._clock.now(), self._right()
        if right is not None:
            return HubTime(right, confirmed=True)
        return HubTime(own, confirmed=self._clock.kept_by_ntp())

    def trouble(self) -> Trouble | None:
        """Return what is wrong with this machine's clock; None where nothing is, or nobody knows."""
        right = self._right()
        if right is None:
            return None
        skew = right - self._clock.now()
        if abs(skew) < ALARM:
            return None
        way = "późni się" if skew > timedelta(0) else "śpieszy się"
        text = (
            f"Zegar centrali {way} o {abs(skew) / MINUTE:.0f} min wobec czasu KSeF; kasom centrala podaje czas KSeF, "
            "ale terminy, alarmy i dni w rejestrze liczy według swojego zegara. Włącz synchronizację czasu."
        )
        return Trouble(AlertCode.CLOCK_SKEW, Grade.CRITICAL if abs(skew) >= CRITICAL else Grade.WARNING, text)

    def _right(self) -> datetime | None:
        if self._heard is None:
            return None
        at, heard = self._heard
        age = self._clock.monotonic() - heard
        return at + timedelta(seconds=age) if age <= FRESH_SECONDS else None
