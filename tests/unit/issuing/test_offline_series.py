"""A series of its own for documents issued offline from the start (issue.offline_series)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.invoice import Mode
from agent.domain.numbering import format_number, never_equal, series_name
from agent.settings.model import Settings
from agent.store.mark import mark_path, read_mark
from agent.store.sqlite import DATABASE
from tests.fakes import counter
from tests.fakes.world import CASHIER, CONSUMER, MANAGER, World, press_until_answered, settings, world


def own_series(data_dir: Path, **changes: Any) -> Settings:
    own = settings(data_dir)
    return replace(own, issue=replace(own.issue, offline_series="OFF-{till}", **changes))


async def numbers_of(place: World, *, offline: int, online: int) -> list[str]:
    """Sell online, then with the line down; the numbers given."""
    found = [(await press_until_answered(place, f"on-{online}-{each}")).number for each in range(online)]
    await place.lose_the_line()
    found += [(await place.sell(f"off-{place.settings.issue.offline_series}-{each}")).number for each in range(offline)]
    await place.restore_the_line()
    return found


async def test_offline_from_the_start_counts_for_itself(tmp_path: Path) -> None:
    async with world(tmp_path, given=own_series(tmp_path)) as place:
        numbers = await numbers_of(place, online=2, offline=2)
        assert numbers == [
            "FV-1/2026/11/000001",
            "FV-1/2026/11/000002",
            "OFF-1/2026/11/000001",
            "OFF-1/2026/11/000002",
        ]
        assert (await press_until_answered(place, "again")).number == "FV-1/2026/11/000003"
        await place.catch_up()
        assert len(place.gateway.ledger) == 5, "KSeF has both series"


async def test_a_press_that_begins_online_keeps_its_number(tmp_path: Path) -> None:
    async with world(tmp_path, given=own_series(tmp_path)) as place:
        place.gateway.up = False  # nobody knows it yet
        record = await press_until_answered(place, "key")
        assert (record.mode, record.number) == (Mode.OFFLINE24, "FV-1/2026/11/000001")


async def test_turned_off_and_on_again_each_series_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path, given=own_series(tmp_path)) as place:
        await numbers_of(place, online=1, offline=1)
        gateway = place.gateway
    async with world(tmp_path, gateway=gateway) as place:
        assert (await numbers_of(place, online=0, offline=1)) == ["FV-1/2026/11/000002"]
    async with world(tmp_path, given=own_series(tmp_path), gateway=gateway) as place:
        await place.lose_the_line()
        assert (await place.sell("on again")).number == "OFF-1/2026/11/000002"


async def test_the_mark_outside_the_database_knows_both(tmp_path: Path) -> None:
    async with world(tmp_path, given=own_series(tmp_path)) as place:
        await numbers_of(place, online=1, offline=2)
    mark = read_mark(mark_path(tmp_path / DATABASE))
    assert mark is not None
    assert mark.used == {"FV-1": 1, "OFF-1": 2}


async def test_corrections_stay_in_theirs_unless_they_have_one(tmp_path: Path) -> None:
    for given_series, expected in (("", "FK-1/2026/11/000001"), ("OFK-{till}", "OFK-1/2026/11/000001")):
        folder = tmp_path / expected[:3]
        given = own_series(folder, offline_correction_series=given_series)
        async with world(folder, given=given) as place:
            base = await press_until_answered(place, "base")
            await place.lose_the_line()
            body = json.dumps({"kind": "full_return"}).encode()
            made = await counter.correct(place, base.id, body, "kor", CASHIER)
            assert [each.record.number for each in made.invoices] == [expected]


async def test_what_never_goes_to_ksef_is_not_offline(tmp_path: Path) -> None:
    """Total failure (106ng) and invoices kept out of KSeF are no documents of an offline mode."""
    given = own_series(tmp_path, consumers_in_ksef=False)
    async with world(tmp_path, given=given) as place:
        await place.lose_the_line()
        kept_out = await place.sell(buyer=CONSUMER)
        assert (kept_out.mode, kept_out.series) == (Mode.OUTSIDE_KSEF, "FV-1")
        await place.declarations.declare(Mode.TOTAL_FAILURE, "komunikat w mediach", MANAGER)
        total = await place.sell()
        assert (total.mode, total.series) == (Mode.TOTAL_FAILURE, "FV-1")


async def test_a_till_that_prefers_offline24_numbers_everything_there(tmp_path: Path) -> None:
    async with world(tmp_path, given=own_series(tmp_path, prefer="offline24")) as place:
        assert (await place.sell()).number == "OFF-1/2026/11/000001"


def test_numbers_of_this_till_are_read_back_in_both_series(tmp_path: Path) -> None:
    both = own_series(tmp_path)
    assert both.read_number("OFF-1/2026/11/000007") == ("OFF-1", 7)
    assert both.read_number("FV-1/2026/11/000007") == ("FV-1", 7)
    assert settings(tmp_path).read_number("OFF-1/2026/11/000007") is None


NAMES = st.text("AF12-", min_size=1, max_size=4)
TEMPLATES = st.sampled_from(["{series}{serial}", "{serial}{series}", "{series}/{year}/{serial:03}", "{till}{serial}"])


@given(TEMPLATES, NAMES, NAMES, st.integers(1, 1200), st.integers(1, 1200))
def test_series_that_never_meet_never_meet(template: str, one: str, other: str, first: int, second: int) -> None:
    if not never_equal(template, one, other, till="1"):
        return
    day = date(2026, 11, 28)
    numbers = {
        format_number(template, series=series_name(name, till="1"), till="1", serial=serial, issued_on=day)
        for name, serial in ((one, first), (other, second))
    }
    assert len(numbers) == 2


@pytest.mark.parametrize(("one", "other", "apart"), [("F", "F1", False), ("FV-{till}", "OFF-{till}", True)])
def test_digits_alone_do_not_keep_series_apart(one: str, other: str, *, apart: bool) -> None:
    assert never_equal("{series}{serial}", one, other, till="1") is apart
