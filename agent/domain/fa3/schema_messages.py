"""What the schema says of a mistake, in Polish.

libxml2 speaks English and repeats namespaces; each of its kinds of mistake gets a sentence here. The place is an
XPath of local names ("/Faktura/Fa/FaWiersz[2]/P_7"), since a JSON pointer has no meaning in XML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from lxml import etree

from agent.domain.errors import FieldError
from agent.domain.json_io.reader import shown

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
    listed = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f" Spodziewane: {listed}."


def _limit(message: str) -> str:
    """Return the last quoted word of the message: the limit in libxml2's facet sentences."""
    found = _QUOTED.findall(message)
    return found[-1] if found else "?"


_WRONG_TYPE = "„{name}” ma wartość „{value}” niewłaściwego rodzaju (np. źle zapisana data lub liczba)."

_SENTENCES: dict[str, str] = {
    "SCHEMAV_ELEMENT_CONTENT": "element „{name}” nie może stać w tym miejscu.{expected}",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "„{name}” ma {length} znaków, a może mieć najwyżej {limit}.",
    "SCHEMAV_CVC_MINLENGTH_VALID": "„{name}” jest za krótkie albo puste.",
    "SCHEMAV_CVC_PATTERN_VALID": "„{name}” ma wartość „{value}”, która nie ma wymaganej postaci.",
    "SCHEMAV_CVC_ENUMERATION_VALID": "„{name}” ma wartość „{value}”, której nie ma na liście dozwolonych.",
    "SCHEMAV_CVC_TOTALDIGITS_VALID": "„{name}” ma wartość „{value}”: najwięcej cyfr: {limit}.",
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": "„{name}” ma wartość „{value}”: najwięcej miejsc po przecinku: {limit}.",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "„{name}” ma wartość „{value}”, mniejszą (wcześniejszą) niż {limit}.",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "„{name}” ma wartość „{value}”, większą (późniejszą) niż {limit}.",
    "SCHEMAV_CVC_MINEXCLUSIVE_VALID": "„{name}” ma wartość „{value}”; musi być większa niż {limit}.",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": _WRONG_TYPE,
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "„{name}” ma niedozwolony atrybut.",
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "„{name}” nie ma wymaganego atrybutu.",
    "SCHEMAV_CVC_AU": "atrybut elementu „{name}” ma niedozwoloną wartość.",
}
_MISSING = "brakuje elementu wewnątrz „{name}”.{expected}"
_OTHER = "„{name}”: {said}"


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
    said = _NAMESPACE.sub("", mistake.message)
    value = element.text or ""
    sentence = _MISSING if "Missing child" in said else _SENTENCES.get(mistake.type_name, _OTHER)
    text = sentence.format(
        name=etree.QName(element).localname,
        value=shown(value, _SHOWN),
        length=len(value),
        limit=_limit(said),
        expected=_expected(said),
        said=said,
    )
    return FieldError(_place(element), f"wiersz {mistake.line}: {text}", "schema")
