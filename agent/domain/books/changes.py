"""What has to be changed in books that were filed: rows of a month then and now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from agent.domain.books.jpk import JpkRow
from agent.domain.records.register import Marker
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that differs from the one filed before.

    ``old`` is None for a row that was not there, ``new`` for one that is there no more (KSeF refused the document, or a
    reduction belongs to another month).
    """

    id: str
    number: str
    issued_on: date
    old: Marker | None
    new: Marker | None
    ksef_number: str | None

    @property
    def needs_correction(self) -> bool:
        """Whether the JPK has to be corrected: not where a number came for an OFF (docs/law.md, section 5)."""
        return not (self.old is Marker.OFF and self.new is Marker.NUMBER)


def row_changes(then: Iterable[JpkRow], now: Iterable[JpkRow]) -> list[RowChange]:
    """Return what changed, in the order of ``now``; rows that are gone come last. One row an invoice in a month."""
    before = {row.id: row for row in then}
    found: list[RowChange] = []
    for row in now:
        known = before.pop(row.id, None)
        old = None if known is None else known.marker
        if old is not row.marker:
            found.append(RowChange(row.id, row.document, row.issued_on, old, row.marker, row.ksef_number))
    gone = (RowChange(row.id, row.document, row.issued_on, row.marker, None, None) for row in before.values())
    return [*found, *gone]
