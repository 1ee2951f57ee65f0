"""The modules of a code are those that two libraries draw, in every version."""

from __future__ import annotations

from random import Random

import pytest
import qrcode
import segno
from qrcode.util import QRData

from printers.escpos import qr

VERSIONS = range(1, 41)
SMALLEST = 1
LARGEST = 2331
"""Bytes of version 40."""


def payload(length: int) -> bytes:
    return bytes(Random(length).choices(range(0x21, 0x7F), k=length))


def full(version: int) -> int:
    """Return how many bytes the version holds at level M, by what the next one byte more would need."""
    return max(length for length in range(SMALLEST, LARGEST + 1) if qr.version(length) == version)


def by_qrcode(data: bytes) -> tuple[str, ...]:
    code = qrcode.QRCode(
        version=qr.version(len(data)), error_correction=qrcode.constants.ERROR_CORRECT_M, border=0, mask_pattern=2
    )
    code.add_data(QRData(data, mode=4), optimize=0)
    code.make(fit=False)
    return tuple("".join("1" if cell else "0" for cell in row) for row in code.modules)


def by_segno(data: bytes) -> tuple[str, ...]:
    version = qr.version(len(data))
    code = segno.make_qr(data, error="m", mode="byte", boost_error=False, version=version, mask=2)
    return tuple("".join(map(str, row)) for row in code.matrix)


@pytest.mark.parametrize("version", VERSIONS)
def test_full_codes_are_what_two_libraries_draw(version: int) -> None:
    data = payload(full(version))
    assert qr.matrix(data) == by_qrcode(data) == by_segno(data)


@pytest.mark.parametrize("length", [SMALLEST, 13, 15, 26, 106, 181, 216, 252, 330, 472])
def test_padded_codes_are_what_a_library_draws(length: int) -> None:
    """segno pads in another order, which no reader minds."""
    assert qr.matrix(payload(length)) == by_qrcode(payload(length))
