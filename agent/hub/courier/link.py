"""Whether KSeF answers, as one process of the hub sees it for one NIP."""

from __future__ import annotations

import logging

from agent.domain.outages.circuit_breaker import Breaker, LinkState
from agent.ports import CallOutcome, Clock, KsefError, KsefGateway

LOG = logging.getLogger("agent.hub")


class Link:
    """A circuit breaker around the gateway; it says once when the line is lost and once when it is back."""

    def __init__(self, gateway: KsefGateway, clock: Clock, nip: str) -> None:
        self._gateway = gateway
        self._clock = clock
        self._nip = nip
        self._breaker = Breaker()
        self.skew: float | None = None
        """KSeF's clock minus the hub's, seconds."""

    @property
    def up(self) -> bool:
        """Whether a press may be tried."""
        return self._breaker.allows

    @property
    def may_send(self) -> bool:
        """Whether what nobody waits for may be tried."""
        return self._breaker.state is not LinkState.OPEN

    def answered(self) -> None:
        """Note an answer of KSeF to a call that counts."""
        self._turn(self._breaker.on_success(self._clock.now()))

    def failed(self, error: KsefError) -> None:
        """Note a failed call; only trouble of the line, or no usable answer, counts."""
        if error.link_down or error.outcome is CallOutcome.UNKNOWN:
            self._turn(self._breaker.on_failure(self._clock.now()))

    async def probe(self) -> None:
        """Ask KSeF for a sign of life."""
        try:
            self.skew = await self._gateway.probe()
        except KsefError as error:
            self.failed(error)
        else:
            self._turn(self._breaker.on_probe(self._clock.now()))

    def _turn(self, breaker: Breaker) -> None:
        if breaker.state is not self._breaker.state:
            LOG.warning("the line to KSeF for %s is %s", self._nip, breaker.state)
        self._breaker = breaker
