"""XML underneath the view: a parser that trusts nothing, and typed access to child elements."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from agent.domain.errors import BadInput

NAMESPACE = "http://crd.gov.pl/wzor/2025/06/25/13775/"
"""FA(3)."""


class Node:
    """One element of the FA(3) namespace. Texts are read as xsd:token: outer blanks gone, inner ones single."""

    __slots__ = ("_element",)

    def __init__(self, element: etree._Element) -> None:
        self._element = element

    @property
    def tag(self) -> str:
        """Local name."""
        return etree.QName(self._element).localname

    @property
    def value(self) -> str:
        """Own text."""
        return " ".join((self._element.text or "").split())

    def elements(self) -> list[Node]:
        """All child elements, in the document's order."""
        return [Node(child) for child in self._element if isinstance(child.tag, str)]

    def children(self, name: str) -> list[Node]:
        """Child elements of that name."""
        return [Node(child) for child in self._element.findall(f"{{{NAMESPACE}}}{name}")]

    def child(self, name: str) -> Node | None:
        """First child element of that name."""
        found = self._element.find(f"{{{NAMESPACE}}}{name}")
        return None if found is None else Node(found)

    def need(self, name: str) -> Node:
        """Child element that the schema demands."""
        found = self.child(name)
        if found is None:
            raise BadInput(f"W elemencie {self.tag} brakuje elementu {name}.", code="xml-schema")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of all child elements of that name."""
        return tuple(node.value for node in self.children(name))

    def text(self, name: str) -> str | None:
        """Text of a child element, None where it is absent or empty."""
        found = self.child(name)
        return (found.value or None) if found is not None else None

    def need_text(self, name: str) -> str:
        """Text of a child element that the schema demands."""
        return self.need(name).value

    def flag(self, name: str) -> bool:
        """Marker of type TWybor1 or TWybor1_2."""
        return self.text(name) == "1"

    def number(self, name: str) -> Decimal | None:
        """Decimal of a child element."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return Decimal(text)
        except InvalidOperation:
            raise BadInput(f"Element {name} nie zawiera liczby.", code="xml-schema") from None

    def need_number(self, name: str) -> Decimal:
        """Decimal of a child element that the schema demands."""
        self.need(name)
        found = self.number(name)
        if found is None:
            raise BadInput(f"Element {name} jest pusty.", code="xml-schema")
        return found

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
        self.need(name)
        found = self.day(name)
        if found is None:
            raise BadInput(f"Element {name} jest pusty.", code="xml-schema")
        return found


def parse(xml: bytes) -> Node:
    """Return the root of an FA(3) document.

    BadInput where it is no XML (``xml-broken``), carries a DTD (``xml-dtd``), or is no FA(3) (``xml-namespace``).
    Entities are never resolved, no file and no network is ever touched.
    """
    # Before any parser sees it: no entity is ever declared, so none can ever expand.
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise BadInput("Dokument zawiera deklarację DOCTYPE, której KSeF nie przyjmuje.", code="xml-dtd")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        line = f" (wiersz {error.lineno})" if error.lineno else ""
        raise BadInput(f"To nie jest poprawny dokument XML{line}.", code="xml-broken") from None
    if root.getroottree().docinfo.doctype:
        raise BadInput("Dokument zawiera deklarację DOCTYPE, której KSeF nie przyjmuje.", code="xml-dtd")
    if root.tag != f"{{{NAMESPACE}}}Faktura":
        raise BadInput(
            "To nie jest faktura FA(3): element główny albo przestrzeń nazw są inne niż we wzorze.",
            code="xml-namespace",
        )
    return Node(root)
