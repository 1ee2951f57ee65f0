"""Invoice numbers (P_2) from templates.

A template is text with {series}, {till}, {year}, {month}, {day}, {serial}; numbers may carry a width ("{serial:06}").
The serial never restarts within a series, so a number is unique whatever else stands in it. A series that shall
restart every year carries {year} in its own name. All errors are TemplateError with a Polish message, since a
technician reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from string import Formatter

from agent.domain.characters import collapse, first_forbidden

MAX_LENGTH = 256
"""Characters in P_2 (XSD TZnakowy)."""

SERIAL_DIGITS = 12
"""Digits of the longest serial: far more than a till can issue, and the database can hold them."""

_TEXT_FIELDS = frozenset({"series", "till"})
_NUMBER_FIELDS = frozenset({"year", "month", "day", "serial"})
_SERIES_FIELDS = frozenset({"till", "year", "month"})
_WIDTH = re.compile(r"0?[0-9]{0,2}d?")


class TemplateError(ValueError):
    """The template is wrong, or makes a number that KSeF would refuse. The message is Polish."""


def _fields(template: str, allowed: frozenset[str]) -> set[str]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise TemplateError(f"Wzór „{template}” ma niedomknięty nawias klamrowy.") from None
    found: set[str] = set()
    for _, field, width, conversion in parts:
        if field is None:
            continue
        if field not in allowed or conversion is not None:
            known = ", ".join(f"{{{name}}}" for name in sorted(allowed))
            raise TemplateError(f"Wzór „{template}” zawiera nieznane pole „{{{field}}}”; dozwolone: {known}.")
        if width and (field in _TEXT_FIELDS or _WIDTH.fullmatch(width) is None):
            raise TemplateError(f"Wzór „{template}”: pole „{{{field}}}” ma niedozwoloną szerokość „{width}”.")
        found.add(field)
    return found


def _checked(result: str) -> str:
    if not result or len(result) > MAX_LENGTH:
        raise TemplateError(f"Numer faktury musi mieć od 1 do {MAX_LENGTH} znaków: „{result[:60]}”.")
    if first_forbidden(result) is not None or collapse(result) != result:
        raise TemplateError(
            f"Numer faktury „{result[:60]}” zawiera niedozwolone znaki albo zbędne odstępy (na końcach, podwójne)."
        )
    return result


def check_template(template: str) -> None:
    """Raise TemplateError unless ``template`` makes unique numbers: it needs {serial}, and {series} or {till}."""
    found = _fields(template, _TEXT_FIELDS | _NUMBER_FIELDS)
    if "serial" not in found:
        raise TemplateError(f"Wzór „{template}” nie zawiera pola {{serial}}, więc numery by się powtarzały.")
    if not found & _TEXT_FIELDS:
        raise TemplateError(f"Wzór „{template}” nie zawiera pola {{series}} ani {{till}}; kasy by się powtarzały.")
    format_number(template, series="A", till="A", serial=1, issued_on=date(2026, 12, 31))


def format_number(template: str, *, series: str, till: str, serial: int, issued_on: date) -> str:
    """Return P_2. ``serial`` counts from 1, ``issued_on`` is P_1."""
    _fields(template, _TEXT_FIELDS | _NUMBER_FIELDS)
    if serial < 1:
        raise TemplateError(f"Kolejny numer w serii musi być dodatni, a jest {serial}.")
    number = template.format(
        series=series, till=till, year=issued_on.year, month=issued_on.month, day=issued_on.day, serial=serial
    )
    return _checked(number)


def series_name(template: str, *, till: str, issued_on: date | None = None) -> str:
    """Return the name of a series ("FV-{till}" -> "FV-1"). {year} and {month} need ``issued_on``."""
    needed = _fields(template, _SERIES_FIELDS)
    if issued_on is None:
        if needed - {"till"}:
            raise TemplateError(f"Seria „{template}” zależy od daty, a daty nie podano.")
        return _checked(template.format(till=till))
    return _checked(template.format(till=till, year=issued_on.year, month=issued_on.month))


def never_equal(template: str, one: str, other: str, *, till: str) -> bool:
    """Tell whether numbers of two series (templates of names) always differ, whatever date and serial.

    Dates and serials are digits, so numbers differ for ever where the rest of them does. A sufficient condition, not a
    necessary one: names that differ by digits alone count as equal.
    """
    return _without_digits(template, one, till) != _without_digits(template, other, till)


def _without_digits(template: str, series: str, till: str) -> str:
    day = date(2026, 12, 31)
    name = series_name(series, till=till, issued_on=day)
    return re.sub(r"\d", "", format_number(template, series=name, till=till, serial=1, issued_on=day))


def serial_of(number: str, template: str, *, series_templates: Sequence[str], till: str) -> tuple[str, int] | None:
    """Read a P_2 back: the name of its series and its serial; None where these templates do not make such a number.

    For numbers that stand elsewhere (KSeF, a damaged file), where the two were not stored apart.
    """
    found = _number_pattern(template, tuple(series_templates), till).fullmatch(number)
    if found is None:
        return None
    named = found.groupdict()
    series = named.get("series")
    if series is None:  # the template leaves it out: only one series can be meant
        (series,) = series_templates if len(series_templates) == 1 else ("",)
    return (series, int(named["serial"])) if series else None


@cache
def _number_pattern(template: str, series_templates: tuple[str, ...], till: str) -> re.Pattern[str]:
    digits = {"year": r"\d{4}", "month": r"\d{1,2}", "day": r"\d{1,2}"}
    series = "|".join(_pattern(each, {**digits, "till": re.escape(till)}) for each in series_templates)
    serial = rf"(?P<serial>0*[0-9]{{1,{SERIAL_DIGITS}}})"
    parts = {**digits, "till": re.escape(till), "series": f"(?P<series>{series})", "serial": serial}
    return re.compile(_pattern(template, parts))


def _pattern(template: str, parts: Mapping[str, str]) -> str:
    """Turn a checked template into a regular expression; a field that comes again has to be the same."""
    pattern, seen = "", set()
    for literal, field, _, _ in Formatter().parse(template):
        pattern += re.escape(literal)
        if field is None:
            continue
        named = parts[field].startswith("(?P<")
        pattern += f"(?P={field})" if named and field in seen else parts[field]
        seen.add(field)
    return pattern
