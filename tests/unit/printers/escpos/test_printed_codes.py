"""A code on a page: as wide as its printer draws it, and drawn only where somebody looks at it."""

from __future__ import annotations

import pytest

from printers.escpos import printed_page, qr
from printers.escpos.encode import encode
from printers.escpos.printed_page import CodeBox
from printers.preview import plaintext
from printers.profiles.models import PROFILES
from tests.unit.printers.slips import invoice

FULL = qr._BYTES_M[:12]
"""How many bytes fill a code of each version at level M."""


@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_a_code_is_as_wide_as_it_is_drawn(level: str) -> None:
    for length in (1, *FULL, *(each + 1 for each in FULL)):
        box = CodeBox(0, 0, b"x" * length, 3, level)
        assert box.width == 3 * len(box.matrix)


def test_a_text_draws_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(payload: bytes, level: str) -> None:
        raise AssertionError(f"{payload!r} was drawn")

    monkeypatch.setattr(printed_page, "_symbol", drawn)
    kind = PROFILES["generic-80"]
    assert "[QR] https://" in plaintext.decode(encode(invoice(), kind), kind)
