"""Lines of a correction before and after (StanPrzed) against its sums, which are differences (art. 106j ust. 2 pkt 5).

Only where the document marks the state before: lines without that mark may be differences, what is left, or some of
both, and nothing in them tells which.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA, field_of, tolerance
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import LineView


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield each rate whose lines make another difference than its sum says."""
    if view.kind is not Kind.KOR or not any(line.before for line in view.lines):
        return
    net = all(line.net is not None for line in view.lines)
    if not net and any(line.gross is None for line in view.lines):
        return
    fields = {field_of(line) for line in view.lines}
    if None in fields:
        return
    stated = {item.field: item.net if net else item.gross for item in view.rates}
    for field in sorted(field for field in fields if field is not None):
        mine = [line for line in view.lines if field_of(line) == field]
        found = sum((_signed(line, net=net) for line in mine), Decimal(0))
        said = stated.get(field, Decimal(0))
        if abs(found - said) > tolerance(view):
            sentence = (
                f"Pozycje przed korektą i po niej różnią się o {amount(found)}, a korekta podaje {amount(said)} "
                f"(P_13_{field})."
            )
            yield FieldError(f"{FA}/P_13_{field}", sentence, "lines-contradict")


def _signed(line: LineView, *, net: bool) -> Decimal:
    value = (line.net if net else line.gross) or Decimal(0)
    return -value if line.before else value
