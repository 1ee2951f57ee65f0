from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import ksef_number
from tests.reference import UPO_OF_AN_INVOICE

KNOWN = ("5265877635-20250826-0100001AF629-AF", "5265877635-20250916-0200A0D6723E-C2")
"""From the Ministry's description of the number, and from its UPO sample."""


@pytest.mark.parametrize("number", KNOWN)
def test_known_numbers(number: str) -> None:
    assert ksef_number.check(number) == number
    assert len(number) == ksef_number.LENGTH


def test_the_ministrys_upo_sample() -> None:
    text = UPO_OF_AN_INVOICE.read_text()
    start = text.index("<NumerKSeFDokumentu>") + len("<NumerKSeFDokumentu>")
    assert ksef_number.check(text[start : start + ksef_number.LENGTH]) == KNOWN[1]


def test_crc_is_the_standard_one() -> None:
    assert ksef_number.checksum("123456789") == "F4"  # check value of CRC-8 (0x07, 0x00), as catalogues list it


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("", "35 znaków"),
        (KNOWN[0] + "0", "35 znaków"),
        (KNOWN[0].lower(), "35 znaków"),
        (KNOWN[0][:-2] + "AE", "sumę kontrolną"),
        (ksef_number.make("5265877635", date(2025, 8, 26), 1).replace("20250826", "20251326"), "kalendarzu"),
        ("0" + KNOWN[0][1:], "NIP"),
        ("\n" + KNOWN[0][1:], "35 znaków"),
    ],
)
def test_wrong_numbers(number: str, said: str) -> None:
    with pytest.raises(ksef_number.NotKsefNumber, match=said):
        ksef_number.check(number)


@given(st.dates(date(2026, 2, 1), date(2050, 1, 1)), st.integers(0, (1 << 48) - 1))
def test_made_numbers_are_right(day: date, technical: int) -> None:
    number = ksef_number.make("5261040828", day, technical)
    assert ksef_number.check(number) == number


@given(st.integers(0, 34), st.sampled_from("0123456789ABCDEF"))
def test_every_single_typo_is_caught(position: int, character: str) -> None:
    typed = KNOWN[0][:position] + character + KNOWN[0][position + 1 :]
    if typed == KNOWN[0]:
        return
    with pytest.raises(ksef_number.NotKsefNumber):
        ksef_number.check(typed)


def test_make_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="NIP"):
        ksef_number.make("123", date(2026, 11, 24), 1)
    with pytest.raises(ValueError, match="48 bits"):
        ksef_number.make("5261040828", date(2026, 11, 24), 1 << 48)


def test_numbers_of_ksef_1_0_may_name_a_base() -> None:
    old = "5265877635-20230908-8BEF28-0C8D35-4D"
    assert ksef_number.check_any(old) == old
    assert ksef_number.check_any(KNOWN[0]) == KNOWN[0]
    with pytest.raises(ksef_number.NotKsefNumber):
        ksef_number.check(old)


@pytest.mark.parametrize(
    "number", ["5265877635-20231308-8BEF28-0C8D35-4D", "0265877635-20230908-8BEF28-0C8D35-4D", KNOWN[0][:-2] + "AE", ""]
)
def test_what_was_never_a_number(number: str) -> None:
    with pytest.raises(ksef_number.NotKsefNumber):
        ksef_number.check_any(number)
