"""What the schema says of a mistake, in Polish.

libxml2 speaks English and repeats namespaces; each of its kinds of mistake gets a sentence here. The place is an
XPath of local names ("/Faktura/Fa/FaWiersz[2]/P_7"), since a JSON pointer has no meaning in XML.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lxml import etree

from agent.domain.errors import FieldError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element


class Mistake(Protocol):
    """An entry of libxml2's log, as lxml shows it."""

    @property
    def line(self) -> int: ...
    @property
    def path(self) -> str | None: ...
    @property
    def message(self) -> str: ...
    @property
    def type_name(self) -> str: ...


_NAMESPACE = re.compile(r"\{[^}]*\}")
_QUOTED = re.compile(r"'([^']*)'")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( ([^)]*) \)")
_SHOWN = 60
"""Characters of a wrong value that a sentence repeats."""


def _expected(message: str) -> str:
    found = _EXPECTED.search(message)
    if found is None:
        return ""
    names = [name.strip() for name in found.group(1).split(",")]
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f" Spodziewane: {shown}."


def _limit(message: str) -> str:
    """Return the last quoted word of the message: the limit in libxml2's facet sentences."""
    found = _QUOTED.findall(message)
    return found[-1] if found else "?"


_SENTENCES: dict[str, Callable[[str, str, str], str]] = {
    "SCHEMAV_ELEMENT_CONTENT": lambda name, value, message: (
        f"brakuje elementu wewnątrz „{name}”.{_expected(message)}"
        if "Missing child" in message
        else f"element „{name}” nie może stać w tym miejscu.{_expected(message)}"
    ),
    "SCHEMAV_CVC_MAXLENGTH_VALID": lambda name, value, message: (
        f"„{name}” ma {len(value)} znaków, a może mieć najwyżej {_limit(message)}."
    ),
    "SCHEMAV_CVC_MINLENGTH_VALID": lambda name, value, message: f"„{name}” jest za krótkie albo puste.",
    "SCHEMAV_CVC_PATTERN_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”, która nie ma wymaganej postaci."
    ),
    "SCHEMAV_CVC_ENUMERATION_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”, której nie ma na liście dozwolonych."
    ),
    "SCHEMAV_CVC_TOTALDIGITS_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”: najwyżej {_limit(message)} cyfr."
    ),
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”: najwyżej {_limit(message)} miejsc po przecinku."
    ),
    "SCHEMAV_CVC_MININCLUSIVE_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”, mniejszą (wcześniejszą) niż dozwolone {_limit(message)}."
    ),
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”, większą (późniejszą) niż dozwolone {_limit(message)}."
    ),
    "SCHEMAV_CVC_MINEXCLUSIVE_VALID": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}”; musi być większa niż {_limit(message)}."
    ),
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": lambda name, value, message: (
        f"„{name}” ma wartość „{value[:_SHOWN]}” niewłaściwego rodzaju (np. źle zapisana data lub liczba)."
    ),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": lambda name, value, message: f"„{name}” ma niedozwolony atrybut.",
    "SCHEMAV_CVC_COMPLEX_TYPE_4": lambda name, value, message: f"„{name}” nie ma wymaganego atrybutu.",
    "SCHEMAV_CVC_AU": lambda name, value, message: f"atrybut elementu „{name}” ma niedozwoloną wartość.",
}


def _place(element: Element) -> str:
    """Return the path of local names; a position only where siblings share the name."""
    steps: list[str] = []
    current: Element | None = element
    while current is not None:
        name = etree.QName(current).localname
        before = sum(1 for _ in current.itersiblings(current.tag, preceding=True))
        after = next(current.itersiblings(current.tag), None)
        steps.append(f"{name}[{before + 1}]" if before or after is not None else name)
        current = current.getparent()
    return "/" + "/".join(reversed(steps))


def explain(mistake: Mistake, root: Element) -> FieldError:
    """Turn one mistake of the schema's log into a FieldError: place, Polish sentence with the line, code."""
    found = root.getroottree().xpath(mistake.path) if mistake.path else []
    element: Element = found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else root
    name = etree.QName(element).localname
    sentence = _SENTENCES.get(mistake.type_name)
    said = _NAMESPACE.sub("", mistake.message)
    text = sentence(name, element.text or "", said) if sentence else f"„{name}”: {said}"
    return FieldError(_place(element), f"wiersz {mistake.line}: {text}", "schema")
