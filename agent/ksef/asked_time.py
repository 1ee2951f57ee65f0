"""KSeF's time, asked for by itself: without credentials, of no NIP."""

from __future__ import annotations

from agent.ksef.auth import ask_challenge
from agent.ksef.calls import RateLimitedClient
from agent.ksef.client import HttpClient, open_client
from agent.ksef.limits import RateBudget
from agent.ksef.server_clock import ServerTime
from agent.ports import Clock
from agent.settings.model import KsefSettings


class AskedTime:
    """Asks KSeF what time it is."""

    def __init__(self, client: HttpClient, budget: RateBudget, clock: Clock) -> None:
        self._client = client
        self._wire = RateLimitedClient(client, budget)
        self._clock = clock

    async def ask(self) -> float:
        """Return the clock skew in seconds (KSeF minus here) by one anonymous call. KsefError without an answer."""
        _, skew = await ask_challenge(self._wire, self._clock, ServerTime(self._clock))
        return skew

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_asked_time(settings: KsefSettings, clock: Clock) -> AskedTime:
    """Return it for the KSeF of the settings; nothing is called before the first use."""
    budget = RateBudget(clock, tills_sharing_address=settings.tills_sharing_address)
    return AskedTime(open_client(settings, settings.url, clock), budget, clock)
