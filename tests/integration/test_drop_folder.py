"""A real agent over a real folder: a sale is dropped, its answer comes; killed and started again, nothing is twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.sales import mixed_sale

ANSWER_SECONDS = 60.0
CLIENT = str(Path(__file__).parents[2] / "clients" / "ksef_till.py")


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


async def until(place: AgentProcess, done: Callable[[], bool]) -> None:
    for _ in range(int(ANSWER_SECONDS * 5)):
        if done():
            return
        await asyncio.sleep(0.2)
    raise AssertionError(place.log())


async def until_answered(place: AgentProcess, folder: Path, count: int) -> dict[str, dict[str, Any]]:
    await until(place, lambda: len(answers(folder)) >= count and not waiting(folder))
    return answers(folder)


@pytest.mark.slow
async def test_a_sale_in_the_folder_is_issued_and_answered(tmp_path: Path) -> None:
    folder = tmp_path / "kasa"
    async with agent_process(tmp_path, extra=with_folder(folder, results='["xml"]')) as place:
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
    async with agent_process(tmp_path, extra=with_folder(folder)) as place:
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


async def run(*command: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    out, error = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


@pytest.mark.nightly
async def test_the_client_and_the_command_of_programs_without_http(tmp_path: Path) -> None:
    folder, sales = tmp_path / "kasa", tmp_path / "sales"
    sales.mkdir()
    coffee = Item("KAWA", "Kawa „Źdźbło” 1 kg", Decimal("64.90"), Decimal(2))
    (sales / "a.json").write_text(json.dumps(mixed_sale(1)), "utf-8")
    (sales / "wrong.json").write_text('{"lines": []}', "utf-8")
    async with agent_process(tmp_path, extra=with_folder(folder)) as place:
        shop = {11: str(place.facts["nip"])}
        (sales / "day.epp").write_bytes(epp(Paperwork([coffee]), info=shop))
        by_http = ("--api", str(place.facts["api"]))
        token = {"KSEF_TOKEN": str(place.facts["cashier_token"])}
        code, out, _ = await run(CLIENT, *by_http, str(sales / "a.json"), environment=token)
        number = json.loads(out)["number"]
        assert code == 0
        code, out, _ = await run(CLIENT, *by_http, str(sales / "a.json"), environment=token)
        assert (code, json.loads(out)["number"]) == (0, number)
        code, out, _ = await run(CLIENT, *by_http, str(sales / "wrong.json"), environment=token)
        assert (code, json.loads(out)["code"]) == (1, "bad-input")
        code, out, _ = await run(CLIENT, "--folder", str(folder), str(sales / "day.epp"))
        answer = json.loads(out)
        assert (code, answer["status"], answer["documents"][0]["name"]) == (0, "issued", "FS 12/2026")
        code, out, _ = await run(CLIENT, "--folder", str(folder), str(sales / "wrong.json"))
        assert (code, json.loads(out)["status"]) == (1, "refused")

        command = ("-m", "agent.cli", "issue", "-", "--config", str(place.facts["config"]))
        code, out, error = await run(*command, stdin=b"\xef\xbb\xbf" + json.dumps(mixed_sale(2)).encode())
        assert (code, error) == (0, "")
        documents = (Paperwork([coffee]), Paperwork([coffee], number="FS 13/2026", fields={18: "1111111112"}))
        code, out, error = await run(*command, stdin=epp(*documents, info=shop))
        assert code == 1
        assert "Nie wystawiono dokumentów: 1 z 2." in error
        first, second = out.splitlines()
        assert first.startswith("FS 12/2026  wystawiono  ")
        assert first.endswith("Dokument wystawiono już wcześniej; drugi raz nie powstał.")
        assert second.startswith("FS 13/2026  NIE WYSTAWIONO  ")
        code, out, error = await run(*command, stdin="ąśćź".encode("cp1250"))
        assert code == 1
        assert "Windows-1250" in error
