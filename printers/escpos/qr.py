"""QR codes: how large a printer can print one, and the modules themselves.

Error correction M. Sizes are reckoned for byte mode, since a printer's firmware chooses its own segments.
Module: at least 4 dots (DENSO WAVE, printing section: 0.5 mm at 203 dpi), at most 6, quiet zone 4 modules (ISO 18004).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from agent.domain.errors import AgentError
from printers.escpos import qr_modules
from printers.profiles.models import Profile

QUIET = 4
"""Modules of white on every side."""
MIN_MODULE = 4
"""Dots."""
MAX_MODULE = 6
"""Dots."""
_VISIBLE = re.compile("[!-~]+")
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
    if _VISIBLE.fullmatch(payload) is None:
        raise QrNotAscii("Kod QR zawiera znaki spoza ASCII; oczekiwano adresu URL.")
    return payload.encode("ascii")


@lru_cache(maxsize=64)
def matrix(data: bytes) -> tuple[str, ...]:
    """Return the modules row by row, "1" is black, without the quiet zone; version as side() reckons."""
    wanted = version(len(data))
    return qr_modules.draw(data, wanted, _BYTES_M[wanted - 1])
