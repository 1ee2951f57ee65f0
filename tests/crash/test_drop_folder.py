"""Death before and after every port call of a shop that drops files: nothing lost, nothing twice, every answer right.

As in test_port_points.py; the folder outlives the process, as a share on another machine does.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.ports import InvoiceFilter, Place
from tests.crash.test_port_points import CrashPoint, Run, clear
from tests.fakes.clock import FakeClock
from tests.fakes.drop_folder import Shop, folder_settings, remembered
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.folder import FakeFolder
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import SELLER, sale, world

FOLDER_CALLS = ("looks", "read", "claim", "load", "sha256", "names", "put", "move")
COFFEE = Item("KAWA", "Kawa", Decimal("64.90"), Decimal(2))
DAY = epp(
    Paperwork([COFFEE], number="FS 1/2026"),
    Paperwork([COFFEE], number="FS 2/2026", fields={18: "1111111112"}),
    info={11: SELLER.nip},
)
RETURN = epp(
    Paperwork(
        [Item("KAWA", "Kawa", COFFEE.price, Decimal(1), before=COFFEE)],
        kind="KFS",
        number="KFS 1/2026",
        fields={8: "FS 1/2026"},
    ),
    info={11: SELLER.nip},
)
FILES = {
    "a.json": json.dumps(sale(external_ref="a")).encode(),
    "b.epp": DAY,
    "c.epp": RETURN,
    "d.json": b'{"lines": []}',
}
AGAIN = json.dumps(sale(external_ref="another a")).encode()
"""Dropped as a.json once the first one was taken."""
EXPECTED = Counter(["a", "another a", "1/2026", "1/2026"])
"""References of what has to be there once each: two sales, FS 1/2026, KFS 1/2026."""


class DyingFolder(FakeFolder):
    """A folder whose calls are port points of the process that makes them."""

    changes: list[int]
    """Which port calls changed the folder."""

    def arm(self, crash_point: CrashPoint | None) -> None:
        self.changes = []
        for name in FOLDER_CALLS:
            self.__dict__.pop(name, None)
            if crash_point is not None:
                setattr(self, name, crash_point.wrap(self._noted(crash_point, name)))

    def _noted(self, crash_point: CrashPoint, name: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self, name)

        async def noted(*args: Any) -> Any:
            if name in {"claim", "put", "move"}:
                self.changes.append(crash_point.calls)
            return await call(*args)

        return noted


async def work(shop: Shop, folder: FakeFolder) -> None:
    """Take everything, and let the second a.json come when the first one is gone."""
    for _ in range(12):
        if folder.content(Place.DONE, "a.json") == FILES["a.json"] and not folder.content(Place.INBOX, "a.json"):
            folder.drop("a.json", AGAIN)
        await shop.passes(2)
        if not folder.in_place(Place.INBOX) and folder.content(Place.DONE, "a.json") == AGAIN:
            return
    raise AssertionError(f"not taken: {folder.in_place(Place.INBOX)}")


async def live(tmp_path: Path, folder: DyingFolder, at: int | None, *, after: bool) -> tuple[Run, int]:
    """Run until the chosen call; return what outlives it and how many calls there were."""
    clock = FakeClock()
    gateway = FakeGateway(clock)
    given = folder_settings(tmp_path, results=("epp", "xml"))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        crash_point = CrashPoint(at, after=after)
        crash_point.arm(place)
        folder.arm(crash_point)
        gateway.up = False
        shop = Shop(place, folder)

        async def day() -> None:
            await work(shop, folder)
            gateway.up = True
            await place.catch_up()
            await shop.passes(3)

        life = asyncio.ensure_future(day())
        death = asyncio.ensure_future(crash_point.died.wait())
        await asyncio.wait({life, death}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
        for task in (life, death):
            task.cancel()
        await asyncio.gather(life, death, return_exceptions=True)
        papers = place.printer.papers
    clear(gateway)
    changes = folder.changes
    folder.arm(None)
    folder.changes = changes
    return Run(clock, gateway, papers), crash_point.calls


async def rise_and_check(tmp_path: Path, folder: FakeFolder, run: Run) -> None:
    run.gateway.up = True
    given = folder_settings(tmp_path, results=("epp", "xml"))
    async with world(tmp_path, given=given, clock=run.clock, gateway=run.gateway) as place:
        shop = Shop(place, folder)
        await work(shop, folder)
        for _ in range(3):
            await place.catch_up()
            await shop.passes(2)
        records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=1000)))
        assert Counter(record.external_ref for record in records) == EXPECTED
        assert all(record.ksef_number for record in records), records
        numbers = {record.external_ref: record.ksef_number for record in records if record.kind == "VAT"}
        answers = [told(folder, Place.DONE, name) for name in folder.in_place(Place.DONE) if name.endswith(".json")]
        told_numbers = [
            document["invoice"]["ksef_number"] for answer in answers if answer for document in answer["documents"]
        ]
        by_result = told(folder, Place.REFUSED, "b.result.json")
        told_numbers += [each["invoice"]["ksef_number"] for each in by_result["documents"] if each["invoice"]]
        assert sorted(told_numbers) == sorted(record.ksef_number or "" for record in records)
        assert [each["status"] for each in by_result["documents"]] == ["issued", "refused"]
        back = folder.content(Place.REFUSED, "b.result.epp")
        assert back is not None
        assert (numbers["1/2026"] or "-").encode() in back
        assert told(folder, Place.REFUSED, "d.result.json")["status"] == "refused"
        kept = [data for (_, name), data in folder.files.items() if ".result." not in name]
        assert Counter(kept) == Counter([*FILES.values(), AGAIN])
        assert remembered(tmp_path) == ["drop-folder:cursor"]


def told(folder: FakeFolder, place: Place, name: str) -> dict[str, Any]:
    data = folder.content(place, name)
    if data is None or ".result." not in name:
        return {"documents": []}
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.mark.slow
async def test_death_between_the_changes_of_the_folder(tmp_path: Path) -> None:
    calls, changes = await whole_life(tmp_path)
    assert len(changes) > 20
    assert calls > 100
    for at in changes[::4]:
        await die_at(tmp_path, at, after=True)


@pytest.mark.nightly
async def test_death_at_every_port_call(tmp_path: Path) -> None:
    calls, _ = await whole_life(tmp_path)
    for at in range(1, calls + 1):
        for after in (False, True):
            await die_at(tmp_path, at, after=after)


async def whole_life(tmp_path: Path) -> tuple[int, list[int]]:
    """Live without dying; return how many port calls there are and which change the folder."""
    data_dir = tmp_path / "whole"
    data_dir.mkdir()
    folder = dropped()
    run, calls = await live(data_dir, folder, None, after=False)
    changes = folder.changes
    await rise_and_check(data_dir, folder, run)
    return calls, changes


async def die_at(tmp_path: Path, at: int, *, after: bool) -> None:
    data_dir = tmp_path / f"{at}-{after}"
    data_dir.mkdir()
    folder = dropped()
    run, _ = await live(data_dir, folder, at, after=after)
    await rise_and_check(data_dir, folder, run)


def dropped() -> DyingFolder:
    folder = DyingFolder()
    for name, data in FILES.items():
        folder.drop(name, data)
    return folder
