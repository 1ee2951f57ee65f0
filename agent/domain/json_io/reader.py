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

from agent.domain.characters import collapse, first_forbidden, first_misleading, is_visible
from agent.domain.errors import BadInput, FieldError

MAX_INTEGER_DIGITS = 12
_NUMBER = re.compile(r"(-?)([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_REPORTED = 100
"""Mistakes listed in one refusal; a wrong file of 5 MB can have a million."""

_LABELS = {
    "address": "adres",
    "amount": "kwota",
    "annex_15": "towar z załącznika nr 15",
    "bases": "faktury korygowane",
    "buyer": "nabywca",
    "country": "kraj",
    "currency": "waluta",
    "deposits": "kaucje",
    "discount": "rabat",
    "ean": "kod EAN",
    "email": "e-mail",
    "due": "termin płatności",
    "eu_vat": "numer VAT UE",
    "exchange_rate": "kurs waluty",
    "exemption": "podstawa zwolnienia",
    "external_ref": "numer zewnętrzny",
    "foreign_id": "identyfikator zagraniczny",
    "gtu": "GTU",
    "internal_id": "identyfikator wewnętrzny",
    "issued_on": "data wystawienia",
    "key": "klucz",
    "kind": "rodzaj korekty",
    "ksef_number": "numer KSeF",
    "line": "numer pozycji",
    "line1": "adres, wiersz 1",
    "line2": "adres, wiersz 2",
    "lines": "pozycje",
    "method": "forma płatności",
    "name": "nazwa",
    "nip": "NIP",
    "notes": "uwagi",
    "number": "numer",
    "payments": "płatności",
    "period": "okres",
    "prices": "ceny",
    "quantity": "ilość",
    "rates": "kwoty według stawek",
    "reason": "przyczyna",
    "receipt": "paragon",
    "recipient": "odbiorca",
    "register": "numer unikatowy kasy",
    "role": "rola",
    "print": "drukowanie",
    "sku": "kod towaru",
    "sold_on": "data sprzedaży",
    "unit": "jednostka",
    "unit_price": "cena",
    "value": "wartość",
    "vat": "stawka VAT",
}
"""Field names as a cashier says them."""

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
        self._found: dict[tuple[str, str], FieldError] = {}

    def add(self, pointer: str, message: str, code: str) -> None:
        """Note one mistake. A second one of the same kind at the same place says nothing new and is dropped."""
        self._found.setdefault((pointer, code), FieldError(pointer, message, code))

    def __bool__(self) -> bool:
        return bool(self._found)

    def noted(self, pointer: str) -> bool:
        """Tell whether a mistake is known at ``pointer`` or inside what it names."""
        return any(place == pointer or place.startswith(f"{pointer}/") for place, _ in self._found)

    def raise_if_any(self, what: str) -> None:
        """Raise one BadInput with all mistakes; ``what`` begins its sentence ("Sprzedaż")."""
        if not self._found:
            return
        errors = tuple(self._found.values())
        more = len(errors) - 1
        tail = f" (i jeszcze {_mistakes(more)})" if more else ""
        code = "bad-input" if more else errors[0].code
        raise BadInput(f"{what}: {errors[0].message}{tail}", code=code, errors=errors[:MAX_REPORTED])


def _mistakes(count: int) -> str:
    """Say „1 błąd”, „2 błędy”, „5 błędów”."""
    if count == 1:
        return "1 błąd"
    few = count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14}
    return f"{count} {'błędy' if few else 'błędów'}"


def escape(step: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901); half surrogates, which no answer could carry, become "?"."""
    return step.encode("utf-8", "replace").decode("utf-8").replace("~", "~0").replace("/", "~1")


def shown(value: object, maximum: int = 40) -> str:
    """Return what a sentence may repeat of a wrong value: short, printable text; else its type."""
    if not isinstance(value, str):
        return type_name(value)
    cut = value if len(value) <= maximum else value[:maximum] + "…"
    return cut if cut.isprintable() else "?"


class Fields:
    """One JSON object. Its fields are read once each; finish() notes all that nobody asked for."""

    def __init__(self, value: Mapping[str, object], pointer: str, problems: Problems, where: str = "") -> None:
        self._value = value
        self._where = where
        self._asked: set[str] = set()
        self.pointer = pointer
        self.problems = problems

    @classmethod
    def of(cls, value: object, pointer: str, problems: Problems, where: str = "") -> Fields | None:
        """Return a reader, or None after noting that ``value`` is no object.

        ``where`` begins its sentences ("pozycja 3").
        """
        prefix = f"{where}: " if where else ""
        if not isinstance(value, Mapping):
            problems.add(pointer, f"{prefix}spodziewany obiekt, a jest {type_name(value)}.", "wrong-type")
            return None
        return cls(value, pointer, problems, prefix)

    def at(self, name: str) -> str:
        """Return the pointer of a field."""
        return f"{self.pointer}/{escape(name)}"

    def note(self, name: str, message: str, code: str) -> None:
        """Note a mistake of a field; the sentence is led by the field's place and name."""
        self.problems.add(self.at(name), f"{self._where}{_LABELS.get(name, name)}: {message}", code)

    def note_all(self, message: str, code: str) -> None:
        """Note a mistake of the object as a whole."""
        self.problems.add(self.pointer, self._where + message, code)

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self._value.get(name) is not None

    def says(self, name: str) -> bool:
        """Tell whether the field is there and says something: text without anything to read counts as absent."""
        value = self._value.get(name)
        return is_visible(collapse(value)) if isinstance(value, str) else value is not None

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
                self.problems.add(self.at(name), f"{self._where}nieznane pole „{shown(name)}”.", "unknown-field")

    def nested(self, name: str, *, required: bool = False) -> Fields | None:
        """Return a reader for a nested object."""
        value = self.take(name, required=required)
        return None if value is None else Fields.of(value, self.at(name), self.problems)

    def items(self, name: str, *, maximum: int, required: bool = False) -> list[object]:
        """Return a list's raw items."""
        value = self.take(name, required=required)
        if value is None:
            return []
        if not isinstance(value, list):
            self.note(name, f"spodziewana lista, a jest {type_name(value)}.", "wrong-type")
            return []
        if len(value) > maximum:
            self.note(name, f"podano {len(value)}, a może być najwyżej {maximum}.", "too-many")
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
            self.note(name, f"spodziewany tekst, a jest {type_name(value)}.", "wrong-type")
            return None
        forbidden = first_forbidden(value)
        if forbidden is not None:
            self.note(name, f"znak {forbidden}, którego KSeF nie przyjmuje.", "forbidden-character")
            return None
        misleading = first_misleading(value)
        if misleading is not None:
            self.note(name, f"znak {misleading}, który odwraca kierunek pisma; usuń go.", "misleading-character")
            return None
        text = collapse(value)
        if not is_visible(text):
            if required:
                self.note(name, "puste.", "required")
            return None
        if len(text) > maximum:
            self.note(name, f"{len(text)} znaków, a może być najwyżej {maximum}.", "too-long")
            return None
        return text

    def word(self, name: str, allowed: Collection[str], *, required: bool = False) -> str | None:
        """Return a word of a closed list."""
        value = self.take(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or value not in allowed:
            listed = f"; dozwolone: {', '.join(allowed)}" if len(allowed) <= 20 else ""
            self.note(name, f"nieznana wartość „{shown(value)}”{listed}.", "not-allowed")
            return None
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; absent is false."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            self.note(name, f"spodziewane true albo false, a jest {type_name(value)}.", "wrong-type")
        return value is True

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
        self.note(name, "spodziewana istniejąca data w postaci RRRR-MM-DD.", "not-a-date")
        return None

    def number(
        self,
        name: str,
        *,
        decimals: int,
        positive: bool = False,
        signed: bool = False,
        required: bool = False,
        default: Decimal | None = None,
    ) -> Decimal | None:
        """Return a decimal written as text ("12.50") or as a JSON integer; floats are refused.

        Never negative unless ``signed``; ``positive`` refuses 0. At most 12 digits before the point, ``decimals`` after
        it.
        """
        value = self.take(name, required=required)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            self.note(
                name,
                f"spodziewana liczba zapisana jako tekst, np. „12.50”, a jest {type_name(value)}.",
                "wrong-type",
            )
            return None
        if isinstance(value, int) and abs(value) >= 10**30:
            value = 10**30  # str() of a longer one can be refused by Python itself
        return self._number(name, str(value).strip(" "), decimals, positive=positive, signed=signed)

    def _number(self, name: str, text: str, decimals: int, *, positive: bool, signed: bool) -> Decimal | None:
        found = _NUMBER.fullmatch(text)
        if found is None:
            self.note(name, "to nie jest liczba (cyfry i kropka, np. „12.50”).", "not-a-number")
            return None
        sign, whole, fraction = found.groups()
        if len(whole.lstrip("0")) > MAX_INTEGER_DIGITS:
            self.note(name, f"za dużo: najwyżej {MAX_INTEGER_DIGITS} cyfr przed kropką.", "amount-too-large")
            return None
        if fraction and len(fraction.rstrip("0")) > decimals:
            self.note(name, f"za dużo miejsc po kropce (dozwolone: {decimals}).", "too-many-decimals")
            return None
        number = Decimal(text)
        if sign and number != 0 and not signed:
            self.note(name, "wartość nie może być ujemna.", "negative")
            return None
        if positive and number == 0:
            self.note(name, "wartość musi być większa od zera.", "not-positive")
            return None
        return number if signed else abs(number)
