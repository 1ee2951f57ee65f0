"""Whether batches are tried now, and how large: of a till, or of a hub for one NIP (docs/decisions.md, number 134)."""

from __future__ import annotations

from agent.ports import TOO_MANY, CallOutcome, Clock, KsefError
from agent.services.delivery.backoff import LONGEST_TOLD
from agent.services.outages.sending_trouble import BatchTrouble

LARGEST = 2000
"""Invoices of one batch, where KSeF does not allow fewer."""
MOST_BYTES = 50_000_000
"""Of one batch, before packing: it is in memory raw, packed and encrypted at once."""
SPLIT = 8
"""A batch that KSeF refused as a whole goes again in so many pieces, and so on, until the culprit is alone."""
NOTHING_TAKEN = frozenset({405, 415, 420, 430, 435, 440, 445, 500, 21157, 21173, 21205, 21208})
"""Codes of a batch session of which KSeF took nothing: its status, or why it cannot be closed (agent.ksef.gateway)."""
SINGLY_AFTER = 3
"""After so many batches in a row that failed, what waits goes singly, the most urgent first."""
OPEN_SECONDS = 300.0
"""So long no batch is tried then; the next one is a probe."""
PROBE = 25
"""Invoices of a batch that is a probe."""
REST_SECONDS = 30.0
"""How long the invoices of a batch that could not be opened rest, where KSeF does not say."""


def is_refused_whole(error: KsefError) -> bool:
    """Whether KSeF says of a batch session that it took nothing of it."""
    return error.outcome is CallOutcome.REFUSED and error.code in NOTHING_TAKEN


class BatchBreaker:
    """A circuit breaker: batches that fail, or that KSeF's limit turns away, make way for single sends for a while."""

    def __init__(self, clock: Clock, trouble: BatchTrouble) -> None:
        """``trouble``: told of batches that make way, and of one that goes again."""
        self._clock = clock
        self._trouble = trouble
        self._open_until = 0.0
        """By the monotonic clock."""
        self._failed_in_a_row = 0
        """For a reason that is neither a limit nor the line."""

    @property
    def is_open(self) -> bool:
        """Whether no batch is tried now: single sends may go on meanwhile."""
        return self._clock.monotonic() < self._open_until

    @property
    def largest(self) -> int:
        """How many invoices the next one may hold, whatever KSeF allows."""
        return LARGEST if self._failed_in_a_row < SINGLY_AFTER else PROBE

    def went(self) -> None:
        """Note that KSeF took one."""
        self._failed_in_a_row = 0
        self._trouble.over()

    def failed(self, error: KsefError, *, of_batches: bool) -> float | None:
        """Note that one failed; return how many seconds its invoices rest, None where they may go singly at once.

        ``of_batches``: the trouble is theirs alone. KSeF gave a session, so it is the way of the parts that failed, or
        it answers other calls over the same line.
        """
        limit = error.code == TOO_MANY  # of batches: it says nothing of single sends
        if not limit and (of_batches or not error.link_down):
            self._failed_in_a_row += 1
        rest = REST_SECONDS if error.retry_after is None else error.retry_after
        if not limit:
            rest = min(rest, LONGEST_TOLD)
        if not limit and self._failed_in_a_row < SINGLY_AFTER:
            return rest
        if not limit:
            rest = max(rest, OPEN_SECONDS)
            self._trouble.failed(error)
        self._open_until = self._clock.monotonic() + rest
        return None
