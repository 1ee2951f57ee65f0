"""The paper as a document: what stands on it, not how a printer says it.

`compose.py` composes it; `printers/` turns it into ESC/POS bytes, text, pictures and PDF.
Text is plain Unicode; control characters are the encoder's business and can never come from here.
"""

from __future__ import annotations

from enum import StrEnum

from agent.domain.values import dataclass


class Align(StrEnum):
    """Where a line stands on the paper."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, wrapped at words. ``unbroken`` is never wrapped: a narrow printer takes its smaller font.

    ``tall`` letters are twice as high and no wider: a heading seen from afar that costs no columns. ``indent`` is in
    columns, of a text that stands left.
    """

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    large: bool = False
    unbroken: bool = False
    tall: bool = False
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A left text and a right text on one line; the right one (an amount) is never cut or wrapped.

    ``indent`` of the left one, in columns.
    """

    left: str
    right: str
    bold: bool = False
    large: bool = False
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows; first column left, the others right-aligned; cells are never cut."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code with the caption under it. ``payload`` is ASCII (a verification link)."""

    payload: str
    caption: str


Element = Text | Pair | Table | Rule | Blank | Qr


@dataclass(frozen=True, slots=True)
class Receipt:
    """One slip. ``title`` names it in previews and file names; ``logo`` puts the printer's configured bitmap on top."""

    title: str
    elements: tuple[Element, ...]
    logo: bool = True
    open_drawer: bool = False
    """Never set on reprints."""
