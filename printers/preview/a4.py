"""An invoice on A4 as PDF/A-3: columns, a table of lines whose header stands on every page, page feet, the XML inside.

Laid out by reportlab's platypus. Real text in embedded fonts, codes as vector, the same bytes for the same sheet.
"""

from __future__ import annotations

import io
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import SimpleDocTemplate

from agent.domain.paper.sheet import Sheet
from printers.escpos.charset import clean
from printers.preview.archival import archival
from printers.preview.drawing import REGULAR, reportlab
from printers.preview.flow import MARGIN, PADDING, SMALL, WIDTH, flow

FOOT: Final = 10 * mm
"""From the edge of the page to the line that says which one it is."""
FOR_NUMBERS: Final = 30 * mm


def render_a4(sheet: Sheet) -> bytes:
    """Return the document as PDF/A-3b. Blocking: tens of milliseconds, seconds for thousands of lines."""
    title = clean(sheet.title)
    with reportlab():
        pages, data = _built(sheet, title, pages=1)
        if pages > 1:
            _, data = _built(sheet, title, pages=pages)
    return archival(data, title=title, day=sheet.issued_on, attachment=sheet.attachment)


def _built(sheet: Sheet, title: str, *, pages: int) -> tuple[int, bytes]:
    """Return how many pages there are, and the PDF whose feet say that there are ``pages``."""
    shown = _fitting(title, WIDTH - FOR_NUMBERS)

    def foot(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont(REGULAR, SMALL)
        canvas.drawString(MARGIN, FOOT, shown)
        canvas.drawRightString(A4[0] - MARGIN, FOOT, f"strona {document.page} z {pages}")

    out = io.BytesIO()
    side = MARGIN - PADDING
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=side,
        rightMargin=side,
        topMargin=side,
        bottomMargin=MARGIN,
        title=title,
        invariant=1,
        lang="pl-PL",
        initialFontName=REGULAR,
    )
    document.build(list(flow(sheet)), onFirstPage=foot, onLaterPages=foot)
    return document.page, out.getvalue()


def _fitting(text: str, width: float) -> str:
    while stringWidth(text, REGULAR, SMALL) > width:
        text = text[:-2] + "…"
    return text
