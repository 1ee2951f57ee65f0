"""A report on A4 as a document: headings, paragraphs, tables, room to write, signatures.

The records compose it, `printers/preview/report.py` draws it. Text is plain Unicode.
"""

from __future__ import annotations

from datetime import date

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. ``item``: one of a list, with a dash before it."""

    text: str
    item: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are, in two columns."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table over the width of the page; its header stands on every page it goes on to.

    ``widths`` are parts of the page's width; ``amounts``: columns that stand right.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    amounts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Room:
    """Empty lines to write on."""

    lines: int


@dataclass(frozen=True, slots=True)
class Signatures:
    """Places for signatures beside each other, each with the words under its line."""

    under: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageBreak:
    """What follows begins a page."""


@dataclass(frozen=True, slots=True)
class Together:
    """Blocks that stay on one page."""

    blocks: tuple[Heading | Paragraph | Facts | Table | Room | Signatures, ...]


Block = Heading | Paragraph | Facts | Table | Room | Signatures | Together | PageBreak


@dataclass(frozen=True, slots=True)
class Report:
    """One report. ``day`` dates the PDF: the same report gives the same bytes."""

    title: str
    under_title: str
    day: date
    blocks: tuple[Block, ...]
