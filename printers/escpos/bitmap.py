"""Black and white pictures: packed for GS v 0, and made from QR modules and logo files."""

from __future__ import annotations

import io

from agent.domain.values import dataclass
from printers.escpos import qr
from printers.profiles.models import Profile

QUADRUPLE = 3
"""m of GS v 0: every dot printed as 2 x 2; a quarter of the bytes."""
NORMAL = 0
_RISKY_HEIGHT = 48
"""POS-5890K loses its place after a raster whose height is a multiple of it (python-escpos issues 367, 424)."""
MAX_LOGO_HEIGHT = 300
"""Rows; a taller logo is a mistake in the settings."""


@dataclass(frozen=True, slots=True)
class Bitmap:
    """Rows of ``width_bytes`` bytes, most significant bit left, 1 is black. ``mode`` is m of GS v 0."""

    width_bytes: int
    height: int
    data: bytes
    mode: int = NORMAL


def of_code(payload: bytes, module: int) -> Bitmap:
    """Return the QR code with its quiet zone, ``module`` dots per module."""
    mode, scale = (QUADRUPLE, module // 2) if module % 2 == 0 else (NORMAL, module)
    white, black = "0" * scale, "1" * scale
    quiet_side = white * qr.QUIET
    widened = "\n".join(qr.matrix(payload)).replace("0", white).replace("1", black)
    rows: list[bytes] = []
    for dots in widened.split("\n"):
        rows.extend([_packed(f"{quiet_side}{dots}{quiet_side}")] * scale)
    empty = bytes(len(rows[0]))
    quiet = [empty] * (qr.QUIET * scale)
    return _bitmap([*quiet, *rows, *quiet], mode)


def of_logo(image_file: bytes, profile: Profile) -> Bitmap:
    """Return a picture file (PNG, BMP, ...) as dots, shrunk to the paper's width where it is wider.

    Raises ValueError (Polish) where the file is no picture or is far too tall.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only where there is a logo

    try:
        with Image.open(io.BytesIO(image_file)) as opened:
            flat = Image.alpha_composite(Image.new("RGBA", opened.size, "white"), opened.convert("RGBA")).convert("L")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError("to nie jest plik z obrazem") from error
    if flat.width > profile.dots:
        flat = flat.resize((profile.dots, max(1, flat.height * profile.dots // flat.width)))
    if flat.height > MAX_LOGO_HEIGHT:
        raise ValueError(f"obraz ma po dopasowaniu {flat.height} wierszy, a może mieć {MAX_LOGO_HEIGHT}")
    dithered = flat.convert("1")
    black = [[dithered.getpixel((x, y)) == 0 for x in range(flat.width)] for y in range(flat.height)]
    return _bitmap([_pack(row) for row in black], NORMAL)


def of_frame(dots: int, height: int) -> Bitmap:
    """Return an empty box ``dots`` wide (a multiple of 8), for the calibration slip."""
    edge = [True] * dots
    side = [True] * 2 + [False] * (dots - 4) + [True] * 2
    return _bitmap([_pack(edge)] * 2 + [_pack(side)] * (height - 4) + [_pack(edge)] * 2, NORMAL)


def _pack(bits: list[bool]) -> bytes:
    return _packed("".join("1" if bit else "0" for bit in bits))


def _packed(digits: str) -> bytes:
    """Pack 0 and 1, eight to a byte, white behind the last one."""
    width = -(-len(digits) // 8)
    return int(digits.ljust(width * 8, "0"), 2).to_bytes(width, "big")


def _bitmap(rows: list[bytes], mode: int) -> Bitmap:
    width = len(rows[0])
    if len(rows) % _RISKY_HEIGHT == 0:
        rows = [*rows, bytes(width)]
    return Bitmap(width, len(rows), _defuse(b"".join(rows)), mode)


def _defuse(data: bytes) -> bytes:
    """Break DLE EOT, DLE ENQ and DLE DC4, which printers obey even inside a raster: one more black dot, unseen."""
    for second in (0x04, 0x05, 0x14):
        data = data.replace(bytes((0x10, second)), bytes((0x11, second)))
    return data
