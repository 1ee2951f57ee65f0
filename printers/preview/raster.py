"""The picture of a job, drawn from the very bytes that go to the printer.

One pixel is one dot of the print head. A pixel costs a byte of memory, several times over, and a browser four; so a
picture has at most MAX_HEIGHT of them from top to bottom, and longer papers are shown in pages, divided between lines.
Letters stand in the printer's own cells; a QR code the printer draws by itself is drawn here by another library than
the encoder's (printed_page.py).
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFont

from agent.ports import Picture
from printers.escpos.printed_page import Box, CodeBox, CutMark, Page, PictureBox, TextBox, compose
from printers.profiles.models import Profile

MARGIN = 32
"""Dots of unprinted paper on either side: 4 mm on an 80 mm roll."""
MAX_HEIGHT = 16_000
"""Dots of a picture: two metres of paper at 203 dpi, about 45 MB while it is drawn."""
_TOP = 24
_BOTTOM = 40
_PAPER = (252, 251, 247)
_INK = (28, 26, 32)
_FONT_SIZES = {12: 20, 9: 15}
"""Pixel size of DejaVu Sans Mono whose letters fill a cell of that width."""
_lock = threading.Lock()
"""Pillow's font objects are not to be shared between threads at the same time."""


class NoSuchPage(ValueError):
    """The picture has fewer pages."""


def render(data: bytes, profile: Profile, number: int = 1) -> Picture:
    """Return a page of the job, counted from 1.

    Raises parse.UnknownBytes, parse.Incomplete, printed_page.PageError, NoSuchPage.
    """
    page = compose(data, profile)
    bands = list(divided(page))
    if not 1 <= number <= len(bands):
        raise NoSuchPage(str(len(bands)))
    return Picture(draw(page, *bands[number - 1]), number, len(bands))


def render_png(data: bytes, profile: Profile) -> bytes:
    """Return the first page of the job, which is all of any usual one. Raises as render does."""
    return render(data, profile).png


def divided(page: Page, height: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield top and bottom of each page, dots: at most ``height`` (MAX_HEIGHT), nothing cut through."""
    most = MAX_HEIGHT if height is None else height
    cuts = [0]
    clear = covered = 0
    for box in page.boxes:
        if box.y >= covered:
            clear = box.y
        covered = max(covered, _bottom(box))
        if covered - cuts[-1] > most and clear > cuts[-1]:
            cuts.append(clear)
    return pairwise([*cuts, page.height])


def draw(page: Page, top: int = 0, bottom: int | None = None) -> bytes:
    """Return what lies between two heights of a page (None: to its end), as a PNG of two colours."""
    end = page.height if bottom is None else bottom
    dots = Image.new("1", (page.width + 2 * MARGIN, end - top + _TOP + _BOTTOM), 0)
    for box in _between(page.boxes, top, end):
        place = (box_x(box) + MARGIN, box.y - top + _TOP)
        match box:
            case TextBox():
                _draw_text(dots, box, place)
            case PictureBox():
                dots.paste(1, place, _picture(box))
            case CodeBox():
                dots.paste(1, place, _code(box))
            case CutMark():
                _draw_cut(dots, place[1])
    paper = dots.convert("L").point([0] * 128 + [1] * 128)
    paper.putpalette([*_PAPER, *_INK])
    out = io.BytesIO()
    paper.save(out, "PNG", bits=1, optimize=True)
    return out.getvalue()


def _between(boxes: Sequence[Box], top: int, bottom: int) -> Iterator[Box]:
    """Yield what belongs to a page; the cut at the very end of the paper belongs to the last one."""
    last = boxes[-1] if boxes else None
    return (box for box in boxes if top <= box.y < bottom or (box is last and box.y == bottom))


def _bottom(box: Box) -> int:
    match box:
        case TextBox():
            return box.y + box.height * box.tall
        case PictureBox():
            return box.y + box.height
        case CodeBox():
            return box.y + box.width
        case CutMark():
            return box.y


def box_x(box: Box) -> int:
    """Return where a box begins, dots from the left edge of the printable width."""
    return 0 if isinstance(box, CutMark) else box.x


def _draw_text(dots: Image.Image, box: TextBox, place: tuple[int, int]) -> None:
    x, y = place
    for letter in box.text:
        if letter != " ":
            glyph = _glyph(letter, box.cell, box.height, box.bold)
            if (box.wide, box.tall) != (1, 1):
                glyph = glyph.resize((box.cell * box.wide, box.height * box.tall), Image.Resampling.NEAREST)
            dots.paste(1, (x, y), glyph)
        x += box.cell * box.wide


@lru_cache(maxsize=2048)
def _glyph(letter: str, cell: int, height: int, bold: bool) -> Image.Image:
    """Draw one letter in its cell, black or white; bold as printers do it, struck twice one dot apart."""
    with _lock:
        image = Image.new("1", (cell, height), 0)
        font = _font(_FONT_SIZES.get(cell, max(8, cell * 5 // 3)))
        ascent, descent = font.getmetrics()
        top = (height - ascent - descent) // 2
        ImageDraw.Draw(image).text((0, top), letter, fill=1, font=font)
    if bold:
        image = ImageChops.logical_or(image, ImageChops.offset(image, 1, 0))
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    data = (resources.files("printers") / "fonts" / "DejaVuSansMono.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size)


def _picture(box: PictureBox) -> Image.Image:
    raster = box.raster
    image = Image.frombytes("1", (raster.width_bytes * 8, raster.height), raster.data)
    return image.resize((box.width, box.height), Image.Resampling.NEAREST) if box.scale != 1 else image


def _code(box: CodeBox) -> Image.Image:
    side = len(box.matrix)
    image = Image.frombytes("L", (side, side), bytes(255 if cell else 0 for row in box.matrix for cell in row))
    return image.convert("1").resize((box.width, box.width), Image.Resampling.NEAREST)


def _draw_cut(dots: Image.Image, y: int) -> None:
    pen = ImageDraw.Draw(dots)
    for x in range(0, dots.width, 16):
        pen.line((x, y, x + 7, y), fill=1)
