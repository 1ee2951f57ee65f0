"""What the use cases count, for whoever shows it."""

from __future__ import annotations

from typing import Protocol

from agent.domain.invoice import Mode


class Metrics(Protocol):
    """Counters since start. Words are bounded: a mode, an outcome. Counting never fails and never waits."""

    def issued(self, mode: Mode) -> None:
        """Count an invoice."""
        ...

    def sent(self, outcome: str) -> None:
        """Count a send to KSeF: taken, no_session, or what a failed call says of it (agent.ports.Sent)."""
        ...

    def printed(self, outcome: str) -> None:
        """Count a print job by its outcome (agent.ports.Outcome)."""
        ...

    def press_took(self, seconds: float) -> None:
        """Record how long a press took, from request to answer."""
        ...
