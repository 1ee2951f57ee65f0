"""Settings that make numbers which invoices have already: the series goes on after them, and the till sells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.event_kinds import EventKind
from agent.settings.model import IssueSettings, Settings
from tests.fakes.world import World, settings, world

MONTH_IN_SERIES = IssueSettings(series="FV-{till}/{year}/{month}", number="{series}/{serial:06}")
MONTH_IN_NUMBER = IssueSettings(series="FV-{till}", number="{series}/{year}/{month}/{serial:06}")


def given(tmp_path: Path, issue: IssueSettings) -> Settings:
    return replace(settings(tmp_path), issue=issue)


async def sold(place: World, count: int, prefix: str) -> list[str]:
    return [(await place.sell(key=f"{prefix}-{each}")).number for each in range(count)]


@pytest.mark.parametrize("before", [1, 2, 3, 7, 8, 23])
async def test_a_series_goes_on_after_the_numbers_that_invoices_have(tmp_path: Path, before: int) -> None:
    """Every press was refused: "Faktura o numerze … już istnieje"."""
    async with world(tmp_path, given=given(tmp_path, MONTH_IN_SERIES)) as place:
        first = await sold(place, before, "before")
    async with world(tmp_path, given=given(tmp_path, MONTH_IN_NUMBER)) as place:
        then = await sold(place, 3, "after")
        assert first + then == [f"FV-1/2026/11/{each:06}" for each in range(1, before + 4)]
        told = [event.data for event in await place.all_events() if event.kind == EventKind.SERIES_RESUMED]
        assert [(each["series"], each["after"]) for each in told] == [("FV-1", before)]
        assert len(place.gateway.ledger) == 3
    async with world(tmp_path, given=given(tmp_path, MONTH_IN_SERIES)) as place:
        assert await sold(place, 1, "back") == [f"FV-1/2026/11/{before + 4:06}"]
