"""The same receipt document as PDF, A4 or as wide as a receipt, for tills without a printer or by request.

Real text in embedded DejaVu fonts, QR codes as vector, and the same bytes for the same document.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Literal

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from agent.domain.receipt import Align, Blank, Element, Pair, Qr, Receipt, Rule, Table, Text
from printers import qr
from printers.charset import clean

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
LEADING = 1.35
"""Line height per point of type."""
LARGE = 1.5
"""Large type per normal type."""
SMALLEST = 5.0
"""Points: unbroken text shrinks no further."""
MODULE = 0.75 * mm
"""QR module, as on paper (qr.MAX_MODULE at 203 dpi)."""
_lock = threading.Lock()
"""reportlab keeps fonts and their subsets in globals."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Points. ``height`` None: as long as the document."""

    width: float
    height: float | None
    margin: float
    size: float
    codes_beside: int

    @property
    def inner(self) -> float:
        return self.width - 2 * self.margin


_PAGES = {
    "a4": _Page(width=A4[0], height=A4[1], margin=25 * mm, size=10.0, codes_beside=2),
    "receipt": _Page(width=80 * mm, height=None, margin=4 * mm, size=8.0, codes_beside=1),
}


@dataclass(frozen=True, slots=True)
class _Block:
    """Something that is not divided between pages. ``draw`` gets the canvas and the y of its top."""

    height: float
    draw: Callable[[Canvas, float], None]


def render_pdf(receipt: Receipt, *, page: Literal["a4", "receipt"] = "a4") -> bytes:
    """Return the document as PDF. Blocking, tens of milliseconds."""
    with _lock:
        _register_fonts()
        return _render(receipt, _PAGES[page])


def _render(receipt: Receipt, page: _Page) -> bytes:
    blocks = list(_blocks(receipt, page))
    height = page.height or sum(block.height for block in blocks) + 2 * page.margin
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(page.width, height), invariant=1, lang="pl-PL")
    canvas.setTitle(clean(receipt.title))
    canvas.setCreator("ksef-agent")
    y = height - page.margin
    for block in blocks:
        if y - block.height < page.margin - 0.01 and page.height is not None and y < height - page.margin:
            canvas.showPage()
            y = height - page.margin
        block.draw(canvas, y)
        y -= block.height
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _blocks(receipt: Receipt, page: _Page) -> Iterator[_Block]:
    for is_code, group in groupby(receipt.elements, key=lambda element: isinstance(element, Qr)):
        if is_code:
            codes = [element for element in group if isinstance(element, Qr)]
            for start in range(0, len(codes), page.codes_beside):
                yield _codes(codes[start : start + page.codes_beside], page)
        else:
            for element in group:
                yield from _element(element, page)


def _element(element: Element, page: _Page) -> Iterator[_Block]:
    match element:
        case Text():
            yield from _text(element, page)
        case Pair():
            yield from _pair(element, page)
        case Table():
            yield from _table(element, page)
        case Rule():
            yield _rule(page)
        case Blank():
            yield _Block(element.lines * page.size * LEADING, lambda _canvas, _y: None)


def _text(element: Text, page: _Page) -> Iterator[_Block]:
    font = BOLD if element.bold else REGULAR
    size = page.size * (LARGE if element.large else 1)
    text = clean(element.text)
    if element.unbroken:
        natural = pdfmetrics.stringWidth(text, font, size)
        size = max(SMALLEST, min(size, size * page.inner / natural)) if natural else size
    for line in _wrap(text, font, size, page.inner):
        yield _line([(line, font, element.align)], size, page)


def _pair(element: Pair, page: _Page) -> Iterator[_Block]:
    font = BOLD if element.bold else REGULAR
    size = page.size * (LARGE if element.large else 1)
    left, right = clean(element.left), clean(element.right)
    lines = _wrap(left, font, size, page.inner)
    gap = pdfmetrics.stringWidth("  ", font, size)
    room = page.inner - pdfmetrics.stringWidth(lines[-1], font, size) - gap
    for line in lines[:-1]:
        yield _line([(line, font, Align.LEFT)], size, page)
    if pdfmetrics.stringWidth(right, font, size) <= room:
        yield _line([(lines[-1], font, Align.LEFT), (right, font, Align.RIGHT)], size, page)
        return
    yield _line([(lines[-1], font, Align.LEFT)], size, page)
    for line in _wrap(right, font, size, page.inner):
        yield _line([(line, font, Align.RIGHT)], size, page)


def _table(element: Table, page: _Page) -> Iterator[_Block]:
    """Columns as wide as their widest cell, the rest between them; smaller type where they do not fit."""
    rows = [(element.header, BOLD), *((row, REGULAR) for row in element.rows)]
    if element.total is not None:
        rows.append((element.total, BOLD))
    cells = [([clean(cell) for cell in row], font) for row, font in rows]
    size = page.size
    widths = _column_widths(cells, size)
    gap = 2 * size / 3
    needed = sum(widths) + gap * (len(widths) - 1)
    if needed > page.inner:
        size *= page.inner / needed
        widths = _column_widths(cells, size)
    spare = (page.inner - sum(widths)) / max(1, len(widths) - 1)
    edges = [page.margin + sum(widths[: index + 1]) + spare * index for index in range(len(widths))]
    for row, font in cells:
        yield _table_row(row, font, size, edges, page)


def _table_row(row: list[str], font: str, size: float, edges: list[float], page: _Page) -> _Block:
    def draw(canvas: Canvas, y: float) -> None:
        canvas.setFont(font, size)
        canvas.drawString(page.margin, y - size, row[0])
        for edge, cell in zip(edges[1:], row[1:], strict=True):
            canvas.drawRightString(edge, y - size, cell)

    return _Block(page.size * LEADING, draw)


def _column_widths(rows: list[tuple[list[str], str]], size: float) -> list[float]:
    measured = [[pdfmetrics.stringWidth(cell, font, size) for cell in row] for row, font in rows]
    return [max(column) for column in zip(*measured, strict=True)]


def _rule(page: _Page) -> _Block:
    def draw(canvas: Canvas, y: float) -> None:
        middle = y - page.size * LEADING / 2
        canvas.setLineWidth(0.5)
        canvas.line(page.margin, middle, page.width - page.margin, middle)

    return _Block(page.size * LEADING, draw)


def _line(parts: list[tuple[str, str, Align]], size: float, page: _Page) -> _Block:
    def draw(canvas: Canvas, y: float) -> None:
        for text, font, align in parts:
            canvas.setFont(font, size)
            if align is Align.LEFT:
                canvas.drawString(page.margin, y - size, text)
            elif align is Align.RIGHT:
                canvas.drawRightString(page.width - page.margin, y - size, text)
            else:
                canvas.drawCentredString(page.width / 2, y - size, text)

    return _Block(size * LEADING, draw)


def _codes(codes: list[Qr], page: _Page) -> _Block:
    """Codes beside each other with their captions; the quiet zone is part of each."""
    share = page.inner / len(codes)
    pictures = [qr.matrix(qr.payload_bytes(code.payload)) for code in codes]
    modules = [min(MODULE, share / (len(picture) + 2 * qr.QUIET)) for picture in pictures]
    tallest = max((len(picture) + 2 * qr.QUIET) * module for picture, module in zip(pictures, modules, strict=True))
    captions = [_wrap(clean(code.caption), REGULAR, page.size, share) for code in codes]

    def draw(canvas: Canvas, y: float) -> None:
        for index, (picture, module) in enumerate(zip(pictures, modules, strict=True)):
            centre = page.margin + share * (index + 0.5)
            _draw_code(canvas, picture, module, centre - len(picture) * module / 2, y - qr.QUIET * module)
            canvas.setFont(REGULAR, page.size)
            bottom = y - (len(picture) + 2 * qr.QUIET) * module
            for row, line in enumerate(captions[index]):
                canvas.drawCentredString(centre, bottom - page.size * (1 + LEADING * row), line)

    return _Block(tallest + page.size * LEADING * (0.5 + max(len(lines) for lines in captions)), draw)


def _draw_code(canvas: Canvas, picture: tuple[tuple[bool, ...], ...], module: float, left: float, top: float) -> None:
    path = canvas.beginPath()
    for row, cells in enumerate(picture):
        column = 0
        for black, run in groupby(cells):
            length = len(list(run))
            if black:
                path.rect(left + column * module, top - (row + 1) * module, length * module, module)
            column += length
    canvas.drawPath(path, stroke=0, fill=1)


def _wrap(text: str, font: str, size: float, width: float) -> list[str]:
    """Break at blanks, and inside a word that is wider than the line. No character is lost."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if pdfmetrics.stringWidth(longer, font, size) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = ""
        for letter in word:
            if line and pdfmetrics.stringWidth(line + letter, font, size) > width:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line]


@cache
def _register_fonts() -> None:
    folder = resources.files("printers") / "fonts"
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO((folder / f"{name}.ttf").read_bytes())))
