"""What flows, over pages of A4 whose feet say which one of how many each is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, SimpleDocTemplate

from printers.preview.drawing import REGULAR
from printers.preview.flow import MARGIN, PADDING, SMALL, WIDTH

FOOT: Final = 10 * mm
"""From the edge of the page to the line that says which one it is."""
FOR_NUMBERS: Final = 30 * mm


def paged(flow: Callable[[], list[Flowable]], title: str) -> bytes:
    """Return the PDF; ``flow`` gives the content anew, since reportlab uses it up. Within drawing.reportlab()."""
    pages, data = _built(flow(), title, pages=1)
    if pages > 1:
        _, data = _built(flow(), title, pages=pages)
    return data


def _built(content: list[Flowable], title: str, *, pages: int) -> tuple[int, bytes]:
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
    document.build(content, onFirstPage=foot, onLaterPages=foot)
    return document.page, out.getvalue()


def _fitting(text: str, width: float) -> str:
    while stringWidth(text, REGULAR, SMALL) > width:
        text = text[:-2] + "…"
    return text
