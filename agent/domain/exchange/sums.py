"""The sums of a document as its header states them (fields 28-30), compared with ours to the grosz."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.errors import BadInput, FieldError
from agent.domain.exchange.values import Values
from agent.domain.invoice import Totals
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class StatedSums:
    """What the header says; None where it says nothing. ``line`` is the header's in the file."""

    name: str
    line: int
    net: Decimal | None
    tax: Decimal | None
    gross: Decimal | None

    def differs_from(self, ours: Totals) -> bool:
        """Tell whether a stated sum is another one than ours."""
        pairs = ((self.net, ours.net), (self.tax, ours.tax), (self.gross, ours.gross))
        return any(stated is not None and stated != counted for stated, counted in pairs)

    def check(self, ours: Totals) -> None:
        """Raise BadInput (epp-sums-differ) with both, where they differ."""
        if not self.differs_from(ours):
            return
        theirs = _shown(self.net, self.tax, self.gross)
        sentence = (
            f"Dokument {self.name}: plik podaje {theirs}, a z pozycji wychodzi "
            f"{_shown(ours.net, ours.tax, ours.gross)}. Podatek liczy się od sumy wartości w stawce "
            "(art. 106e ust. 1 pkt 14 i ust. 7); ustaw tak w programie, który zapisał plik."
        )
        place = FieldError(f"{self.line}:28", sentence, "epp-sums-differ")
        raise BadInput(sentence, code="epp-sums-differ", errors=(place,))


def stated_sums(name: str, header: Values) -> StatedSums:
    """Read the sums of a header."""
    return StatedSums(
        name,
        header.record.line,
        header.given(28, "netto"),
        header.given(29, "VAT"),
        header.given(30, "brutto"),
    )


def _shown(net: Decimal | None, tax: Decimal | None, gross: Decimal | None) -> str:
    parts = (("netto", net), ("VAT", tax), ("brutto", gross))
    return ", ".join(f"{word} {amount(value)}" for word, value in parts if value is not None)
