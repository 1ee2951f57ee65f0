"""A real agent over a real folder: a sale is dropped, its answer comes; killed and started again, nothing is twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.rig import Rig, rig
from tests.fakes.sales import mixed_sale

ANSWER_SECONDS = 60.0


def with_folder(folder: Path, **settings: str) -> str:
    """Lines for the settings."""
    folder.mkdir()
    more = "".join(f"\n{name} = {value}" for name, value in settings.items())
    return f'\n[drop_folder]\npath = "{folder}"\npoll_seconds = 0.5{more}\n'


def drop(folder: Path, name: str, text: str) -> None:
    """As a program should: written under another name, then renamed."""
    temporary = folder / f"{name}.tmp"
    temporary.write_text(text, "utf-8")
    temporary.rename(folder / name)


def answers(folder: Path) -> dict[str, dict[str, Any]]:
    return {file.name: json.loads(file.read_bytes()) for file in (folder / "done").glob("*.result.json")}


def waiting(folder: Path) -> list[str]:
    return [file.name for file in folder.glob("*.json")]


def without_number(folder: Path) -> list[str]:
    return [name for name, answer in answers(folder).items() if not answer["documents"][0]["invoice"]["ksef_number"]]


async def until(place: Rig, done: Callable[[], bool]) -> None:
    for _ in range(int(ANSWER_SECONDS * 5)):
        if done():
            return
        await asyncio.sleep(0.2)
    raise AssertionError(place.log())


async def until_answered(place: Rig, folder: Path, count: int) -> dict[str, dict[str, Any]]:
    await until(place, lambda: len(answers(folder)) >= count and not waiting(folder))
    return answers(folder)


@pytest.mark.slow
async def test_a_sale_in_the_folder_is_issued_and_answered(tmp_path: Path) -> None:
    folder = tmp_path / "kasa"
    async with rig(tmp_path, extra=with_folder(folder, results='["xml"]')) as place:
        drop(folder, "zamówienie-1.json", json.dumps(mixed_sale(1)))
        (answer,) = (await until_answered(place, folder, 1)).values()
        (document,) = answer["documents"]
        assert document["invoice"]["ksef_number"]
        assert (folder / "done" / "zamówienie-1.result.xml").read_bytes().startswith(b"<?xml")
        invoices = (await place.get("/v1/invoices"))["invoices"]
        assert [invoice["number"] for invoice in invoices] == [document["invoice"]["number"]]
        assert await place.stop() == 0


@pytest.mark.nightly
async def test_killed_at_random_with_files_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kasa"
    count, kills = 60, 15
    chosen = random.Random(20261128)
    async with rig(tmp_path, extra=with_folder(folder)) as place:
        for number in range(count):
            drop(folder, f"{number:03}.json", json.dumps(mixed_sale(number) | {"external_ref": f"sale-{number}"}))
        for _ in range(kills):
            await asyncio.sleep(chosen.uniform(0.3, 4.0))
            await place.kill()
            await place.start()
        found = await until_answered(place, folder, count)
        await place.empty_queue()
        invoices = (await place.get(f"/v1/invoices?limit={count * 2}"))["invoices"]
        assert Counter(invoice["external_ref"] for invoice in invoices) == Counter(f"sale-{n}" for n in range(count))
        told = {document["invoice"]["number"] for answer in found.values() for document in answer["documents"]}
        assert told == {invoice["number"] for invoice in invoices}
        await until(place, lambda: not without_number(folder))
