"""A report on A4 as PDF/A-3, by reportlab's platypus: real text in embedded fonts, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    HRFlowable,
    KeepTogether,
    PageBreak,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from agent.domain import report as parts
from agent.domain.report import Report
from printers.escpos.charset import clean
from printers.preview.archival import archival
from printers.preview.drawing import BOLD, REGULAR, reportlab
from printers.preview.flow import LINE, OUR_FONT, SHADE, WIDTH, Side
from printers.preview.pages import paged

NAMES: Final = 0.3
"""Part of the width that the names of facts take."""
SIGNATURE_ROOM: Final = 16 * mm
_REFERENCE: Final = re.compile(r"(?<=\bart\.) | (?=(?:ust\.|pkt|lit\.|§) )|(?<=ust\.) |(?<=\bpkt) |(?<=lit\.) |(?<=§) ")
"""The spaces inside "art. 106e ust. 1 pkt 2"."""
HEADING_ROOM: Final = 25 * mm
"""A heading with less than that under it goes to the next page."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Sizes in points."""

    text: float
    small: float
    heading: float
    title: float
    gap: float


LETTERS: Final = Letters(text=9.0, small=7.5, heading=10.5, title=15.0, gap=5.0)


def render_report(report: Report) -> bytes:
    """Return the report as PDF/A-3b. Blocking: tens of milliseconds, seconds for thousands of rows."""
    title = clean(report.title)
    with reportlab():
        data = paged(lambda: list(_flow(report)), title)
    return archival(data, title=title, day=report.day, attachment=None)


def _flow(report: Report) -> Iterator[Flowable]:
    letters = LETTERS
    yield _text(report.title, letters.title, bold=True)
    yield Spacer(0, letters.gap)
    if report.under_title:
        yield _text(report.under_title, letters.text)
    yield HRFlowable(width="100%", thickness=0.5, color=LINE, spaceBefore=letters.gap, spaceAfter=letters.gap)
    for block in report.blocks:
        yield from _block(block, letters)


def _block(block: parts.Block, letters: Letters) -> Iterator[Flowable]:
    match block:
        case parts.Heading():
            yield CondPageBreak(HEADING_ROOM)
            yield Spacer(0, letters.gap * 1.4)
            yield _text(block.text, letters.heading, bold=True)
            yield Spacer(0, letters.gap * 0.6)
        case parts.Paragraph():
            yield _text(block.text, letters.text, bold=block.bold, item=block.item)
            yield Spacer(0, letters.gap * 0.5)
        case parts.Facts():
            yield _facts(block, letters)
        case parts.Table():
            yield _table(block, letters)
            yield Spacer(0, letters.gap)
        case parts.Room():
            rows = [[""] for _ in range(block.lines)]
            style = TableStyle([OUR_FONT, ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE)])
            yield Table(rows, colWidths=[WIDTH], rowHeights=[8 * mm] * block.lines, style=style)
        case parts.Signatures():
            yield _signatures(block, letters)
        case parts.PageBreak():
            yield PageBreak()
        case parts.Together():
            yield KeepTogether([flowable for each in block.blocks for flowable in _block(each, letters)])


def _text(text: str, size: float, *, bold: bool = False, item: bool = False, align: Side = TA_LEFT) -> Paragraph:
    style = ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.3,
        alignment=align,
        leftIndent=size * 1.2 if item else 0,
        bulletIndent=0,
        bulletFontName=REGULAR,
        bulletFontSize=size,
        splitLongWords=1,
    )
    return Paragraph(escape(_unbroken(clean(text))), style, bulletText="–" if item else None)


def _unbroken(text: str) -> str:
    """Keep an article's number on the line of its word."""
    return _REFERENCE.sub("\u00a0", text)


def _facts(facts: parts.Facts, letters: Letters) -> Table:
    rows = [[_text(name, letters.text), _text(value, letters.text, bold=True)] for name, value in facts.rows]
    return Table(rows, colWidths=[WIDTH * NAMES, WIDTH * (1 - NAMES)], style=_style(letters))


def _table(table: parts.Table, letters: Letters) -> Table:
    whole = sum(table.widths)
    widths = [WIDTH * part / whole for part in table.widths]
    header = _cells(table.header, table, letters, bold=True)
    rows = [_cells(row, table, letters) for row in table.rows]
    style = _style(letters)
    style.add("BACKGROUND", (0, 0), (-1, 0), SHADE)
    style.add("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE)
    return Table([header, *rows], colWidths=widths, style=style, repeatRows=1)


def _cells(row: Sequence[str], table: parts.Table, letters: Letters, *, bold: bool = False) -> list[Paragraph]:
    return [
        _text(cell, letters.small, bold=bold, align=TA_RIGHT if column in table.amounts else TA_LEFT)
        for column, cell in enumerate(row)
    ]


def _style(letters: Letters) -> TableStyle:
    return TableStyle(
        [
            OUR_FONT,
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), letters.gap * 0.3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), letters.gap * 0.5),
        ]
    )


def _signatures(signatures: parts.Signatures, letters: Letters) -> Flowable:
    """The words stand under a line to sign on, kept on one page with it."""
    count = len(signatures.under)
    words = [_text(under, letters.small, align=TA_CENTER) for under in signatures.under]
    gap = WIDTH * 0.06
    widths = [(WIDTH - gap * (count - 1)) / count]
    cells: list[object] = [words[0]]
    for word in words[1:]:
        widths += [gap, widths[0]]
        cells += ["", word]
    style = _style(letters)
    for column in range(0, len(cells), 2):
        style.add("LINEABOVE", (column, 0), (column, 0), 0.5, Color(0, 0, 0))
    return KeepTogether([Spacer(0, SIGNATURE_ROOM), Table([cells], colWidths=widths, style=style)])
