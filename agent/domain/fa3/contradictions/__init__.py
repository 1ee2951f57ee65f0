"""Where a ready FA(3) contradicts itself, or is what no invoice can be.

KSeF checks no arithmetic (POD2 1.6.1), so a wrong sum would be issued.

Only contradictions are refused, never a way of rounding: a sum may differ by a cent for every line and rate that was
rounded on the way to it. The Ministry's own first example is a cent away from its P_15.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions import (
    advances,
    content,
    corrected_lines,
    currency,
    lines,
    payments,
    rates,
    simplified,
    sums,
    words,
)
from agent.domain.fa3.view.document import FaView


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield every contradiction found."""
    for part in (sums, lines, corrected_lines, rates, content, advances, payments, currency, words, simplified):
        yield from part.contradictions(view)
