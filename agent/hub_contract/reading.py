"""Reading the other side's JSON: types checked, unknown fields passed over.

What is wrong is said in Polish: people read it, as the ``detail`` of a problem or of the till's own trouble.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from agent.domain.calendar import YEARS
from agent.domain.json_io.canonical import Json

LATEST = date(2200, 12, 31)
"""No day to send by lies beyond. Fixed, so that neither side's clock, which may be wrong, refuses what is due."""
LARGEST_NUMBER = 2**31 - 1
_UNPLAIN = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL keeps in no text, and lone surrogates, which no database and no UTF-8 knows."""


class ContractError(ValueError):
    """The other side's answer is not what the contract says."""


def is_plain(text: str) -> bool:
    """Whether both databases can keep a text: no NUL, no lone surrogate."""
    return _UNPLAIN.search(text) is None


class Members:
    """An object of the other side's JSON."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, Mapping):
            raise ContractError(f"„{what}” nie jest obiektem JSON")
        self._value: Mapping[str, object] = value
        self._what = what

    def text(self, name: str) -> str:
        """Return text that has to be there, and that both databases can keep."""
        value = self._value.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "nie jest tekstem")
        if not is_plain(value):
            raise self._wrong(name, "zawiera niedozwolony znak (NUL albo niepełny znak Unicode)")
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self._value.get(name) is None else self.text(name)

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number that both databases can keep; ``default`` where it is missing."""
        value = self._value.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "nie jest liczbą całkowitą")
        if abs(value) > LARGEST_NUMBER:
            raise self._wrong(name, "jest liczbą poza zakresem")
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a number, of seconds mostly."""
        value = self._value.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name, "nie jest liczbą")
        try:
            number = float(value)
        except OverflowError as error:
            raise self._wrong(name, "jest liczbą poza zakresem") from error
        if not math.isfinite(number):  # Python's JSON reads NaN and Infinity
            raise self._wrong(name, "jest liczbą poza zakresem")
        return number

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._value.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "to true albo false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty where it is missing."""
        values = self.items(name)
        if not all(isinstance(each, str) for each in values):
            raise self._wrong(name, "nie jest listą tekstów")
        return tuple(str(each) for each in values)

    def items(self, name: str) -> Sequence[object]:
        """Return a list, empty where it is missing."""
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "nie jest listą")
        return value

    def hexadecimal(self, name: str) -> bytes:
        """Return bytes written as hexadecimal digits."""
        try:
            return bytes.fromhex(self.text(name))
        except ValueError as error:
            raise self._wrong(name, "nie jest zapisem szesnastkowym") from error

    def instant_or_none(self, name: str) -> datetime | None:
        """Return an instant with its offset."""
        text = self.text_or_none(name)
        if text is None:
            return None
        try:
            value = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(name, "nie jest chwilą") from error
        if value.tzinfo is None:
            raise self._wrong(name, "nie podaje strefy czasowej")
        if value.year not in YEARS:
            raise self._wrong(name, "jest poza kalendarzem")
        return value

    def instant(self, name: str) -> datetime:
        value = self.instant_or_none(name)
        if value is None:
            raise self._wrong(name, "nie ma wartości")
        return value

    def day_or_none(self, name: str) -> date | None:
        """Return a civil date."""
        text = self.text_or_none(name)
        try:
            value = None if text is None else date.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(name, "nie jest datą") from error
        if value is not None and value.year not in YEARS:
            raise self._wrong(name, "jest poza kalendarzem")
        return value

    def member_or_none(self, name: str) -> Members | None:
        """Return an object, None where it is missing."""
        value = self._value.get(name)
        return None if value is None else Members(value, f"{self._what}.{name}")

    def json(self, name: str) -> Json:
        """Return a value as it is."""
        value: Json = self._value.get(name)  # type: ignore[assignment]  # it came out of json.loads
        return value

    def _wrong(self, name: str, why: str) -> ContractError:
        return ContractError(f"„{self._what}.{name}” {why}")
