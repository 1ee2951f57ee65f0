"""A job as it would lie on the paper: boxes with places in dots, from commands. Shared by text and picture.

As strict as the parser: what a printer would do wrong with the bytes (wrong code page, beyond the paper, a code it
silently leaves out) is an error here.
"""

from __future__ import annotations

from dataclasses import field, replace
from functools import lru_cache
from typing import Literal

from agent.domain.values import dataclass
from printers.escpos import charset, parse, qr
from printers.profiles.models import FONT_A_HEIGHT, FONT_B_HEIGHT, LINE_HEIGHT, POLISH_PAGES, Profile

BYTE_MODE: Literal[4] = 4
"""Of a QR code (ISO 18004): its mode indicator."""


class PageError(ValueError):
    """The printer would not print these commands as meant."""


class TooWide(PageError):
    """Something reaches beyond the paper."""


@dataclass(frozen=True, slots=True)
class TextBox:
    """Characters on one line. ``cell`` and ``height`` are one character's dots before ``scale``."""

    x: int
    y: int
    text: str
    cell: int
    height: int
    wide: int = 1
    tall: int = 1
    bold: bool = False

    @property
    def width(self) -> int:
        """Dots."""
        return len(self.text) * self.cell * self.wide


@dataclass(frozen=True, slots=True)
class PictureBox:
    """A raster. ``scale`` is 2 where every dot is printed as 2 x 2."""

    x: int
    y: int
    raster: parse.Raster

    @property
    def scale(self) -> int:
        """Printed dots per dot."""
        return 2 if self.raster.mode == 3 else 1

    @property
    def width(self) -> int:
        """Dots on paper."""
        return self.raster.width_bytes * 8 * self.scale

    @property
    def height(self) -> int:
        """Dots on paper."""
        return self.raster.height * self.scale


@dataclass(frozen=True, slots=True)
class CodeBox:
    """A QR code the printer draws by itself. ``module``: dots; ``level``: of error correction, L, M, Q or H."""

    x: int
    y: int
    payload: bytes
    module: int
    level: str

    @property
    def matrix(self) -> tuple[tuple[bool, ...], ...]:
        """As another library draws it, without quiet zone. Some milliseconds: a text has no use for it."""
        return _symbol(self.payload, self.level)

    @property
    def width(self) -> int:
        """Dots."""
        modules = qr.side(len(self.payload)) if self.level == "M" else len(self.matrix)
        return modules * self.module


@dataclass(frozen=True, slots=True)
class CutMark:
    """The cutter's place."""

    y: int


Box = TextBox | PictureBox | CodeBox | CutMark


@dataclass(frozen=True, slots=True)
class Page:
    """All boxes from top to bottom; sizes in dots. ``drawer``: the drawer was kicked."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    drawer: bool = False


def compose(data: bytes, profile: Profile) -> Page:
    """Place a whole job. Raises parse.UnknownBytes, parse.Incomplete, PageError, TooWide."""
    return place(parse.parse(data), profile)


def place(commands: list[parse.Command], profile: Profile) -> Page:
    """Place parsed commands."""
    press = _Press(profile)
    for command in commands:
        press.obey(command)
    press.finish()
    return Page(profile.dots, press.y, tuple(press.boxes), press.drawer)


_PAGES = dict(POLISH_PAGES)


@dataclass
class _Press:
    """The printer's state while it obeys."""

    profile: Profile
    y: int = 0
    boxes: list[Box] = field(default_factory=list)
    drawer: bool = False
    _line: list[TextBox] = field(default_factory=list)
    _page: int | None = None
    _font: int = 0
    _bold: bool = False
    _wide: int = 1
    _tall: int = 1
    _where: int = 0
    _module: int = 3
    _level: str = "L"
    _model: int = 2
    _stored: bytes | None = None

    def obey(self, command: parse.Command) -> None:  # noqa: PLR0912 - one case per command
        match command:
            case parse.Characters(data):
                self._characters(data)
            case parse.LineFeed():
                self._end_line()
            case parse.FeedLines(lines):
                self._end_line(lines)
            case parse.Initialize():
                self._reset()
            case parse.SelectCodePage(page):
                self._page = page
            case parse.SelectFont(font):
                self._font = font
                self._page = None  # NT-5890K forgets it here; so must no job rely on it
            case parse.Bold(on):
                self._bold = on
            case parse.Size(wide, tall):
                self._wide, self._tall = wide, tall
            case parse.Justify(where):
                self._at_line_start("ESC a")
                self._where = where
            case parse.Raster():
                self._picture(command)
            case parse.QrModel(model):
                self._model = model
            case parse.QrModule(dots):
                self._module = dots
            case parse.QrCorrection(level):
                self._level = level
            case parse.QrStore(data):
                self._stored = data
            case parse.QrPrint():
                self._code()
            case parse.Cut():
                self._cut()
            case parse.Drawer():
                self.drawer = True
            case parse.CharacterSet(number):
                if number != 0:
                    raise PageError(f"ESC R {number}: other letters in place of ASCII")
            case (
                parse.CancelKanji()
                | parse.ProcessId()
                | parse.TransmitStatus()
                | parse.RealTimeStatus()
                | parse.Padding()
            ):
                pass

    def finish(self) -> None:
        if self._line:
            raise PageError("the job ends inside a line: its last line would not be printed")

    def _reset(self) -> None:
        self._line.clear()
        self._page = None
        self._font, self._bold, self._wide, self._tall, self._where = 0, False, 1, 1, 0
        self._module, self._level, self._model, self._stored = 3, "L", 2, None

    def _characters(self, data: bytes) -> None:
        if self._page is None:
            encoding = "ascii"
        elif self._page == self.profile.code_page:
            encoding = self.profile.encoding
        else:
            encoding = _PAGES.get(self._page, "ascii")
        cell, height = (self.profile.cell_a, FONT_A_HEIGHT) if self._font == 0 else (self.profile.cell_b, FONT_B_HEIGHT)
        try:
            text = charset.decode(data, encoding)
        except UnicodeDecodeError as error:
            raise PageError(f"letters that code page {self._page} does not have, or none selected") from error
        self._line.append(TextBox(0, self.y, text, cell, height, self._wide, self._tall, self._bold))

    def _end_line(self, lines: int = 1) -> None:
        width = sum(box.width for box in self._line)
        x = self._start(width)
        tallest = max((box.height * box.tall for box in self._line), default=0)
        for box in self._line:
            drop = tallest - box.height * box.tall
            self.boxes.append(TextBox(x, self.y + drop, box.text, box.cell, box.height, box.wide, box.tall, box.bold))
            x += box.width
        self._line.clear()
        self.y += max(LINE_HEIGHT, tallest) + LINE_HEIGHT * (lines - 1)

    def _start(self, width: int) -> int:
        spare = self.profile.dots - width
        if spare < 0:
            raise TooWide(f"{width} dots on a paper of {self.profile.dots}")
        return (0, spare // 2, spare)[self._where]

    def _picture(self, raster: parse.Raster) -> None:
        self._at_line_start("GS v 0")
        box = PictureBox(0, self.y, raster)
        self.boxes.append(PictureBox(self._start(box.width), self.y, raster))
        self.y += box.height

    def _code(self) -> None:
        self._at_line_start("GS ( k")
        if self._stored is None or self._model != 2:
            raise PageError("no QR data stored, or not model 2")
        box = CodeBox(0, self.y, self._stored, self._module, self._level)
        self.boxes.append(replace(box, x=self._start(box.width)))
        self.y += box.width

    def _cut(self) -> None:
        self._at_line_start("GS V")
        self.y += 2 * LINE_HEIGHT  # the way from the print head to the cutter, about
        self.boxes.append(CutMark(self.y))

    def _at_line_start(self, command: str) -> None:
        if self._line:
            raise PageError(f"{command} inside a line is ignored by printers")


@lru_cache(maxsize=64)
def _symbol(payload: bytes, level: str) -> tuple[tuple[bool, ...], ...]:
    """Draw a code as a printer's firmware would: by a library, not by the encoder's own piece."""
    from qrcode import QRCode, constants  # noqa: PLC0415 - loads Pillow; only previews need it
    from qrcode.util import QRData  # noqa: PLC0415

    code = QRCode(error_correction=getattr(constants, f"ERROR_CORRECT_{level}"), border=0)
    code.add_data(QRData(payload, mode=BYTE_MODE), optimize=0)
    code.make()
    return tuple(tuple(bool(cell) for cell in row) for row in code.modules)
