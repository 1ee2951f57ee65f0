"""KFS as the correction that the JSON API takes (domain/corrections/parse.py), counted against the invoice it corrects.

A line of a KFS has the state after the correction in its 22 fields and the state before it in nine more. The invoice,
as it stands on this till after everything that corrects it, has to be in that state before, so that the shop's program
and KSeF never tell of different goods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from agent.domain import amounts, vat
from agent.domain.corrections.base import BaseInvoice, Row, add_up
from agent.domain.corrections.correction import Correction, CorrectionKind
from agent.domain.errors import BadInput, FieldError
from agent.domain.exchange.buyer import buyer_of
from agent.domain.exchange.file import Document, ExchangeFile, names_of, split_number
from agent.domain.exchange.lines import LINE_FIELDS, Line, Terms, price_and_discount, read_lines
from agent.domain.exchange.sale import Conventions, check_document, terms_of
from agent.domain.exchange.sums import StatedSums, stated_sums
from agent.domain.exchange.values import Values, plain
from agent.domain.invoice import Prices
from agent.domain.json_io.reader import Problems
from agent.domain.values import dataclass

FIELDS_BEFORE = 9
MAX_REASON = 256


@dataclass(frozen=True, slots=True)
class LineCorrection:
    """A line after the correction, and its quantity and value before."""

    after: Line
    unit_price: Decimal
    discount: Decimal
    quantity_before: Decimal
    value_before: Decimal

    @property
    def returned(self) -> Decimal:
        """How much came back; negative where more was sold."""
        return self.quantity_before - self.after.quantity

    @property
    def repriced(self) -> bool:
        """Whether what is left is worth more or less than its share of the value before."""
        if self.quantity_before == 0 or self.after.quantity == 0:
            return False
        share = vat.round_cents(self.value_before * self.after.quantity / self.quantity_before)
        return abs(share - self.after.value) > (vat.CENT if self.returned else vat.ZERO)

    @property
    def changed(self) -> bool:
        """Whether anything is corrected in this line."""
        return self.returned != 0 or self.repriced


@dataclass(frozen=True, slots=True)
class ExchangeCorrection:
    """A KFS; document() makes the correction once the invoice that it corrects is at hand."""

    name: str
    number: str
    """Its own number, without the mnemonic."""
    base_number: str
    """P_2 of the base, or its external_ref: field 8 without the mnemonic."""
    base_issued_on: date | None
    net_prices: bool
    lines: tuple[LineCorrection, ...]
    buyer: Mapping[str, object]
    reason: str
    sums: StatedSums

    def document(self, base: BaseInvoice) -> Mapping[str, object]:
        """Return the correction of ``base``; BadInput (epp-base, epp-unsupported) where it does not fit."""
        if (base.prices is Prices.NET) is not self.net_prices:
            raise self.refused("ceny na korekcie są inne (netto albo brutto) niż na fakturze korygowanej.", "epp-base")
        reason = {"reason": self.reason} if self.reason else {}
        changed = [line for line in self.lines if line.changed]
        if not changed:
            return {"kind": CorrectionKind.BUYER.value, "buyer": self.buyer} | reason
        numbers = self._row_numbers(changed, base.left)
        if all(line.returned > 0 and not line.repriced for line in changed):
            lines = [{"quantity": plain(line.returned)} for line in changed]
            kind = CorrectionKind.RETURN
        elif all(line.returned == 0 for line in changed):
            lines = [{"unit_price": plain(line.unit_price), "discount": plain(line.discount)} for line in changed]
            kind = CorrectionKind.PRICE
        else:
            raise self.refused(
                "zwiększa ilość albo zmienia ilość i cenę naraz. Wystaw osobno zwrot i zmianę ceny albo wyślij "
                "gotowy plik FA(3).",
                "epp-unsupported",
            )
        numbered = [{"line": number} | line for number, line in zip(numbers, lines, strict=True)]
        return {"kind": kind.value, "lines": numbered} | reason

    def check(self, correction: Correction, base: BaseInvoice) -> None:
        """Raise BadInput (epp-sums-differ) where the header states neither our differences nor what is left."""
        if correction.kind is CorrectionKind.BUYER:
            return
        left = add_up(base.currency, (base.totals, correction.totals))
        if self.sums.differs_from(correction.totals) and self.sums.differs_from(left):
            self.sums.check(correction.totals)

    def _row_numbers(self, changed: Sequence[LineCorrection], rows: Sequence[Row]) -> list[int]:
        """Return the numbers of the rows that the lines correct: the one in its place, else the only one like it."""
        free = {row.number: row for row in rows}
        numbers = []
        for line in changed:
            like = [row for row in free.values() if _same(line, row)]
            in_place = [row for row in like if row.number == line.after.position]
            if len(like) != 1 and not in_place:
                raise self._does_not_fit(line, free.get(line.after.position))
            row = (in_place or like)[0]
            del free[row.number]
            numbers.append(row.number)
        return numbers

    def _does_not_fit(self, line: LineCorrection, row: Row | None) -> BadInput:
        before = f"{amounts.plain(line.quantity_before)} × za {amounts.amount(line.value_before)}"
        here = "nie ma takiej pozycji"
        if row is not None:
            here = f"jest {amounts.plain(row.line.quantity)} × za {amounts.amount(row.value)}"
        return self.refused(
            f"pozycja {line.after.position} („{line.after.name}”) przed korektą to {before}, a na fakturze "
            f"{self.base_number}, po jej dotychczasowych korektach, {here}.",
            "epp-base",
        )

    def refused(self, sentence: str, code: str) -> BadInput:
        """Return the refusal of this correction."""
        text = f"Korekta {self.name}: {sentence}"
        return BadInput(text, code=code, errors=(FieldError(str(self.sums.line), text, code),))


def correction_of(found: ExchangeFile, document: Document, conventions: Conventions) -> ExchangeCorrection:
    """Read a KFS; BadInput with every mistake found in its records."""
    problems = Problems()
    header = Values(document.header, problems)
    check_document(found, document, header, conventions)
    base = split_number(header.text(8))
    if not base.number:
        header.note(8, "numer dokumentu korygowanego", "brakuje numeru faktury, którą dokument koryguje.", "epp-base")
    terms = terms_of(header)
    lines = read_lines(found, document, terms, problems)
    corrections = tuple(_line_correction(line, terms) for line in lines)
    reason = next((found.reasons[name] for name in names_of(document) if name in found.reasons), "")
    read = ExchangeCorrection(
        name=document.name,
        number=document.number,
        base_number=base.number,
        base_issued_on=header.day(9, "data dokumentu korygowanego"),
        net_prices=terms.net_prices,
        lines=corrections,
        buyer=buyer_of(found, document, header),
        reason=(reason or header.text(51))[:MAX_REASON],
        sums=stated_sums(document.name, header),
    )
    problems.raise_if_any(f"Korekta {document.name}")
    return read


def _line_correction(line: Line, terms: Terms) -> LineCorrection:
    values = line.values
    first = LINE_FIELDS + 1
    if len(values.record.fields) < LINE_FIELDS + FIELDS_BEFORE:
        text = f"pozycja korekty ma mieć {LINE_FIELDS + FIELDS_BEFORE} pól: na końcu stan przed korektą."
        values.note(len(values.record.fields), "liczba pól", text, "epp-malformed")
    before = values.given(first + 2, "stawka VAT przed korektą")
    if before is not None and before != values.amount(16, "stawka VAT"):
        values.note(
            16, "stawka VAT", "zmiany stawki ta kasa nie wystawia; wyślij gotowy plik FA(3).", "epp-unsupported"
        )
    stated = values.amount(first + 5, "rabat przed korektą") != 0
    unit_price, discount = price_and_discount(line, discounted=stated or terms.discount_percent != 0)
    value = values.amount(first + (6 if terms.net_prices else 8), "wartość przed korektą")
    return LineCorrection(
        after=line,
        unit_price=unit_price,
        discount=discount,
        quantity_before=values.amount(first + 3, "ilość przed korektą"),
        value_before=value,
    )


def _same(line: LineCorrection, row: Row) -> bool:
    """Whether the row is in the state that the line had before; names may have been typed anew since."""
    return (
        row.line.quantity == line.quantity_before
        and row.value == line.value_before
        and row.line.vat.value == line.after.rate
    )
