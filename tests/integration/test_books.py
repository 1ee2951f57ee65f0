"""Returns, ready FA(3) and the books on the real agent against the real sandbox."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from PIL import Image

from agent.app import assembled
from agent.domain.fa3.view.read import read
from agent.domain.fiscal_receipt import vat_number
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceFilter
from agent.store.maintenance import back_up
from agent.store.sqlite import DATABASE
from agent.system.clock import SystemClock
from agent.web.api import till_app
from tests.fakes import counter
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.agent_with_sandbox import CASHIER, AgentWithSandbox, SteppedClock, agent_with_sandbox
from tests.fakes.sales import mixed_sale
from tests.fakes.world import CONSUMER, sale
from tests.reference import FA3_SAMPLES
from tests.unit.corrections.test_correct import returned
from tests.unit.fa3 import fa3_documents as documents

WHEN = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
"""After every P_1 of the documents."""


def december() -> SteppedClock:
    clock = SteppedClock()
    clock.step = WHEN - SystemClock().now()
    return clock


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[AgentWithSandbox]:
    """The shop whose NIP stands on the Ministry's examples and on ours."""
    async with agent_with_sandbox(folder, clock=december(), nip=documents.SELLER_NIP) as pair:
        await pair.agent.announcements.poll()
        await pair.agent.connection.probe()
        yield pair


async def empty_queue(pair: AgentWithSandbox) -> None:
    """Let the sync work until KSeF has everything; nothing waits for another wake."""
    for _ in range(200):
        await pair.agent.queue.pass_once()
        await pair.agent.pending.issue_ready()
        if not (await pair.agent.invoices.queue()).invoices and not await pair.agent.pending.waiting():
            return
        await asyncio.sleep(0.02)
    left = [
        (answer.record.number, answer.record.state, answer.record.rejection)
        for answer in (await pair.agent.invoices.queue()).invoices
    ]
    raise AssertionError(f"still waiting: {left}")


def scanned(picture: bytes) -> set[str]:
    with Image.open(io.BytesIO(picture)) as image:
        return {code.text for code in zxingcpp.read_barcodes(image.convert("L"))}


def apart(files: Iterable[tuple[str, bytes]]) -> list[list[tuple[str, bytes]]]:
    """Shops for the files: none takes a number twice, or a correction that tells another story of its base."""
    shops: list[tuple[set[str], list[tuple[str, bytes]]]] = []
    for name, xml in files:
        view = read(xml)
        numbers = {view.number, *(base.number for base in (view.correction.bases if view.correction else ()))}
        home = next((each for each in shops if not each[0] & numbers), None)
        if home is None:
            shops.append(home := (set(), []))
        home[0].update(numbers)
        home[1].append((name, xml))
    return [held for _, held in shops]


async def take_ready(pair: AgentWithSandbox, name: str, xml: bytes) -> InvoiceRecord:
    view = read(xml)
    on_receipt = vat_number(view.buyer.as_buyer()) if view.to_receipt else None
    answer = await counter.ready(pair.agent, xml, f"ready-{name}", CASHIER, on_receipt)
    made = answer.invoices[0]
    assert made.paper is not None, name
    assert made.paper.state == "printed", (name, made.paper)
    return made.record


async def check_ready_invoices(pair: AgentWithSandbox, files: list[tuple[str, bytes]]) -> None:
    records = {name: await take_ready(pair, name, xml) for name, xml in files}
    await empty_queue(pair)
    ledger = {entry.key: entry for entry in pair.sandbox.ledger.entries()}
    assert len(ledger) == len(files)
    for name, xml in files:
        now = await pair.record(records[name].id)
        view = read(xml)
        entry = ledger[documents.SELLER_NIP, view.kind.value, view.number]
        assert now.state is InvoiceState.ACCEPTED, name
        assert (now.number, now.kind, now.issued_on) == (view.number, view.kind.value, view.issued_on)
        assert now.ksef_number == entry.ksef_number
        assert now.xml == xml, "the bytes are kept to the last one"
        assert entry.sha256 == now.sha256 == hashlib.sha256(xml).digest()
        # What lies on the counter was printed before or after the number came; its first code is the same.
        picture = (await pair.agent.previews.picture(now.id)).png
        assert now.link_invoice in scanned(picture), name
        assert view.number in " ".join((await pair.agent.previews.text(now.id)).split())


@pytest.mark.slow
async def test_the_ministrys_examples_are_taken_printed_sent_and_numbered(tmp_path: Path) -> None:
    for number, files in enumerate(apart((path.stem, path.read_bytes()) for path in FA3_SAMPLES)):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with shop(folder) as pair:
            await check_ready_invoices(pair, files)


async def test_every_kind_of_ready_document_is_taken_printed_sent_and_numbered(tmp_path: Path) -> None:
    kinds = set()
    for number, files in enumerate(apart(documents.ACCEPTED.items())):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with shop(folder) as pair:
            await check_ready_invoices(pair, files)
            kinds |= {read(xml).kind.value for _, xml in files}
    assert kinds == {"VAT", "KOR", "ZAL", "ROZ", "UPR", "KOR_ZAL", "KOR_ROZ"}


# --- refused over HTTP, nothing stored ----------------------------------------------------------------

BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Faktura>&b;</Faktura>'
READY = documents.document()


def other_namespace(xml: bytes) -> bytes:
    return xml.replace(b"/wzor/2025/06/25/13775/", b"/wzor/2023/06/29/12648/")


ANOTHERS_BASE = documents.document(
    kind="KOR",
    after_kind=(
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej><NrFaKorygowanej>X/1"
        "</NrFaKorygowanej><NrKSeF>1</NrKSeF><NrKSeFFaKorygowanej>5265877635-20261120-8BEF280C8D35-4D"
        "</NrKSeFFaKorygowanej></DaneFaKorygowanej>"
    ),
)
READY_REFUSALS = {
    "wrong namespace": (other_namespace(READY), 422, "xml-namespace"),
    "entity bomb": (BOMB, 422, "xml-doctype"),
    "1.1 MB": (READY + b" " * 1_100_000, 413, "xml-too-large"),
    "instruction": (READY.replace(b"<Faktura", b"<?go now?><Faktura", 1), 422, "xml-instruction"),
    "BOM": (b"\xef\xbb\xbf" + READY, 422, "xml-bom"),
    "UTF-16": (READY.decode().replace("UTF-8", "UTF-16").encode("utf-16"), 400, "xml-encoding"),
    "not XML": (b"NIP;kwota\r\n1;2", 400, "xml-malformed"),
    "empty": (b"", 400, "xml-malformed"),
    "another seller": (READY.replace(b"<NIP>9999999999</NIP>", b"<NIP>5265877635</NIP>"), 422, "seller-nip"),
    "base of another seller": (
        ANOTHERS_BASE,
        422,
        "base-of-another-seller",
    ),
}


@asynccontextmanager
async def over_http(pair: AgentWithSandbox) -> AsyncIterator[Any]:
    """Yield ask(method, path, body or bytes, headers) -> (status, answer) as a cashier."""
    server = TestServer(till_app(pair.agent, pair.agent.tokens, pair.agent.settings.api))
    await server.start_server()
    pair.agent.tokens.put("kasa http", CASHIER.role, "kasa-http-token")
    keys = itertools.count()
    async with ClientSession() as session:

        async def ask(path: str, body: object, *, key: str | None = None) -> tuple[int, dict[str, Any]]:
            data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            headers = {
                "Authorization": "Bearer kasa-http-token",
                "Idempotency-Key": f"http-{next(keys)}" if key is None else key,
                "Content-Type": "application/xml" if isinstance(body, bytes) else "application/json",
            }
            async with session.post(server.make_url(path), data=data, headers=headers) as response:
                return response.status, await response.json()

        try:
            yield ask
        finally:
            await server.close()


async def stored(pair: AgentWithSandbox) -> tuple[int, int, int]:
    """Invoices, events, held corrections."""
    store = pair.agent.store
    found = await store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=-1)))
    return len(found), await store.read(lambda tx: tx.events.newest()), len(await pair.agent.pending.waiting())


async def test_bad_input_is_refused_with_its_code_and_stores_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as pair, over_http(pair) as ask:
        before = await stored(pair)
        for name, (xml, status, code) in READY_REFUSALS.items():
            got, problem = await ask("/v1/invoices", xml)
            assert (got, problem.get("code")) == (status, code), (name, problem)
            assert problem["detail"][0].isupper(), name
        assert await stored(pair) == before

        base = await pair.sell()
        path = f"/v1/invoices/{base.id}/corrections"
        status, made = await ask(path, returned(1, "1"), key="return")
        assert status == 201
        await empty_queue(pair)
        before = await stored(pair)
        outside = {"number": "1/2025", "issued_on": "2026-01-02", "ksef_number": "5265877635-20260102-0100001AF629-AF"}
        elsewhere = {"base": {**sale(), **outside}, "correction": {"kind": "full_return"}}
        for name, wrong_path, body, expected in (
            ("more than sold", path, returned(1, "2"), "more-than-left"),
            ("same return, another press", path, {**returned(1, "1"), "lines": 2 * returned(1, "1")["lines"]}, None),
            ("another seller's base", "/v1/corrections", elsewhere, None),
            ("a correction of a correction", f"/v1/invoices/{made['id']}/corrections", returned(1, "1"), None),
            ("nobody's", "/v1/invoices/none/corrections", returned(1, "1"), "invoice-not-found"),
        ):
            status, problem = await ask(wrong_path, body)
            assert status in {404, 409, 422}, (name, problem)
            codes = {problem["code"], *(error["code"] for error in problem.get("errors", []))}
            assert expected is None or expected in codes, (name, problem)
        status, problem = await ask(path, returned(1, "2"), key="return")
        assert (status, problem["code"]) == (422, "idempotency-key-reused")
        assert await stored(pair) == before
        status, again = await ask(path, returned(1, "1"), key="return")
        assert (status, again["id"]) == (200, made["id"])
        assert await stored(pair) == before


async def test_a_number_taken_twice_is_told_in_polish(tmp_path: Path) -> None:
    async with shop(tmp_path) as pair, over_http(pair) as ask:
        assert (await ask("/v1/invoices", READY))[0] == 201
        before = await stored(pair)
        status, problem = await ask("/v1/invoices", READY)
        assert (status, problem["code"]) == (409, "number-taken")
        assert problem["detail"] == "Faktura o numerze FV/2026/11/1 już istnieje."
        assert (await stored(pair))[0] == before[0]


async def test_a_rejected_base_is_refused_over_http(tmp_path: Path) -> None:
    async with shop(tmp_path) as pair, over_http(pair) as ask:
        pair.sandbox.mood("450")
        base = await pair.sell()
        await pair.agent.queue.pass_once()
        assert (await pair.record(base.id)).state is InvoiceState.REJECTED
        before = await stored(pair)
        status, problem = await ask(f"/v1/invoices/{base.id}/corrections", {"kind": "full_return"})
        assert (status, problem["code"]) == (409, "base-rejected")
        assert await stored(pair) == before


# --- an outage, and a power cut in it -----------------------------------------------------------------

PROBE_OFTEN = "\n[watch]\nprobe_seconds = 1\n"


@pytest.mark.slow
async def test_base_and_correction_of_an_outage_reach_the_ledger_in_order_over_a_power_cut(tmp_path: Path) -> None:
    async with agent_process(tmp_path, extra=PROBE_OFTEN) as place:
        await place.sandbox.plan("*", "refuse")
        status, base = await place.post("/v1/invoices", mixed_sale(1), "sale")
        assert status == 201
        path = f"/v1/invoices/{base['id']}/corrections"
        answers = [await place.post(path, returned(1, "1"), f"return-{press}") for press in range(2)]
        (status, first), (_, second) = answers
        assert status == 202, first
        assert (first["state"], first["held"]["base_number"]) == ("waiting", base["number"])
        assert base["number"] in first["hand_over"]
        assert [each["id"] for each in (await place.get("/v1/corrections"))["held"]] == [
            answer["held"]["id"] for answer in (first, second) if "held" in answer
        ]
        await place.kill()
        await place.start()
        again = await place.post(path, returned(1, "1"), "return-0")
        assert again == (200, first)
        await place.sandbox.plan("*", "none")
        for _ in range(400):
            if not (await place.get("/v1/corrections"))["held"]:
                break
            await place.post("/v1/sync", {})
            await asyncio.sleep(0.25)
        await place.empty_queue()
        ledger = [entry.key for entry in place.sandbox.ledger.entries()]
        assert ledger[0][1:] == ("VAT", base["number"])
        assert [kind for _, kind, _ in ledger[1:]] == ["KOR"] * sum("held" in answer for _, answer in answers)
        assert await place.stop() == 0, place.log()


# --- a lost database ----------------------------------------------------------------------------------


async def command(place: AgentProcess, *words: str) -> dict[str, Any]:
    """Run a command as an administrator would; return its JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", words[0], "--config", str(place.facts["config"]), "--json", *words[1:]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    answer: dict[str, Any] = json.loads(out)
    return answer


async def sell_and_wait(place: AgentProcess, number: int) -> dict[str, Any]:
    status, made = await place.post("/v1/invoices", mixed_sale(number), f"sale-{number}")
    assert status == 201, made
    for _ in range(200):
        now: dict[str, Any] = await place.get(f"/v1/invoices/{made['id']}")
        if now["state"] in {"accepted", "rejected"}:
            return now
        await asyncio.sleep(0.05)
    raise AssertionError((await place.get(f"/v1/invoices/{made['id']}/events"), place.log()))


@pytest.mark.nightly
async def test_a_restored_till_goes_on_after_the_numbers_that_ksef_has(tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    async with agent_process(tmp_path, extra=PROBE_OFTEN) as place:
        first = await sell_and_wait(place, 1)
        summary = await command(place, "backup", copy)
        assert summary["last_number"] == first["number"]
        (series,) = summary["series"]
        second = await sell_and_wait(place, 2)
        await place.kill()
        for file in place.database.parent.glob("agent.db*"):
            file.unlink()

        # The last number was read from the paper: the series goes on after it.
        await command(place, "restore", copy, "--continue-after", f"{series}=41")
        await place.start()
        assert (await place.get(f"/v1/invoices/{first['id']}"))["ksef_number"] == first["ksef_number"]
        third = await sell_and_wait(place, 3)
        assert third["state"] == "accepted"
        assert third["number"].endswith("42")
        assert await place.stop() == 0, place.log()
        numbers = [entry.key[2] for entry in place.sandbox.ledger.entries()]
        assert numbers == [first["number"], second["number"], third["number"]]


@asynccontextmanager
async def replaced(pair: AgentWithSandbox, folder: Path) -> AsyncIterator[AgentWithSandbox]:
    """Another agent of the same till against the same KSeF, over the data in ``folder``."""
    async with assembled(replace(pair.agent.settings, data_dir=folder), pair.agent.clock) as agent:
        await agent.announcements.poll()
        await agent.connection.probe()
        yield AgentWithSandbox(pair.sandbox, agent)


async def test_a_backup_without_the_sending_adopts_the_number_ksef_gave(tmp_path: Path) -> None:
    async with shop(tmp_path) as pair:
        await pair.sandbox.plan("*", "refuse")
        sold = await pair.sell()
        restored = tmp_path / "restored"
        restored.mkdir()
        back_up(pair.agent.settings.data_dir / DATABASE, restored / DATABASE)
        await pair.sandbox.plan("*", "none")
        await until_known(pair)
        number = (await pair.record(sold.id)).ksef_number
        async with replaced(pair, restored) as other:
            assert (await other.record(sold.id)).state is InvoiceState.ISSUED
            await until_known(other)
            now = await other.record(sold.id)
            assert (now.state, now.ksef_number) == (InvoiceState.ACCEPTED, number)
            assert len(pair.sandbox.ledger.entries()) == 1


async def test_a_number_given_again_after_a_loss_is_refused_and_told(tmp_path: Path) -> None:
    async with shop(tmp_path) as pair:
        first = await pair.sell()
        empty = tmp_path / "empty"
        empty.mkdir()
        async with replaced(pair, empty) as other:
            again = await other.sell(buyer=CONSUMER)
            assert again.number == first.number
            assert again.state is InvoiceState.REJECTED
            assert (again.rejection or "").startswith("440:")
            assert "series-collision" in await other.problems()
            following = await other.sell()
            assert following.state is InvoiceState.ACCEPTED
        assert [entry.key[2] for entry in pair.sandbox.ledger.entries()] == [first.number, following.number]


async def until_known(pair: AgentWithSandbox) -> None:
    """The line is back: wait out the pause after the failures, and send."""
    clock = pair.agent.clock
    assert isinstance(clock, SteppedClock)
    clock.step += timedelta(minutes=20)
    await pair.agent.connection.probe()
    await empty_queue(pair)
