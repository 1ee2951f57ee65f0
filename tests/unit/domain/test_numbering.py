from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.numbering import MAX_LENGTH, TemplateError, check_template, format_number, series_name

DEFAULT = "{series}/{year}/{month:02}/{serial:06}"
DAY = date(2026, 3, 5)


def number(template: str, serial: int = 7) -> str:
    return format_number(template, series="FV-1", till="1", serial=serial, issued_on=DAY)


def test_the_default_template() -> None:
    check_template(DEFAULT)
    assert number(DEFAULT) == "FV-1/2026/03/000007"


def test_a_serial_may_outgrow_its_width() -> None:
    assert number("{series}/{serial:03}", 12345) == "FV-1/12345"


def test_all_fields() -> None:
    assert number("{till} {year}-{month}-{day:02d} {series} {serial}") == "1 2026-3-05 FV-1 7"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{series}/{year}", "serial"),
        ("{serial}", "series"),
        ("{series}/{serial}/{nazwa}", "nieznane pole"),
        ("{series.upper}/{serial}", "nieznane pole"),
        ("{series[0]}/{serial}", "nieznane pole"),
        ("{series!r}/{serial}", "nieznane pole"),
        ("{}/{serial}", "nieznane pole"),
        ("{series}/{serial", "nawias"),
        ("{series}/{serial:x}", "szerokość"),
        ("{series:>9}/{serial}", "szerokość"),
        ("{series}/{serial:{year}}", "szerokość"),
        ("{series}  {serial}", "odstępy"),
        ("{series}/{serial} ", "odstępy"),
        ("{series}\t{serial}", "odstępy"),
        ("{series}/{serial:6}", "odstępy"),
        ("{series}\x84{serial}", "niedozwolone"),
        ("{series}/{serial}" + "x" * MAX_LENGTH, "256"),
    ],
)
def test_wrong_templates(template: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        check_template(template)


def test_serials_count_from_one() -> None:
    with pytest.raises(TemplateError, match="dodatni"):
        number(DEFAULT, 0)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_other_serials_make_other_numbers(one: int, other: int) -> None:
    assert (number(DEFAULT, one) == number(DEFAULT, other)) is (one == other)


def test_series() -> None:
    assert series_name("FV-{till}", till="3") == "FV-3"
    assert series_name("FV{year}-{till}", till="3", issued_on=DAY) == "FV2026-3"
    with pytest.raises(TemplateError, match="daty"):
        series_name("FV{year}", till="3")
    with pytest.raises(TemplateError, match="nieznane"):
        series_name("FV-{serial}", till="3")
