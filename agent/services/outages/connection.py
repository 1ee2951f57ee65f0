"""The line to KSeF: when it last answered, its trouble, and the circuit breaker that spares presses the wait."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.outages.circuit_breaker import Breaker, LinkState
from agent.domain.values import dataclass
from agent.ports import CallOutcome, Clock, Json, KsefError, KsefGateway, Store, Transaction
from agent.services.elapsed import Since
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.sending_trouble import BatchTrouble, SendingTrouble
from agent.services.signals import Signal
from agent.system import journal

LOG = logging.getLogger("agent.line")
KEPT = "breaker"
"""In the notebook: the breaker's state."""
LOGIN_REFUSED = frozenset({415, 450, 460, 470, 480})
"""Status codes of an authentication that a person has to look into (agent.ksef.auth)."""


@dataclass(slots=True)
class LastContact:
    """What KSeF last said, and what trouble there was since. None: nothing since start."""

    answered_at: datetime | None = None
    problem: str = ""
    code: int = 0
    body: str = ""
    """KSeF's code and the beginning of its answer in the newest trouble: evidence."""
    signed_in: bool | None = None
    login_problem: str = ""


class Connection:
    """Takes note of every call, and probes between them."""

    def __init__(
        self,
        gateway: KsefGateway,
        *,
        clock: Clock,
        clock_check: ClockCheck,
        store: Store,
        changed: Signal,
        failures_to_open: int,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._clock_check = clock_check
        self._store = store
        self._changed = changed
        self.breaker = Breaker(failures_to_open=failures_to_open)
        self.lost: Since | None = None
        """Since when the line is down; it is until it has surely come back."""
        self.last = LastContact()
        self.sending_trouble = SendingTrouble(clock)
        self.batch_trouble = BatchTrouble(clock)

    async def load(self) -> None:
        """Read the breaker back; called once at start."""
        kept = await self._store.read(lambda tx: tx.key_values.get(KEPT))
        if isinstance(kept, dict):
            self.breaker = self.breaker.restored(kept)
            if self.breaker.state is not LinkState.CLOSED:
                now = self._clock.now()
                self.lost = Since.recalled(self.breaker.since or now, now, self._clock)

    async def probe(self) -> bool:
        """Ask KSeF something cheap; return True when the line has just come back."""
        was_closed = self.breaker.state is LinkState.CLOSED
        await self.answers()
        return not was_closed and self.breaker.state is LinkState.CLOSED

    async def answers(self) -> bool:
        """Ask KSeF something cheap; return whether it answered."""
        try:
            skew = await self._gateway.probe()
        except KsefError as error:
            self.failed(error)
            self.sending_trouble.probed(answered=False)
            answered = False
        else:
            self.sending_trouble.probed(answered=True)
            if skew is not None:
                self._clock_check.heard_ksef(skew)
            self._contact()
            self._set_breaker(self.breaker.on_probe(self._clock.now()))
            answered = True
        await self._keep_breaker()
        await self._clock_check.keep()
        return answered

    def taken(self) -> None:
        """Note that KSeF took an invoice or a batch."""
        self.answered()
        self.sending_trouble.taken()

    def answered(self) -> None:
        """Note that KSeF answered a real call. A question it answered says nothing of signing in and sending."""
        self._contact()
        self._set_breaker(self.breaker.on_success(self._clock.now()))

    def failed(self, error: KsefError) -> None:
        """Note a failed send or probe; only trouble of the line, or no usable answer, feeds the breaker."""
        self._failed(error, counts=error.link_down or error.outcome is CallOutcome.UNKNOWN)

    def question_failed(self, error: KsefError) -> None:
        """Note a question about something KSeF has that failed; only trouble of the line feeds the breaker.

        An answer that cannot be read, or an error of KSeF's own, is about that thing, which is asked for again and
        again; whether presses get through, sends and probes tell.
        """
        self._failed(error, counts=error.link_down)

    def _failed(self, error: KsefError, *, counts: bool) -> None:
        self.last.problem, self.last.code, self.last.body = error.message, error.code, error.body
        if counts:
            self._set_breaker(self.breaker.on_failure(self._clock.now()))

    def signed_in(self, session_ref: str, way: str) -> bool:
        """Note the session to send in, and tell whether it is a new one: it was signed in to just now."""
        self.last.signed_in = True
        return self.sending_trouble.in_session(session_ref, way=way)

    def no_session(self, error: KsefError) -> None:
        """Note why there is no session to send in; only a refusal of the credentials tells anything about them."""
        self.sending_trouble.failed(error)
        if error.code in LOGIN_REFUSED:
            self.last.signed_in, self.last.login_problem = False, error.message
            self._changed.set()

    def nothing_taken(self, error: KsefError) -> None:
        """Note that sending failed for a reason of no invoice."""
        self.sending_trouble.failed(error, in_session=True)

    def _contact(self) -> None:
        self.last.answered_at = self._clock.now()
        self.last.problem = ""

    def _set_breaker(self, breaker: Breaker) -> None:
        before = self.breaker.state
        if breaker.state is not before:
            self._changed.set()
            self.lost = None if breaker.state is LinkState.CLOSED else self.lost or Since.now(self._clock)
        if before is LinkState.CLOSED and breaker.state is LinkState.OPEN:
            LOG.warning(
                "the line to KSeF is lost, presses go offline: %s", self.last.problem, extra=journal.fields(line="lost")
            )
        elif breaker.state is LinkState.CLOSED and before is not LinkState.CLOSED:
            LOG.info("the line to KSeF is back, presses go online", extra=journal.fields(line="back"))
        self.breaker = breaker

    async def _keep_breaker(self) -> None:
        """Make it durable where it changed: a restart must not make the next cashier wait for a line that is down."""
        before = await self._store.read(lambda tx: tx.key_values.get(KEPT))
        if before != self.breaker.to_json():
            await self._store.write(partial(self._write_breaker, before))

    async def _write_breaker(self, before: Json, tx: Transaction) -> None:
        kept = self.breaker.to_json()
        await tx.key_values.put(KEPT, dict(kept))
        if isinstance(before, dict) and before.get("state") == kept["state"]:
            return
        data: dict[str, Json] = {"state": kept["state"], "since": kept["since"], "problem": self.last.problem}
        answer: dict[str, Json] = {"code": self.last.code, "body": self.last.body} if self.last.problem else {}
        await tx.events.append(EventKind.LINE, data | answer)
