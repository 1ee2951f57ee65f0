"""When to ask KSeF first what became of an invoice that was just sent: after as long as it usually takes.

Who asks too early asks twice and waits for the next step; who asks too late lets a customer wait. KSeF does not say how
long it will take (it differs by hour and day), so the last decisions tell: with a number it names when the invoice came
and when the number was given, and where it does not, the questions that found none and one have it between them.
All of it counts from the moment KSeF took the invoice, at its end of the line; a question sets out its way earlier.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

REMEMBERED = 5
"""Decisions; their median is what is usual, so that one slow answer changes nothing."""
EARLIER = 0.95
"""What was decided by the first question may have been decided before it: the next one is a little earlier."""
LONGEST_SECONDS = 2.0
"""Nobody waits longer for the first question, however slow KSeF was."""


class FirstQuestion:
    """Learns from each decision; of one till, in memory."""

    def __init__(self) -> None:
        self._decided: deque[float] = deque(maxlen=REMEMBERED)
        self._answers: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def seconds(self) -> float:
        """From the taking of the invoice to its usual decision; 0 while nothing is known."""
        return min(_median(self._decided), LONGEST_SECONDS) if self._decided else 0.0

    @property
    def way(self) -> float:
        """Seconds that a question travels: half of the quickest of the last ones, so never too long a time."""
        return min(self._answers) / 2 if self._answers else 0.0

    def pause(self, gone: float) -> float:
        """Return the seconds until the first question sets out; ``gone``: since KSeF said that it has the invoice."""
        return max(0.0, self.seconds - self.way - gone)

    def answered(self, seconds: float) -> None:
        """Take note how long a question and its answer took."""
        self._answers.append(seconds)

    def learn(self, asked_after: float, too_early: float | None, took: float | None = None) -> None:
        """Take note of a decision, all in seconds.

        asked_after  from the taking to the arrival of the question that found it
        too_early    to the one before, which found none; the decision fell between the two
        took         how long KSeF says it took from the arrival; not believed where ``too_early`` speaks against it
        """
        if took is not None and took >= (too_early or 0.0):
            self._decided.append(min(took, asked_after))
        else:
            self._decided.append(asked_after * EARLIER if too_early is None else (too_early + asked_after) / 2)


def _median(values: Collection[float]) -> float:
    """As statistics.median(), which would bring fractions into the memory of every till (0.2 MB)."""
    ordered = sorted(values)
    upper = len(ordered) // 2
    return (ordered[(len(ordered) - 1) // 2] + ordered[upper]) / 2
