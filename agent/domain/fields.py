"""Reading JSON that people and tills write: every mistake is collected, with its pointer, a Polish sentence and a code.

A reader method returns the value, or None where it noted a mistake or the optional field is absent (null counts as
absent). Nothing is raised before Problems.raise_if_any().

Codes: required, unknown-field, wrong-type, too-long, forbidden-character, not-a-number, too-many-decimals,
amount-too-large, negative, not-positive, not-a-date, not-allowed, empty, and what the callers add.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal

from agent.domain.errors import BadInput, FieldError
from agent.domain.text import collapse, first_forbidden, is_visible

MAX_INTEGER_DIGITS = 12
_NUMBER = re.compile(r"(-?)([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TYPE_NAMES: dict[type, str] = {
    dict: "obiekt",
    list: "lista",
    str: "tekst",
    bool: "wartość logiczna",
    int: "liczba",
    float: "liczba z przecinkiem",
    type(None): "null",
}


def type_name(value: object) -> str:
    """Name the JSON type of ``value`` in Polish."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


class Problems:
    """The mistakes found so far, in the order of reading."""

    def __init__(self) -> None:
        self._found: list[FieldError] = []

    def add(self, pointer: str, message: str, code: str) -> None:
        """Note one mistake. A second one of the same kind at the same place says nothing new and is dropped."""
        if not any(error.pointer == pointer and error.code == code for error in self._found):
            self._found.append(FieldError(pointer, message, code))

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self, what: str) -> None:
        """Raise one BadInput with all mistakes; ``what`` begins its sentence ("Sprzedaż")."""
        if not self._found:
            return
        first = self._found[0]
        more = len(self._found) - 1
        tail = f" (i jeszcze {more} {'błąd' if more == 1 else 'błędów' if more > 4 else 'błędy'})" if more else ""
        code = first.code if not more else "bad-input"
        raise BadInput(f"{what}: {first.message}{tail}", code=code, errors=tuple(self._found))


def escape(step: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


class Fields:
    """One JSON object. Its fields are read once each; finish() notes all that nobody asked for."""

    def __init__(self, value: Mapping[str, object], pointer: str, problems: Problems) -> None:
        self._value = value
        self._asked: set[str] = set()
        self.pointer = pointer
        self.problems = problems

    @classmethod
    def of(cls, value: object, pointer: str, problems: Problems) -> Fields | None:
        """Return a reader, or None after noting that ``value`` is no object."""
        if not isinstance(value, Mapping):
            problems.add(pointer, f"spodziewany obiekt, a jest {type_name(value)}.", "wrong-type")
            return None
        return cls(value, pointer, problems)

    def at(self, name: str) -> str:
        """Return the pointer of a field."""
        return f"{self.pointer}/{escape(name)}"

    def note(self, name: str, message: str, code: str) -> None:
        """Note a mistake of a field."""
        self.problems.add(self.at(name), message, code)

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self._value.get(name) is not None

    def take(self, name: str, *, required: bool = False) -> object | None:
        """Return the raw value."""
        self._asked.add(name)
        value = self._value.get(name)
        if value is None and required:
            self.note(name, f"brakuje pola „{name}”.", "required")
        return value

    def finish(self) -> None:
        """Note every field that was not asked for."""
        for name in self._value:
            if name not in self._asked:
                shown = name if len(name) <= 40 else name[:40] + "…"
                if first_forbidden(shown) is not None:
                    shown = "?"
                self.note(name, f"nieznane pole „{shown}”.", "unknown-field")

    def object(self, name: str, *, required: bool = False) -> Fields | None:
        """Return a reader for a nested object."""
        value = self.take(name, required=required)
        return None if value is None else Fields.of(value, self.at(name), self.problems)

    def items(self, name: str, *, maximum: int, required: bool = False) -> list[object]:
        """Return a list's raw items."""
        value = self.take(name, required=required)
        if value is None:
            return []
        if not isinstance(value, list):
            self.note(name, f"„{name}” powinno być listą, a jest {type_name(value)}.", "wrong-type")
            return []
        if len(value) > maximum:
            self.note(name, f"„{name}” ma {len(value)} pozycji, a może mieć najwyżej {maximum}.", "too-many")
            return []
        return value

    def text(self, name: str, *, maximum: int, required: bool = False) -> str | None:
        """Return text with white space folded; empty text counts as absent."""
        value = self.take(name, required=required)
        if value is None:
            return None
        return self._text(name, value, maximum, required=required)

    def _text(self, name: str, value: object, maximum: int, *, required: bool) -> str | None:
        if not isinstance(value, str):
            self.note(name, f"„{name}” powinno być tekstem, a jest {type_name(value)}.", "wrong-type")
            return None
        forbidden = first_forbidden(value)
        if forbidden is not None:
            self.note(name, f"„{name}” zawiera znak {forbidden}, którego KSeF nie przyjmuje.", "forbidden-character")
            return None
        text = collapse(value)
        if not is_visible(text):
            if required:
                self.note(name, f"„{name}” jest puste.", "required")
            return None
        if len(text) > maximum:
            self.note(name, f"„{name}” ma {len(text)} znaków, a może mieć najwyżej {maximum}.", "too-long")
            return None
        return text

    def word(self, name: str, allowed: Collection[str], *, required: bool = False) -> str | None:
        """Return a word of a closed list."""
        value = self.take(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or value not in allowed:
            shown = value if isinstance(value, str) and first_forbidden(value) is None else type_name(value)
            listed = f"; dozwolone: {', '.join(allowed)}" if len(allowed) <= 20 else ""
            self.note(name, f"„{name}”: nieznana wartość „{shown[:40]}”{listed}.", "not-allowed")
            return None
        return value

    def day(self, name: str, *, required: bool = False) -> date | None:
        """Return a date written YYYY-MM-DD."""
        value = self.take(name, required=required)
        if value is None:
            return None
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.note(name, f"„{name}” powinno być istniejącą datą w postaci RRRR-MM-DD.", "not-a-date")
        return None

    def number(
        self,
        name: str,
        *,
        decimals: int,
        positive: bool = False,
        required: bool = False,
        default: Decimal | None = None,
    ) -> Decimal | None:
        """Return a decimal written as text ("12.50") or as a JSON integer, never negative; floats are refused.

        ``positive`` refuses 0. At most 12 digits before the point, ``decimals`` after it.
        """
        value = self.take(name, required=required)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            self.note(
                name,
                f'„{name}” powinno być liczbą zapisaną jako tekst, np. "12.50", a jest {type_name(value)}.',
                "wrong-type",
            )
            return None
        if isinstance(value, int):
            text = str(value) if abs(value) < 10**30 else "9" * 30
        else:
            text = value.strip(" ")
        return self._number(name, text, decimals, positive=positive)

    def _number(self, name: str, text: str, decimals: int, *, positive: bool) -> Decimal | None:
        found = _NUMBER.fullmatch(text)
        if found is None:
            self.note(name, f'„{name}” nie jest liczbą (cyfry i kropka, np. "12.50").', "not-a-number")
            return None
        sign, whole, fraction = found.groups()
        if len(whole.lstrip("0")) > MAX_INTEGER_DIGITS:
            self.note(
                name, f"„{name}” jest za duże: najwyżej {MAX_INTEGER_DIGITS} cyfr przed kropką.", "amount-too-large"
            )
            return None
        if fraction and len(fraction.rstrip("0")) > decimals:
            self.note(name, f"„{name}” może mieć najwyżej {decimals} miejsc po kropce.", "too-many-decimals")
            return None
        number = Decimal(text)
        if sign and number != 0:
            self.note(name, f"„{name}” nie może być ujemne.", "negative")
            return None
        if positive and number == 0:
            self.note(name, f"„{name}” musi być większe od zera.", "not-positive")
            return None
        return abs(number)
