"""A printer in memory behind the printer port."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from agent.ports import Outcome, PrinterStatus, PrintResult

Encode = Callable[[str], bytes]
Sent = Callable[[str, bytes], Awaitable[None]]


class FakePrinter:
    """Printer port; ``plan`` holds the next outcomes, DONE after that."""

    def __init__(self) -> None:
        self.plan: deque[Outcome] = deque()
        self.papers: list[bytes] = []
        self.problem: str | None = None
        """What it says of itself when asked."""

    @property
    def profile_names(self) -> tuple[str, ...]:
        return ("paragon",)

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        data = encode("paragon")
        outcome = self.plan.popleft() if self.plan else Outcome.DONE
        if outcome is Outcome.NOT_SENT:
            return PrintResult(outcome, "paragon", "Skończył się papier.", "paper-out")
        await sent("paragon", data)
        self.papers.append(data)
        problem = None if outcome is Outcome.DONE else "Drukarka zamilkła w trakcie wydruku."
        return PrintResult(outcome, "paragon", problem, None if problem is None else "stalled")

    async def status(self) -> tuple[PrinterStatus, ...]:
        return (PrinterStatus("paragon", online=self.problem is None, problem=self.problem),)
