"""Calls of one rate limit group that fail in a row: tried again so seldom that they leave room for their end.

A server that fails for half an hour would else use up the calls of the whole hour, and nothing could be sent, or asked,
for the rest of it, though KSeF is there again. What KSeF refuses of one subject alone is no such failure.
"""

from __future__ import annotations

from agent.ports import TOO_MANY, CallOutcome, KsefError

FREE = 3
"""So many failures in a row are tried again at once: an incident of seconds costs nothing."""
SHARE = 2
"""Of the calls that the limits allow, one in so many goes into trying."""


class FailedCalls:
    """How often calls of a group failed in a row, and how soon the next one is tried."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._rests_until = 0.0
        self.words = ""
        """What the last one failed by, in Polish."""

    def went(self) -> None:
        """Note a call that was answered."""
        self._in_a_row = 0
        self._rests_until = 0.0

    def failed(self, error: KsefError, now: float, pace: float) -> None:
        """Note how a call ended that KSeF was asked.

        now, pace  monotonic; seconds between calls that use the limits up evenly: rests grow to SHARE times that
        """
        if error.refused_alone and not error.of_every_invoice:
            self.went()
        elif error.code != TOO_MANY or error.outcome is not CallOutcome.REFUSED:  # that says itself how long it lasts
            self._in_a_row += 1
            self.words = error.message
            if self._in_a_row >= FREE:
                self._rests_until = now + min(SHARE * pace, 2.0 ** (self._in_a_row - FREE))

    def rest(self, now: float) -> float:
        """Return the seconds until the next one is tried, 0 for now."""
        return max(0.0, self._rests_until - now)
