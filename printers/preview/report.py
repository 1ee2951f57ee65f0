"""A report on A4 as PDF/A-3, by reportlab's platypus: real text in embedded fonts, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
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
from printers.preview.drawing import reportlab
from printers.preview.flow import LINE, OUR_FONT, SHADE, SIZE, WIDTH, Side, text_style
from printers.preview.pages import paged

NAMES: Final = 0.3
"""Part of the width that the names of facts take."""
SMALL: Final = 7.5
"""Points of tables and of what stands under a signature."""
HEADING: Final = 10.5
TITLE: Final = 15.0
GAP: Final = 5.0
"""Points between blocks."""
SIGNATURE_ROOM: Final = 16 * mm
_REFERENCE: Final = re.compile(r"(?<=\bart\.) | (?=(?:ust\.|pkt|lit\.|§) )|(?<=ust\.) |(?<=\bpkt) |(?<=lit\.) |(?<=§) ")
"""The spaces inside "art. 106e ust. 1 pkt 2"."""
HEADING_ROOM: Final = 25 * mm
"""A heading with less than that under it goes to the next page."""


def render_report(report: Report) -> bytes:
    """Return the report as PDF/A-3b. Blocking: tens of milliseconds, seconds for thousands of rows."""
    title = clean(report.title)
    with reportlab():
        data = paged(lambda: list(_flow(report)), title)
    return archival(data, title=title, day=report.day, attachment=None)


def _flow(report: Report) -> Iterator[Flowable]:
    yield _text(report.title, TITLE, bold=True)
    yield Spacer(0, GAP)
    if report.under_title:
        yield _text(report.under_title, SIZE)
    yield HRFlowable(width="100%", thickness=0.5, color=LINE, spaceBefore=GAP, spaceAfter=GAP)
    for block in report.blocks:
        yield from _block(block)


def _block(block: parts.Block) -> Iterator[Flowable]:
    match block:
        case parts.Heading():
            yield CondPageBreak(HEADING_ROOM)
            yield Spacer(0, GAP * 1.4)
            yield _text(block.text, HEADING, bold=True)
            yield Spacer(0, GAP * 0.6)
        case parts.Paragraph():
            yield _text(block.text, SIZE, bold=block.bold, item=block.item)
            yield Spacer(0, GAP * 0.5)
        case parts.Facts():
            yield _facts(block)
        case parts.Table():
            yield _table(block)
            yield Spacer(0, GAP)
        case parts.Room():
            rows = [[""] for _ in range(block.lines)]
            style = TableStyle([OUR_FONT, ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE)])
            yield Table(rows, colWidths=[WIDTH], rowHeights=[8 * mm] * block.lines, style=style)
        case parts.Signatures():
            yield _signatures(block)
        case parts.PageBreak():
            yield PageBreak()
        case parts.Together():
            yield KeepTogether([flowable for each in block.blocks for flowable in _block(each)])


def _text(text: str, size: float, *, bold: bool = False, item: bool = False, align: Side = TA_LEFT) -> Paragraph:
    style = text_style(size, bold=bold, align=align, indent=size * 1.2 if item else 0)
    return Paragraph(escape(_unbroken(clean(text))), style, bulletText="–" if item else None)


def _unbroken(text: str) -> str:
    """Keep an article's number on the line of its word."""
    return _REFERENCE.sub("\u00a0", text)


def _facts(facts: parts.Facts) -> Table:
    rows = [[_text(name, SIZE), _text(value, SIZE, bold=True)] for name, value in facts.rows]
    return Table(rows, colWidths=[WIDTH * NAMES, WIDTH * (1 - NAMES)], style=_style())


def _table(table: parts.Table) -> Table:
    whole = sum(table.widths)
    widths = [WIDTH * part / whole for part in table.widths]
    header = _cells(table.header, table, bold=True)
    rows = [_cells(row, table) for row in table.rows]
    style = _style()
    style.add("BACKGROUND", (0, 0), (-1, 0), SHADE)
    style.add("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE)
    return Table([header, *rows], colWidths=widths, style=style, repeatRows=1)


def _cells(row: Sequence[str], table: parts.Table, *, bold: bool = False) -> list[Paragraph]:
    return [
        _text(cell, SMALL, bold=bold, align=TA_RIGHT if column in table.amounts else TA_LEFT)
        for column, cell in enumerate(row)
    ]


def _style() -> TableStyle:
    return TableStyle(
        [
            OUR_FONT,
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), GAP * 0.3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), GAP * 0.5),
        ]
    )


def _signatures(signatures: parts.Signatures) -> Flowable:
    """The words stand under a line to sign on, kept on one page with it."""
    count = len(signatures.under)
    words = [_text(under, SMALL, align=TA_CENTER) for under in signatures.under]
    gap = WIDTH * 0.06
    widths = [(WIDTH - gap * (count - 1)) / count]
    cells: list[object] = [words[0]]
    for word in words[1:]:
        widths += [gap, widths[0]]
        cells += ["", word]
    style = _style()
    for column in range(0, len(cells), 2):
        style.add("LINEABOVE", (column, 0), (column, 0), 0.5, Color(0, 0, 0))
    return KeepTogether([Spacer(0, SIGNATURE_ROOM), Table([cells], colWidths=widths, style=style)])
