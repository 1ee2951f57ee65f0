"""The A4 page as a document: parties beside each other, the lines as a table, what a slip has no room for.

`a4.py` composes it, `printers/preview/a4.py` draws it. Everything but the table of lines is made of a slip's elements.
"""

from __future__ import annotations

from datetime import date

from agent.domain.paper.receipt import Element, Qr
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A name and, in smaller letters under it, what else is said of it."""

    text: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table over the width of the page. Its header stands on every page that it goes on to.

    Columns are the number, the name (as wide as there is room), then short words and amounts, right-aligned.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """A sentence under it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the PDF: the FA(3) document that the page shows."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document on A4. ``title`` names it in the PDF's properties and at the foot of each page."""

    title: str
    issued_on: date
    """P_1, the date of the PDF: nothing in it depends on when it was drawn."""
    head: tuple[Element, ...]
    parties: tuple[tuple[Element, ...], ...]
    """Seller and buyer beside each other, then the others, two by two."""
    body: tuple[Element | Grid, ...]
    codes: tuple[Qr, ...]
    attachment: Attachment | None = None
