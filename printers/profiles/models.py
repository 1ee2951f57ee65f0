"""What a printer is: width, fonts, code page, QR, what it answers. Everything may be overridden in the settings.

Sources: vendor manuals and the open printer databases (docs/printing.md, section 7). The width is that of the print
head, not of the roll: 180-dpi printers print 512 dots on 80 mm paper.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from agent.domain.values import dataclass

FONT_A_HEIGHT = 24
"""Dots."""
FONT_B_HEIGHT = 17
"""Dots."""
LINE_HEIGHT = 30
"""Dots from line to line after ESC @: 1/6 inch at 180 dpi, 3.75 mm at 203 dpi."""
MAX_CODE_PAGE = 255


POLISH_PAGES: tuple[tuple[int, str], ...] = (
    (18, "cp852"),
    (45, "cp1250"),
    (47, "cp1250"),
    (72, "cp1250"),
    (30, "cp1250"),
    (50, "cp1250"),
    (33, "cp1250"),
    (17, "cp1250"),
    (6, "cp852"),
    (13, "cp852"),
    (25, "cp1257"),
    (35, "cp1257"),
)
"""Numbers of ESC t under which printers sold in Poland keep Polish letters; each maker has its own table."""


class QrMode(StrEnum):
    """Who draws the QR code."""

    NATIVE = "native"
    """The printer (GS ( k): small jobs."""
    RASTER = "raster"
    """This program (GS v 0): for printers without GS ( k, or with a bad one."""


class Answers(StrEnum):
    """How a printer proves that it printed."""

    PROCESS_ID = "process_id"
    """GS ( H: sent when the paper is printed. GS r 1 too."""
    GS_R = "gs_r"
    """GS r 1: sent when the data was interpreted."""
    NONE = "none"
    """It cannot answer: a job is handed over, never confirmed."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of printer. Widths in dots and characters; ``code_page`` is n of ESC t, ``encoding`` Python's codec."""

    name: str
    title: str
    dots: int = 576
    dpi: int = 203
    columns_a: int = 48
    columns_b: int = 64
    code_page: int = 18
    encoding: str = "cp852"
    qr: QrMode = QrMode.NATIVE
    qr_native_limit: int = 7089
    """Longest payload, bytes, that goes to the printer's own QR; longer ones are drawn as raster."""
    answers: Answers = Answers.PROCESS_ID
    cutter: bool = True
    clears_buffer: bool = False
    """It knows DLE DC4 fn 8: forget what waits for paper."""

    @property
    def cell_a(self) -> int:
        """Width of a character in font A, dots."""
        return self.dots // self.columns_a

    @property
    def cell_b(self) -> int:
        """Width of a character in font B, dots."""
        return self.dots // self.columns_b


_CLONE_QR_LIMIT = 255
"""Weak firmware keeps so many bytes (docs/printing.md, section 4): an EC link fits, an RSA link does not."""

_WIDE = Profile("", "")
_EPSON = replace(_WIDE, clears_buffer=True)
_EPSON_COARSE = replace(_EPSON, dots=512, dpi=180, columns_a=42, columns_b=56)
_COARSE = replace(_WIDE, dots=512, dpi=180, columns_a=42, columns_b=56)
_NARROW = replace(_WIDE, dots=384, columns_a=32, columns_b=42)
_WIDE_CLONE = replace(_WIDE, qr_native_limit=_CLONE_QR_LIMIT, answers=Answers.GS_R)
_COARSE_CLONE = replace(_COARSE, qr_native_limit=_CLONE_QR_LIMIT, answers=Answers.GS_R)
_NARROW_CLONE = replace(_NARROW, qr=QrMode.RASTER, qr_native_limit=_CLONE_QR_LIMIT, answers=Answers.NONE, cutter=False)
_NO_POLISH = replace(_COARSE_CLONE, code_page=0, encoding="cp437", qr=QrMode.RASTER, clears_buffer=True)
_GS_R = Answers.GS_R

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        replace(_WIDE_CLONE, name="generic-80", title="80 mm, 576 punktów"),
        replace(_COARSE_CLONE, name="generic-80-512", title="80 mm, 512 punktów"),
        replace(_NARROW_CLONE, name="generic-58", title="58 mm, 384 punkty", answers=_GS_R),
        replace(_EPSON, name="epson-tm-t20", title="Epson TM-T20II, III, IV, X"),
        replace(_EPSON, name="epson-tm-t20-42", title="Epson TM-T20, 42 kolumny", dots=546, columns_a=42, columns_b=60),
        replace(_EPSON_COARSE, name="epson-tm-t88", title="Epson TM-T88IV, V, VI, VII"),
        replace(_NO_POLISH, name="epson-tm-t88iii", title="Epson TM-T88III"),
        replace(_EPSON, name="epson-tm-m30", title="Epson TM-m30, II, III", columns_b=57),
        replace(_EPSON, name="epson-tm-m30-58", title="Epson TM-m30, 58 mm", dots=420, columns_a=35, columns_b=42),
        replace(_COARSE, name="bixolon-srp-350", title="Bixolon SRP-350III, 350plus", answers=_GS_R),
        replace(_WIDE, name="bixolon-srp-352", title="Bixolon SRP-352III, 352plus", answers=_GS_R),
        replace(_WIDE, name="citizen-ct-s", title="Citizen CT-S310II, 651, 801", answers=_GS_R),
        replace(_WIDE, name="star-escpos", title="Star TSP143IV, mC-Print w trybie ESC/POS", answers=_GS_R),
        replace(_WIDE_CLONE, name="xprinter-80", title="Xprinter XP-N160, T80; Rongta, HPRT, POS-80"),
        replace(_NARROW_CLONE, name="pos-58", title="POS-58, POS-5890, ZJ-58"),
        replace(_NARROW_CLONE, name="nt-5890k", title="NT-5890K, POS-5890 (CP1257)", code_page=25, encoding="cp1257"),
        replace(_NARROW, name="sunmi-v2", title="Sunmi V2 (wbudowana)", answers=Answers.NONE, cutter=False),
    )
}
"""``title`` is what people read. TM-T88III knows no page with Polish letters: they lose their tails."""
