"""What a hub says of time and numbers is read strictly: what no hour can be counted from, what no database keeps."""

from __future__ import annotations

import pytest

from agent.hub_contract.reading import ContractError, Members


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"]
)
def test_an_instant_outside_of_the_calendar_is_none(text: str) -> None:
    with pytest.raises(ContractError, match="poza kalendarzem"):
        Members({"now": text}, "health").instant("now")


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31"])
def test_nor_is_a_day(text: str) -> None:
    with pytest.raises(ContractError, match="poza kalendarzem"):
        Members({"deadline": text}, "offer").day_or_none("deadline")


@pytest.mark.parametrize("value", [2**31, -(2**31), 10**400])
def test_a_number_that_no_database_keeps_is_none(value: int) -> None:
    with pytest.raises(ContractError, match="poza zakresem"):
        Members({"code": value}, "refusal").whole("code")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_seconds_without_end_are_none(value: float) -> None:
    with pytest.raises(ContractError, match="poza zakresem"):
        Members({"wait": value}, "budget").number("wait")
