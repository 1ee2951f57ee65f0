"""The slip as PDF, as wide as the paper of a receipt, for tills without a printer or by request; A4 is a4.py.

Real text in embedded DejaVu fonts, QR codes as vector, and the same bytes for the same document.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from agent.domain.paper.receipt import Align, Blank, Element, Pair, Qr, Receipt, Rule, Table, Text
from agent.domain.values import dataclass
from printers.escpos import qr
from printers.escpos.charset import clean
from printers.escpos.wrapping import Measure, balanced, wrap
from printers.preview.drawing import BOLD, MODULE, REGULAR, draw_code, reportlab

LEADING = 1.35
"""Line height per point of type."""
LARGE = 1.5
"""Large type per normal type."""
TALL = 1.25
"""Type of headings per normal type."""
BALANCE_STEP = 8
"""Points by which narrower lines are tried for a centred text."""
SMALLEST = 5.0
"""Points: unbroken text shrinks no further."""
SMALL = 8.0
"""Points: the page's number."""
LONGEST = 14_400.0
"""Points: no reader shows a higher page (PDF 32000-1, annex C); a longer roll goes on on the next one."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Points. It is as long as the document, up to LONGEST."""

    width: float
    margin: float
    size: float

    @property
    def inner(self) -> float:
        return self.width - 2 * self.margin


_ROLL = _Page(width=80 * mm, margin=4 * mm, size=8.0)


@dataclass(frozen=True, slots=True)
class _Block:
    """Something that is not divided between pages. ``draw`` gets the canvas and the y of its top."""

    height: float
    draw: Callable[[Canvas, float], None]
    keep: bool = False
    """Not the last one of a page: what follows belongs to it."""
    parts: bool = False
    """A rule between two parts: none stands at the top of a page."""


def render_pdf(receipt: Receipt) -> bytes:
    """Return the document as PDF. Blocking, tens of milliseconds."""
    with reportlab():
        return _render(receipt, _ROLL)


def _render(receipt: Receipt, page: _Page) -> bytes:
    blocks = list(_blocks(receipt, page))
    whole = sum(block.height for block in blocks) + 2 * page.margin
    height = min(LONGEST, whole)
    pages = [blocks] if whole <= LONGEST else _paged(blocks, height - 2 * page.margin)
    title = clean(receipt.title)
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(page.width, height), invariant=1, lang="pl-PL")
    canvas.setTitle(title)
    canvas.setCreator("ksef-agent")
    for number, shown in enumerate(pages, 1):
        y = height - page.margin
        for block in shown:
            block.draw(canvas, y)
            y -= block.height
        if len(pages) > 1:
            canvas.setFont(REGULAR, SMALL)
            canvas.drawCentredString(page.width / 2, page.margin / 2, f"{title} · strona {number} z {len(pages)}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _paged(blocks: Iterable[_Block], room: float) -> list[list[_Block]]:
    """Divide between pages; what has to stay together does, unless it is longer than a page by itself."""
    pages: list[list[_Block]] = [[]]
    left = room
    for group in _kept(blocks):
        height = sum(block.height for block in group)
        if pages[-1] and height > left and height <= room:
            pages.append([])
            left = room
        for block in group:
            if pages[-1] and block.height > left + 0.01:
                pages.append([])
                left = room
            if block.parts and not pages[-1]:
                continue
            pages[-1].append(block)
            left -= block.height
    return [page for page in pages if page] or [[]]


def _kept(blocks: Iterable[_Block]) -> Iterator[list[_Block]]:
    group: list[_Block] = []
    for block in blocks:
        group.append(block)
        if not block.keep:
            yield group
            group = []
    if group:
        yield group


def _blocks(receipt: Receipt, page: _Page) -> Iterator[_Block]:
    for is_code, group in groupby(receipt.elements, key=lambda element: isinstance(element, Qr)):
        if is_code:
            yield from (_code(element, page) for element in group if isinstance(element, Qr))
        else:
            elements = list(group)
            for element, following in zip(elements, [*elements[1:], None], strict=True):
                for block in _element(element, page):
                    yield replace(block, keep=True) if _leads(element, following) else block


def _leads(element: Element, following: Element | None) -> bool:
    """Tell what belongs to what follows it: a name to its price, a heading, a table to the sum under it, a rule."""
    match element:
        case Text():
            return element.bold or isinstance(following, Pair)
        case Table() | Rule():
            return True
        case _:
            return False


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
            yield _Block(page.size * LEADING, lambda _canvas, _y: None)


def _text(element: Text, page: _Page) -> Iterator[_Block]:
    font = BOLD if element.bold else REGULAR
    size = page.size * (LARGE if element.large else TALL if element.tall else 1)
    text = clean(element.text)
    if element.unbroken:
        natural = pdfmetrics.stringWidth(text, font, size)
        size = max(SMALLEST, min(size, size * page.inner / natural)) if natural else size
    measure = _measure(font, size)
    centred = element.align is Align.CENTER
    indent = _indent(element.indent, font, size)
    room = page.inner - indent
    lines = balanced(text, room, measure, step=BALANCE_STEP) if centred else wrap(text, room, measure)
    for line in lines:
        yield _line([(line, font, element.align)], size, page, indent)


def _pair(element: Pair, page: _Page) -> Iterator[_Block]:
    font = BOLD if element.bold else REGULAR
    size = page.size * (LARGE if element.large else 1)
    left, right = clean(element.left), clean(element.right)
    indent = _indent(element.indent, font, size)
    lines = wrap(left, page.inner - indent, _measure(font, size))
    gap = pdfmetrics.stringWidth("  ", font, size)
    room = page.inner - indent - pdfmetrics.stringWidth(lines[-1], font, size) - gap
    for line in lines[:-1]:
        yield _line([(line, font, Align.LEFT)], size, page, indent)
    if pdfmetrics.stringWidth(right, font, size) <= room:
        yield _line([(lines[-1], font, Align.LEFT), (right, font, Align.RIGHT)], size, page, indent)
        return
    yield _line([(lines[-1], font, Align.LEFT)], size, page, indent)
    for line in wrap(right, page.inner, _measure(font, size)):
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

    return _Block(page.size * LEADING, draw, parts=True)


def _indent(columns: int, font: str, size: float) -> float:
    """Return points: columns are those of a digit, as wide in this font as any other."""
    return columns * float(pdfmetrics.stringWidth("0", font, size))


def _line(parts: list[tuple[str, str, Align]], size: float, page: _Page, indent: float = 0.0) -> _Block:
    """Return one line; ``indent`` is that of what stands left."""

    def draw(canvas: Canvas, y: float) -> None:
        for text, font, align in parts:
            canvas.setFont(font, size)
            if align is Align.LEFT:
                canvas.drawString(page.margin + indent, y - size, text)
            elif align is Align.RIGHT:
                canvas.drawRightString(page.width - page.margin, y - size, text)
            else:
                canvas.drawCentredString(page.width / 2, y - size, text)

    return _Block(size * LEADING, draw)


def _code(code: Qr, page: _Page) -> _Block:
    """A code with its caption under it; the quiet zone is part of it."""
    picture = qr.matrix(qr.payload_bytes(code.payload))
    side = len(picture) + 2 * qr.QUIET
    module = min(MODULE, page.inner / side)
    caption = wrap(clean(code.caption), page.inner, _measure(REGULAR, page.size))
    centre = page.width / 2

    def draw(canvas: Canvas, y: float) -> None:
        draw_code(canvas, picture, module, centre - len(picture) * module / 2, y - qr.QUIET * module)
        canvas.setFont(REGULAR, page.size)
        for row, line in enumerate(caption):
            canvas.drawCentredString(centre, y - side * module - page.size * (1 + LEADING * row), line)

    return _Block(side * module + page.size * LEADING * (0.5 + len(caption)), draw)


def _measure(font: str, size: float) -> Measure:
    return partial(pdfmetrics.stringWidth, fontName=font, fontSize=size)
