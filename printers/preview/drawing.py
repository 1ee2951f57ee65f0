"""What all PDF are drawn with: embedded fonts, QR codes as vector, and one drawing at a time."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from itertools import groupby

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
MODULE = 0.75 * mm
"""QR module, as on paper (qr.MAX_MODULE at 203 dpi)."""
_lock = threading.Lock()
"""reportlab keeps fonts and their subsets in globals."""


@contextmanager
def reportlab() -> Iterator[None]:
    """Hold the library for one document, fonts registered."""
    with _lock:
        _register_fonts()
        yield


def draw_code(canvas: Canvas, picture: tuple[str, ...], module: float, left: float, top: float) -> None:
    """Draw the modules of a code ("1" is black); the quiet zone is the caller's."""
    path = canvas.beginPath()
    for row, cells in enumerate(picture):
        column = 0
        for colour, run in groupby(cells):
            length = len(list(run))
            if colour == "1":
                path.rect(left + column * module, top - (row + 1) * module, length * module, module)
            column += length
    canvas.drawPath(path, stroke=0, fill=1)


@cache
def _register_fonts() -> None:
    folder = resources.files("printers") / "fonts"
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, io.BytesIO((folder / f"{name}.ttf").read_bytes())))
