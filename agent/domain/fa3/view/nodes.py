"""XML underneath the view: typed access to the elements of a document that passed the strict gate."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NoReturn

from lxml import etree

from agent.domain.errors import BadInput
from agent.domain.fa3.schema import NAMESPACE, check_bytes

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_WHITE_SPACE = re.compile(r"[ \t\r\n]+")
"""What xsd:token folds; a no-break space is text."""


_OURS = f"{{{NAMESPACE}}}*"
_PREFIX = len(_OURS) - 1


class Node:
    """One element of the FA(3) namespace. Texts are read as xsd:token: outer blanks gone, inner ones single."""

    __slots__ = ("_by_name", "_element")

    def __init__(self, element: Element) -> None:
        self._element = element
        self._by_name: dict[str, list[Element]] = {}
        """Made once: an element is asked for some twenty names, most of which it has not."""
        for child in element.iterchildren(_OURS):
            self._by_name.setdefault(child.tag[_PREFIX:], []).append(child)

    @property
    def tag(self) -> str:
        """Local name."""
        return etree.QName(self._element).localname

    @property
    def value(self) -> str:
        """Own text; comments in it do not count."""
        return _text_of(self._element)

    def elements(self) -> list[Node]:
        """All child elements, in the document's order."""
        return [Node(child) for child in self._element.iterchildren("*")]

    def children(self, name: str) -> list[Node]:
        """Child elements of that name."""
        return [Node(child) for child in self._by_name.get(name, ())]

    def child(self, name: str) -> Node | None:
        """First child element of that name."""
        found = self._by_name.get(name)
        return None if found is None else Node(found[0])

    def need(self, name: str) -> Node:
        """Child element that the schema demands."""
        found = self.child(name)
        if found is None:
            raise BadInput(f"W elemencie {self.tag} brakuje elementu {name}.", code="xml-schema")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of all child elements of that name."""
        return tuple(map(_text_of, self._by_name.get(name, ())))

    def text(self, name: str) -> str | None:
        """Text of a child element, None where it is absent or empty."""
        found = self._by_name.get(name)
        return None if found is None else _text_of(found[0]) or None

    def need_text(self, name: str) -> str:
        """Text of a child element that the schema demands, never empty."""
        return self.text(name) or self._empty(self.need(name).tag)

    def flag(self, name: str) -> bool:
        """Marker of type TWybor1 or TWybor1_2."""
        return self.text(name) == "1"

    def number(self, name: str) -> Decimal | None:
        """Decimal of a child element."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise BadInput(f"Element {name} nie zawiera liczby.", code="xml-schema")
        return value

    def need_number(self, name: str) -> Decimal:
        """Decimal of a child element that the schema demands."""
        self.need_text(name)
        return self.number(name) or Decimal(0)

    def day(self, name: str) -> date | None:
        """Date of a child element."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise BadInput(f"Element {name} nie zawiera daty w postaci RRRR-MM-DD.", code="xml-schema") from None

    def need_day(self, name: str) -> date:
        """Date of a child element that the schema demands."""
        self.need_text(name)
        return self.day(name) or self._empty(name)

    @staticmethod
    def _empty(name: str) -> NoReturn:
        raise BadInput(f"Element {name} jest pusty.", code="xml-schema")


def _text_of(element: Element) -> str:
    text = element.text or ""
    if len(element):
        text += "".join(child.tail or "" for child in element.iterchildren(etree.Comment))
    if " " not in text and text.isprintable():
        return text  # no white space of any kind: numbers, days, codes
    return _WHITE_SPACE.sub(" ", text).strip(" ")


def parse(xml: bytes) -> Node:
    """Return the root of an FA(3) document; BadInput where it does not meet KSeF's strict XML rules."""
    return Node(check_bytes(xml))
