from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.characters import collapse, first_forbidden, is_visible


def discouraged(code: int) -> bool:
    """The rule in the words of XML 1.0, section 2.2, and its note."""
    allowed = code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    plane_end = code & 0xFFFF in {0xFFFE, 0xFFFF}
    return not allowed or 0x7F <= code <= 0x84 or 0x86 <= code <= 0x9F or 0xFDD0 <= code <= 0xFDEF or plane_end


def test_every_character_of_unicode() -> None:
    wrong = [hex(code) for code in range(0x110000) if (first_forbidden(chr(code)) is not None) is not discouraged(code)]
    assert wrong == []


def test_the_first_one_is_named() -> None:
    assert first_forbidden("Zażółć\x84\x86") == "U+0084"
    assert first_forbidden("Zażółć 💙") is None


@pytest.mark.parametrize(
    ("typed", "folded"),
    [("  a \t b\r\n c ", "a b c"), ("a\x85b\u2028c", "a b c"), ("z\u0307", "ż"), ("a\u00a0b", "a\u00a0b"), ("\n", "")],
)
def test_white_space_is_folded(typed: str, folded: str) -> None:
    assert collapse(typed) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert collapse(collapse(text)) == collapse(text)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u2060\u00ad", "\u00a0"])
def test_nothing_to_read(text: str) -> None:
    assert not is_visible(text)


def test_something_to_read() -> None:
    assert is_visible("\u200b.")
