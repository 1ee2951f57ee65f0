"""Packed request bodies (RFC 9110, 8.4): gzip and deflate, unpacked here and never beyond the body's limit.

aiohttp would unpack by itself, but tells a body that cannot be unpacked only as a broken connection, takes one that
ends too early, and answers some codings in plain text. So it is told not to (``api.py``), and this is the only place.
"""

from __future__ import annotations

import zlib
from typing import Final

from agent.domain.errors import BadInput

SUPPORTED: Final = "gzip, deflate"
"""What a 415 names in Accept-Encoding (RFC 9110, 12.5.3)."""
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_GZIP_WBITS: Final = 31
_ZLIB_WBITS: Final = 15
_RAW_WBITS: Final = -15
"""deflate without zlib's header: wrong by RFC 9110, 8.4.1.2, and sent by some clients all the same."""
_ZLIB_METHOD: Final = 8


def unpacked(data: bytes, coding: str, limit: int) -> bytes:
    """Return the body that ``data`` holds under the Content-Encoding ``coding`` (empty: none).

    BadInput: ``unsupported-content-encoding`` (415), ``body-undecodable`` (400), ``body-too-large`` (413) where more
    than ``limit`` bytes come out.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return data
    if name in _GZIP:
        return _inflated(data, _GZIP_WBITS, limit)
    if name == "deflate":
        wrapped = data[:1] and data[0] & 0x0F == _ZLIB_METHOD
        return _inflated(data, _ZLIB_WBITS if wrapped else _RAW_WBITS, limit)
    raise BadInput(
        "Nieobsługiwane kodowanie danych (Content-Encoding). Wyślij dane bez kodowania albo spakowane jako gzip "
        "lub deflate, jednokrotnie.",
        code="unsupported-content-encoding",
    )


def _inflated(data: bytes, wbits: int, limit: int) -> bytes:
    """Unpack one stream that has to end where the body ends."""
    stream = zlib.decompressobj(wbits)
    try:
        found = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise _undecodable() from error
    if len(found) > limit:
        raise BadInput("Przesłane dane są za duże.", code="body-too-large")
    if not stream.eof or stream.unused_data:
        raise _undecodable()
    return found


def _undecodable() -> BadInput:
    return BadInput(
        "Przesłanych danych nie da się rozpakować: są uszkodzone albo nagłówek Content-Encoding nie mówi prawdy.",
        code="body-undecodable",
    )
