"""The fields of one record as values; a field that cannot be read is noted with its line and number.

Amounts are decimals with a point, dates yyyymmddhhnnss (the time is not looked at), logical values 1 and 0. The
pointer of a mistake is "line:field", both counted from 1.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from agent.domain.exchange.records import Record
from agent.domain.json_io.reader import Problems, shown

_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,8})?")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{6})?")
_TRUE, _FALSE = frozenset({"1", "-1"}), frozenset({"0", ""})
ZERO = Decimal(0)


class Values:
    """Reads one record; every method counts fields from 1. An empty or missing field is None, 0 or False."""

    def __init__(self, record: Record, problems: Problems) -> None:
        self.record = record
        self.problems = problems

    def note(self, number: int, what: str, sentence: str, code: str = "epp-field") -> None:
        """Note a mistake of a field; ``what`` names it in Polish."""
        place = f"wiersz {self.record.line}, pole {number} ({what})"
        self.problems.add(f"{self.record.line}:{number}", f"{place}: {sentence}", code)

    def text(self, number: int) -> str:
        """Return text with white space folded."""
        return " ".join(self.record.text(number).split())

    def given(self, number: int, what: str) -> Decimal | None:
        """Return an amount, quantity or rate; None where the field is empty or wrong."""
        text = self.record.text(number).strip()
        if not text:
            return None
        if _AMOUNT.fullmatch(text) is None:
            self.note(number, what, f"„{shown(text)}” nie jest liczbą z kropką, np. 12.5000.")
            return None
        return Decimal(text)

    def amount(self, number: int, what: str) -> Decimal:
        """Return an amount, quantity or rate; 0 where the field is empty or wrong."""
        value = self.given(number, what)
        return ZERO if value is None else value

    def whole(self, number: int, what: str) -> int:
        """Return a small whole number (kinds and states), 0 where the field is empty or wrong."""
        value = self.amount(number, what)
        if value != value.to_integral_value():
            self.note(number, what, f"„{shown(self.record.text(number))}” nie jest liczbą całkowitą.")
        return int(value)

    def flag(self, number: int, what: str) -> bool:
        """Return a logical value."""
        text = self.record.text(number).strip()
        if text not in _TRUE | _FALSE:
            self.note(number, what, f"„{shown(text)}” nie jest wartością logiczną (1 albo 0).")
        return text in _TRUE

    def day(self, number: int, what: str) -> date | None:
        """Return a date."""
        text = self.record.text(number).strip()
        if not text:
            return None
        found = _DATE.fullmatch(text)
        if found is not None:
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:
                pass
        self.note(number, what, f"„{shown(text)}” nie jest datą w postaci rrrrmmddggmmss.")
        return None


def plain(value: Decimal) -> str:
    """Write a decimal as the JSON API takes it: no exponent, no needless zeros, never -0."""
    text = f"{value.normalize() + ZERO:f}"
    return "0" if text == "-0" else text
