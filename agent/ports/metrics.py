"""What is counted and timed, for whoever shows it."""

from __future__ import annotations

from typing import Protocol

from agent.domain.invoice import Mode


class CallMetrics(Protocol):
    """Calls to KSeF since start. Counting never fails and never waits."""

    def ksef_called(self, endpoint: str, outcome: str, seconds: float | None) -> None:
        """Count a call.

        ``endpoint``: method and path, references replaced by ``{}``. ``outcome``: ok, refused, rate_limited (429),
        unknown, not_sent, or held_back: the own rate budget was used up, so nothing left the till.
        ``seconds``: how long it took, None for a call that was held back.
        """
        ...


class Metrics(CallMetrics, Protocol):
    """Counters since start. Words are bounded: a mode, an outcome. Counting never fails and never waits."""

    def issued(self, mode: Mode) -> None:
        """Count an invoice."""
        ...

    def sent(self, outcome: str) -> None:
        """Count a send to KSeF: taken, no_session, or what a failed call says of it (agent.ports.CallOutcome)."""
        ...

    def printed(self, outcome: str) -> None:
        """Count a print job by its outcome (agent.ports.Outcome)."""
        ...

    def press_took(self, seconds: float) -> None:
        """Record how long a press took, from request to answer."""
        ...
