"""The press after a start that leaves nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from agent.domain.errors import Unavailable
from agent.domain.paper.receipt import Receipt
from printers.escpos.bitmap import Bitmap
from printers.escpos.encode import encode
from printers.profiles.models import Profile
from tests.fakes import counter
from tests.fakes.world import CASHIER, World, sale, world


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
        await place.warm_up.run()
        assert len(laid_out) == 1
        assert rows(place) == before
        assert await place.store.read(lambda tx: tx.events.newest()) == head
        assert place.printer.papers == []
        first = (await counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER)).invoices[0].record
        assert first.serial == 1


async def test_what_fails_in_it_is_left_to_presses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(tmp_path) as place:

        async def full(_body: bytes) -> None:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

        monkeypatch.setattr(place.issuing, "rehearse", full)
        await place.warm_up.run()
        assert "no press was tried out" in caplog.text
