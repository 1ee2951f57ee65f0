"""The press after a start that leaves nothing."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import helpers
from aiohttp.test_utils import make_mocked_request

from agent.domain.errors import Unavailable
from agent.domain.paper.receipt import Receipt
from agent.serving.warm_up import REHEARSALS, warm_up
from agent.store.connection import Parameters
from agent.store.unit import UnitConnection
from agent.web import json_views, wire
from printers.escpos.bitmap import Bitmap
from printers.escpos.encode import encode
from printers.profiles.models import Profile
from tests.fakes import counter
from tests.fakes.world import CASHIER, World, sale, settings, world


def rows(place: World) -> dict[str, int]:
    """Count the rows of every table, and what AUTOINCREMENT gave out."""
    with sqlite3.connect(place.store.path) as beside:
        tables = [row[0] for row in beside.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: beside.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def test_it_makes_a_whole_document_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        laid_out: list[bytes] = []

        def noted(receipt: Receipt, profile: Profile, *, logo: Bitmap | None = None) -> bytes:
            laid_out.append(encode(receipt, profile, logo=logo))
            return laid_out[-1]

        monkeypatch.setattr("printers.printer_set.encode", noted)
        before, head = rows(place), await place.store.read(lambda tx: tx.events.newest())
        await warm_up(place)
        assert len(laid_out) == REHEARSALS
        assert rows(place) == before
        assert await place.store.read(lambda tx: tx.events.newest()) == head
        assert place.printer.papers == []
        first = (await counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER)).invoices[0].record
        assert first.serial == 1


async def test_a_press_after_it_does_nothing_for_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a statement that SQLite has to prepare, nor the form of an answer (4 ms of the 10 a first press took)."""
    base = settings(tmp_path)
    async with world(tmp_path, given=replace(base, issue=replace(base.issue, prefer="offline24"))) as place:
        run: set[str] = set()
        run_sql = UnitConnection.run_sql

        async def noted(self: UnitConnection, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
            run.add(sql)
            return await run_sql(self, sql, parameters)

        monkeypatch.setattr(UnitConnection, "run_sql", noted)
        for kept in (wire.omitted, wire._names, wire._writer):
            kept.cache_clear()
        await warm_up(place)
        assert caplog.records == []
        prepared, forms = set(run), wire.omitted.cache_info().misses
        answer = await counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER)
        assert len(place.printer.papers) == 1
        assert json_views.issued(answer).status == 201
        assert run == prepared
        assert forms > 0
        assert wire.omitted.cache_info().misses == forms


@pytest.mark.parametrize("kind", ["application/json", "application/xml"])
async def test_the_type_of_a_press_is_known_after_it(tmp_path: Path, kind: str) -> None:
    helpers.parse_content_type.cache_clear()
    async with world(tmp_path) as place:
        await warm_up(place)
        known = helpers.parse_content_type.cache_info().misses
        assert make_mocked_request("POST", "/v1/invoices", {"Content-Type": kind}).content_type == kind
        assert helpers.parse_content_type.cache_info().misses == known


async def test_what_fails_in_it_is_left_to_presses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path) as place:

        async def full(*_: object) -> None:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

        monkeypatch.setattr(place.issuing, "rehearse", full)
        await warm_up(place)
        assert "no press was tried out" in caplog.text
