"""Latarnia as the hub heard it (port StatusSource): one poller for the chain; the till asks when that is silent."""

from __future__ import annotations

from datetime import timedelta

from agent.hub_contract.heartbeat import News
from agent.ports import Clock, LatarniaReading, StatusSource

FRESH_SECONDS = 150.0
"""News older than so long say nothing: a till reports every 20 seconds, a hub asks every minute."""
FRESH = timedelta(seconds=FRESH_SECONDS)


class ChainLatarnia:
    """What Latarnia said, as received by the hub; read by the same rules as if this till had asked."""

    def __init__(self, own: StatusSource, clock: Clock) -> None:
        self._own = own
        self._clock = clock
        self._heard: tuple[LatarniaReading, float] | None = None

    def hear(self, news: News) -> None:
        """Take over what the hub tells, unless Latarnia is silent there too. Ages are by the hub's own clock."""
        said = news.latarnia
        if said is None or not timedelta(0) <= news.now - said.seen_at <= FRESH:
            return
        age = (news.now - said.seen_at).total_seconds()
        seen_at = self._clock.now() - timedelta(seconds=age)
        self._heard = LatarniaReading(said.status, said.messages, seen_at), self._clock.monotonic() - age

    async def read(self) -> LatarniaReading:
        """Return what the hub heard lately, else ask. KsefError when out of reach."""
        if self._heard is not None and self._clock.monotonic() - self._heard[1] <= FRESH_SECONDS:
            return self._heard[0]
        return await self._own.read()
