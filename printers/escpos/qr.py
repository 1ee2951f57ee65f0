"""QR codes: how large a printer can print one, and the modules themselves.

Error correction M. Sizes are reckoned for byte mode, since a printer's firmware chooses its own segments.
Module: at least 4 dots (DENSO WAVE, printing section: 0.5 mm at 203 dpi), at most 6, quiet zone 4 modules (ISO 18004).
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import Literal

from agent.domain.errors import AgentError
from printers.profiles.models import Profile

QUIET = 4
"""Modules of white on every side."""
MIN_MODULE = 4
"""Dots."""
MAX_MODULE = 6
"""Dots."""
_MASK = 2
"""Pinned: the same payload gives the same picture, and the search for the best mask is spared."""

_BYTE_MODE: Literal[4] = 4
"""Mode indicator of ISO 18004."""

_BYTES_M = (
    14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666,
    711, 779, 857, 911, 997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
)  # fmt: skip
"""Bytes that fit versions 1 to 40 at level M in byte mode (ISO 18004, table 7)."""


class Unprintable(AgentError):
    """The document cannot be printed on this printer. ``code`` is stable, the message Polish."""

    code = "unprintable"


class QrTooWide(Unprintable):
    """The code does not fit the paper with modules of at least 4 dots."""

    code = "qr-too-wide"


class QrNotAscii(Unprintable):
    """The payload is not a link in printable ASCII."""

    code = "qr-not-ascii"


def version(length: int) -> int:
    """Return the QR version (1 to 40) that holds so many bytes at level M."""
    found = bisect_left(_BYTES_M, length) + 1
    if found > len(_BYTES_M):
        raise QrTooWide(f"Kod QR o długości {length} znaków jest za długi.")
    return found


def side(length: int) -> int:
    """Return the modules along one side, without the quiet zone."""
    return 17 + 4 * version(length)


def module_size(length: int, profile: Profile) -> int:
    """Return dots per module for a payload of ``length`` bytes; QrTooWide below 4."""
    wanted = side(length) + 2 * QUIET
    dots = min(MAX_MODULE, profile.dots // wanted)
    if dots < MIN_MODULE:
        raise QrTooWide(
            f"Kod QR o długości {length} znaków nie mieści się na papierze drukarki „{profile.title}”: "
            f"potrzeba {wanted * MIN_MODULE} punktów, jest {profile.dots}. "
            "Użyj szerszej drukarki albo certyfikatu Offline z kluczem EC P-256."
        )
    return dots


def payload_bytes(payload: str) -> bytes:
    """Return the payload as bytes; QrNotAscii unless every one is visible ASCII (a URL has nothing else)."""
    data = payload.encode("ascii", "replace")
    if not payload.isascii() or not data or any(not 0x21 <= byte <= 0x7E for byte in data):
        raise QrNotAscii("Kod QR zawiera znaki spoza ASCII; oczekiwano adresu URL.")
    return data


@lru_cache(maxsize=64)
def matrix(data: bytes) -> tuple[tuple[bool, ...], ...]:
    """Return the modules row by row, True is black, without the quiet zone; version as size() reckons."""
    import qrcode  # noqa: PLC0415 - loads Pillow; native printers never need it
    from qrcode.util import QRData  # noqa: PLC0415

    code = qrcode.QRCode(
        version=version(len(data)),
        error_correction=qrcode.constants.ERROR_CORRECT_M,
        border=0,
        mask_pattern=_MASK,
    )
    code.add_data(QRData(data, mode=_BYTE_MODE), optimize=0)
    code.make(fit=False)
    return tuple(tuple(bool(cell) for cell in row) for row in code.modules)
