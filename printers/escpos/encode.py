"""ESC/POS: a receipt document to the bytes for one printer. Pure; docs/printing.md, section 1, says why it is so."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache

from agent.domain.paper.receipt import Align, Receipt
from agent.domain.values import dataclass
from printers.escpos import bitmap, charset, qr
from printers.escpos.bitmap import Bitmap
from printers.escpos.layout import Code, Font, Line, Sheet, lay_out
from printers.escpos.qr import QrTooWide, Unprintable
from printers.profiles.models import Profile, QrMode

ESC, FS, GS, LF = b"\x1b", b"\x1c", b"\x1d", b"\n"
INITIALIZE = ESC + b"@"
CANCEL_KANJI = FS + b"."
"""Chinese clones start in a two-byte mode that eats Polish letters."""
CHARSET_USA = ESC + b"R\x00"
DRAWER = ESC + b"p\x00\x19\xfa"
"""Pin 2, 50 ms on, 500 ms off."""
CUT = GS + b"VB\x00"
"""Feed to the cutter, then cut."""
FEED_TO_EDGE = ESC + b"d\x05"
"""Without a cutter: out past the tear-off edge."""
LARGE, TALL = 0x11, 0x01
"""GS ! : twice as wide and high; twice as high."""
_ALIGN = {Align.LEFT: 0, Align.CENTER: 1, Align.RIGHT: 2}


def encode(receipt: Receipt, profile: Profile, *, logo: Bitmap | None = None) -> bytes:
    """Return the bytes that print ``receipt``. Raises Unprintable (QrTooWide, QrNotAscii).

    ``logo`` (bitmap.of_logo) is printed on top where the receipt wants it. The drawer opens first, if at all.
    """
    job = Job(profile)
    job.start()
    if receipt.open_drawer:
        job.raw(DRAWER)
    if logo is not None and receipt.logo:
        job.picture(logo)
    for item in lay_out(receipt, sheet(profile)):
        if isinstance(item, Code):
            job.code(item.payload)
        else:
            job.line(item)
    job.end()
    return job.data()


@lru_cache(maxsize=16)
def sheet(profile: Profile) -> Sheet:
    """Return what the layout must know of a printer; the same for each paper, which the layout keeps lines by."""
    return Sheet(profile.columns_a, profile.columns_b, lambda text: charset.fit(text, profile.encoding))


def check_profile(profile: Profile, longest_payload: int) -> None:
    """Raise QrTooWide where a link of so many bytes cannot be printed: at start, not at the counter."""
    qr.module_size(longest_payload, profile)


@dataclass
class Job:
    """Bytes so far, and what the printer has been told: commands are repeated only where the state changes."""

    profile: Profile
    _parts: list[bytes] = field(default_factory=list)
    _align: Align = Align.LEFT
    _font: Font = Font.A
    _bold: bool = False
    _size: int = 0

    def start(self) -> None:
        self.raw(INITIALIZE + CANCEL_KANJI + CHARSET_USA)
        self._code_page()

    def raw(self, data: bytes) -> None:
        self._parts.append(data)

    def data(self) -> bytes:
        return b"".join(self._parts)

    def line(self, line: Line) -> None:
        if not line.text:
            self.raw(LF)
            return
        self.state(line)
        self.raw(charset.encode(line.text, self.profile.encoding) + LF)

    def foreign_line(self, text: str, code_page: int, encoding: str) -> None:
        """Print a line in another code page than the profile's: for the calibration slip."""
        self.state(Line(text))
        self.raw(ESC + b"t" + bytes((code_page,)) + charset.encode(charset.fit(text, encoding), encoding) + LF)
        self._code_page()

    def picture(self, picture: Bitmap, align: Align = Align.CENTER) -> None:
        self._aligned(align)
        head = GS + b"v0" + bytes((picture.mode,))
        size = picture.width_bytes.to_bytes(2, "little") + picture.height.to_bytes(2, "little")
        self.raw(head + size + picture.data)

    def code(self, payload: str) -> None:
        data = qr.payload_bytes(payload)
        module = qr.module_size(len(data), self.profile)
        if self.profile.qr is QrMode.RASTER or len(data) > self.profile.qr_native_limit:
            self.picture(bitmap.of_code(data, module))
        else:
            self.native_code(data, module)

    def native_code(self, data: bytes, module: int) -> None:
        self._aligned(Align.CENTER)
        self.raw(LF)  # quiet zone above and below: a line is 30 dots, 4 modules are at most 24
        self.raw(_symbol(b"1A2\x00"))  # model 2
        self.raw(_symbol(b"1C" + bytes((module,))))
        self.raw(_symbol(b"1E1"))  # error correction M
        self.raw(_symbol(b"1P0" + data))
        self.raw(_symbol(b"1Q0"))
        self.raw(LF)

    def end(self) -> None:
        self.state(Line(""))  # other programs print here too, and not all of them begin with ESC @
        self.raw(CUT if self.profile.cutter else FEED_TO_EDGE)

    def state(self, line: Line) -> None:
        self._aligned(line.align)
        if line.font is not self._font:
            self.raw(ESC + b"M" + bytes((line.font.value,)))
            self._code_page()  # NT-5890K forgets it at ESC M
            self._font = line.font
        if line.bold is not self._bold:
            self.raw(ESC + b"E" + bytes((line.bold,)))
            self._bold = line.bold
        size = LARGE if line.large else TALL if line.tall else 0
        if size != self._size:
            self.raw(GS + b"!" + bytes((size,)))
            self._size = size

    def _aligned(self, align: Align) -> None:
        if align is not self._align:
            self.raw(ESC + b"a" + bytes((_ALIGN[align],)))
            self._align = align

    def _code_page(self) -> None:
        self.raw(ESC + b"t" + bytes((self.profile.code_page,)))


def _symbol(parameters: bytes) -> bytes:
    return GS + b"(k" + len(parameters).to_bytes(2, "little") + parameters


__all__ = ["Job", "QrTooWide", "Unprintable", "check_profile", "encode", "sheet"]
