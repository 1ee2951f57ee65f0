from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.identifiers import bare_nip, country_of_eu_prefix, has_nip_form, split_eu_vat, valid_nip


@pytest.mark.parametrize("nip", ["5261040828", "5265877635", "1111111111", "9999999999"])
def test_right_nips(nip: str) -> None:
    assert valid_nip(nip)


@pytest.mark.parametrize(
    "nip", ["5261040829", "526104082", "52610408281", "0261040828", "526-104-08-28", "٥٢٦١٠٤٠٨٢٨", "", "5005877635"]
)
def test_wrong_nips(nip: str) -> None:
    assert not valid_nip(nip)


@given(st.integers(0, 9), st.integers(0, 9))
def test_every_single_typo_is_caught(position: int, digit: int) -> None:
    right = "5265877635"
    typed = right[:position] + str(digit) + right[position + 1 :]
    assert valid_nip(typed) is (typed == right)


def test_check_digit_ten_is_no_nip() -> None:
    bodies = [f"12345678{digit}" for digit in range(10)]
    remainders = {
        body: sum(w * int(d) for w, d in zip((6, 5, 7, 2, 3, 4, 5, 6, 7), body, strict=True)) % 11 for body in bodies
    }
    ten = next(body for body, remainder in remainders.items() if remainder == 10)
    assert not any(valid_nip(ten + str(digit)) for digit in range(10))


@pytest.mark.parametrize(
    "typed",
    [
        "526-104-08-28",
        "PL5261040828",
        "PL 526 104 08 28",
        "5261040828",
        "pl526.104.08.28",
        "NIP: 526\u2013104\u201308\u201328",
        "nip pl\u00a05261040828",
    ],
)
def test_typed_nip_is_bared(typed: str) -> None:
    assert bare_nip(typed) == "5261040828"


def test_form_does_not_look_at_the_check_digit() -> None:
    assert has_nip_form("5261040829")


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("DE123456789", ("DE", "123456789")),
        ("de 123 456 789", ("DE", "123456789")),
        ("ATU12345678", ("AT", "U12345678")),
        ("GR123456789", ("EL", "123456789")),
        ("NL123456789B01", ("NL", "123456789B01")),
        ("XIGD123", ("XI", "GD123")),
    ],
)
def test_eu_vat_numbers(typed: str, parts: tuple[str, str]) -> None:
    assert split_eu_vat(typed) == parts


@pytest.mark.parametrize("typed", ["", "DE", "DE12345678", "123456789", "US123456789", "AT12345678", "DE12345678X"])
def test_wrong_eu_vat_numbers(typed: str) -> None:
    assert split_eu_vat(typed) is None


def test_country_of_prefix() -> None:
    assert [country_of_eu_prefix(prefix) for prefix in ("EL", "XI", "DE")] == ["GR", "GB", "DE"]
