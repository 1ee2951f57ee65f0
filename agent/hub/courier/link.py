"""Whether KSeF answers, as one process of the hub sees it for one NIP."""

from __future__ import annotations

import logging
from datetime import datetime

from agent.domain.monitoring.rules.ksef import SIGN_IN_LATE
from agent.domain.outages.circuit_breaker import Breaker, LinkState
from agent.ports import CallOutcome, Clock, KsefError, KsefGateway
from agent.services.outages.sending_trouble import BatchTrouble, SendingTrouble

LOG = logging.getLogger("agent.hub")


class Link:
    """A circuit breaker around the gateway; it says once when the line is lost and once when it is back."""

    def __init__(self, gateway: KsefGateway, clock: Clock, nip: str) -> None:
        self._gateway = gateway
        self._clock = clock
        self._nip = nip
        self._breaker = Breaker()
        self._sending_trouble = SendingTrouble(clock)
        self.batch_trouble = BatchTrouble(clock)

    @property
    def up(self) -> bool:
        """Whether a press may be tried."""
        return self._breaker.allows

    @property
    def may_send(self) -> bool:
        """Whether what nobody waits for may be tried."""
        return self._breaker.state is not LinkState.OPEN

    def failing(self) -> tuple[datetime, str] | None:
        """Since when, and by what words, KSeF answers and takes nothing; None before that lasts SIGN_IN_LATE."""
        trouble = self._sending_trouble
        if trouble.since is None or trouble.since.seconds(self._clock) < SIGN_IN_LATE.total_seconds():
            return None
        return trouble.since.at, trouble.words

    def batches_failing(self) -> tuple[datetime, str] | None:
        """Since when, and by what words, batches fail and make way for single sends; None where they go."""
        since = self.batch_trouble.since
        return None if since is None else (since.at, self.batch_trouble.words)

    def in_session(self, session_ref: str) -> None:
        """Note the session to send in."""
        self._sending_trouble.in_session(session_ref, way="ksef")

    def no_session(self, error: KsefError) -> None:
        """Note that signing in or opening a session failed."""
        self._sending_trouble.failed(error)

    def nothing_taken(self, error: KsefError) -> None:
        """Note that sending failed for a reason of no invoice."""
        self._sending_trouble.failed(error, in_session=True)

    def taken(self) -> None:
        """Note that KSeF took an invoice or a batch."""
        self.answered()
        self._sending_trouble.taken()

    def answered(self) -> None:
        """Note an answer of KSeF to a call that counts."""
        self._turn(self._breaker.on_success(self._clock.now()))

    def failed(self, error: KsefError) -> None:
        """Note a failed send or probe; only trouble of the line, or no usable answer, counts."""
        if error.link_down or error.outcome is CallOutcome.UNKNOWN:
            self._turn(self._breaker.on_failure(self._clock.now()))

    def question_failed(self, error: KsefError) -> None:
        """Note a question about something KSeF has that failed; only trouble of the line counts.

        What cannot be read, or an error of KSeF's own, is about that thing: sends and probes tell of all the others.
        """
        if error.link_down:
            self._turn(self._breaker.on_failure(self._clock.now()))

    async def probe(self) -> bool:
        """Ask KSeF for a sign of life; return whether it gave one."""
        try:
            await self._gateway.probe()
        except KsefError as error:
            self.failed(error)
            self._sending_trouble.probed(answered=False)
            return False
        self._sending_trouble.probed(answered=True)
        self._turn(self._breaker.on_probe(self._clock.now()))
        return True

    def _turn(self, breaker: Breaker) -> None:
        if breaker.state is not self._breaker.state:
            LOG.warning("the line to KSeF for %s is %s", self._nip, breaker.state)
        self._breaker = breaker
