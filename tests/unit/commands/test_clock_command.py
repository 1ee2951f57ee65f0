"""`ksef-agent clock` against a running agent, over its HTTP API as a manager."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agent.commands import clock
from agent.domain.errors import Refused
from tests.fakes.shop import Shop


def set_clock(shop: Shop, step: timedelta) -> None:
    """Set it while there is no line, and the agent had believed it."""

    async def work() -> None:
        await shop.place.lose_the_line()
        await shop.place.clock_check.keep()
        shop.place.clock.step(step)

    shop.do(work())


def test_a_clock_that_nobody_doubts(shop: Shop) -> None:
    result = shop.run(clock, "show")
    assert (result.exit_code, result.output) == (
        0,
        "Zegar: 24.11.2026 10:00, niepotwierdzony od uruchomienia kasy, ale nic mu nie przeczy.\n",
    )


def test_show_and_confirm(shop: Shop) -> None:
    set_clock(shop, timedelta(days=40))
    result = shop.run(clock, "show")
    first, second = result.output.splitlines()
    assert first == "Zegar: 03.01.2027 10:00, niepotwierdzony: kasa nie wystawia faktur."
    assert second.startswith("Zegar kasy przestawił się o 40 dni do przodu")
    result = shop.run(clock, "confirm", "2027-01-03")
    assert result.output == "Zegar: 03.01.2027 10:00, potwierdzony.\nPotwierdził: kierownik.\n"
    answer = json.loads(shop.run(clock, "show", "--json").output)
    assert (answer["state"], answer["confirmed_by"], answer["problem"]) == ("confirmed", "manager", None)


def test_what_cannot_be_confirmed(shop: Shop) -> None:
    set_clock(shop, timedelta(days=40))
    for day, code in (("2026-11-24", "clock-moved"), ("2020-01-01", "clock-moved")):
        refused = shop.run(clock, "confirm", day).exception
        assert isinstance(refused, Refused)
        assert refused.code == code
    set_clock(shop, timedelta(days=-4000))
    refused = shop.run(clock, "confirm", shop.place.clock.now().date().isoformat()).exception
    assert isinstance(refused, Refused)
    assert refused.code == "clock-not-confirmable"


@pytest.mark.parametrize("day", ["24.11.2026", "2026-02-30", "dziś"])
def test_a_date_is_a_date(shop: Shop, day: str) -> None:
    assert shop.run(clock, "confirm", day).exit_code == 2
