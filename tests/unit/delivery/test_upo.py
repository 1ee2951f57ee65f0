"""What proves that KSeF took an invoice: its own UPO or its session's, stored, linked, shown, and never missing."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import BadInput, NotFound
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.evidence_check_invoice import confirmed_by
from agent.ports import CallOutcome, InvoiceChange, KsefError, KsefSession, SessionKind, Transaction, Upo, UpoPage
from agent.services.delivery import upo as service
from agent.services.presses import Presses
from agent.services.records.evidence import Evidence
from agent.store.bundle import Archive, Bundle, collect
from agent.store.evidence_index import SqliteEvidenceIndex
from agent.store.transaction import SqliteTransaction
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.evidence_bundle import unzipped, verify_zip_files
from tests.fakes.gateway import FakeGateway, upo_page
from tests.fakes.world import CASHIER, SELLER, World, sale, settings, world


class Authority(FakeGateway):
    """Counts what is asked about UPO, and spoils what a test names."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.own: list[str] = []
        self.asked: list[tuple[str, bool]] = []
        self.session_trouble: KsefError | None = None
        self.forged = False
        self.own_trouble: KsefError | None = None
        self.troubled = ""
        """KSeF number of the one it is about; empty: all."""
        self.hides: set[str] = set()
        """KSeF numbers that the collective UPO leaves out."""

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        self.own.append(ksef_number)
        if self.own_trouble is not None and self.troubled in {"", ksef_number}:
            raise self.own_trouble
        found = await super().upo(session_ref, invoice_ref, ksef_number)
        named = base64.b64encode(found.sha256).decode()
        xml = (
            f"<UPO><NumerKSeFDokumentu>{ksef_number}</NumerKSeFDokumentu><SkrotDokumentu>{named}</SkrotDokumentu></UPO>"
        )
        return replace(found, xml=xml.encode())

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        self.asked.append((session_ref, close))
        if self.session_trouble is not None:
            raise self.session_trouble
        pages = await super().session_upo(session_ref, close=close)
        if not pages:
            return pages
        named = [
            (number, bytes(32) if self.forged else sha256)
            for number, sha256 in pages[0].documents
            if number not in self.hides
        ]
        return (replace(pages[0], xml=upo_page(session_ref, named), documents=tuple(named)),)


@asynccontextmanager
async def shop(tmp_path: Path, gateway: Authority | None = None) -> AsyncIterator[tuple[World, Authority]]:
    """Five invoices that wait go as a batch."""
    clock = gateway.clock if gateway else FakeClock()
    assert isinstance(clock, FakeClock)
    gateway = gateway or Authority(clock)
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=5))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        yield place, gateway


async def press(place: World, key: str) -> InvoiceRecord:
    return (await counter.sale(place, json.dumps(sale()).encode(), key, CASHIER)).invoices[0].record


async def batch(place: World, count: int = 6) -> list[InvoiceRecord]:
    """Issue without a line, and bring it to KSeF as one batch."""
    place.gateway.up = False
    records = [await press(place, f"{place.clock.now()}-{number}") for number in range(count)]
    place.gateway.up = True
    await place.clock.advance(60)
    await place.connection.probe()
    await place.connection.probe()
    for _ in range(2):
        await place.queue.pass_once()
    return [await place.record(record.id) for record in records]


async def work(place: World, minutes: float, step: float = 60.0) -> None:
    for _ in range(int(minutes * 60 / step)):
        await place.upos.pass_once()
        await place.clock.advance(step)


async def proofs(place: World, records: list[InvoiceRecord]) -> list[str]:
    return [(await place.invoices.upo(record.id)).scope for record in records]


async def kinds(place: World) -> list[str]:
    return [event.kind for event in await place.all_events()]


async def test_a_batch_is_proven_by_one_document(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        records = await batch(place)
        gateway.upo_delays = 3
        await work(place, 5)
        assert await proofs(place, records) == ["session"] * 6
        assert gateway.own == []
        assert gateway.asked == [(records[0].session_ref, False)] * 4, "and it is asked for no more"
        told = [event for event in await place.invoices.events(records[0].id) if event.kind == "upo"]
        assert [(event.data["session"], event.data["page"]) for event in told] == [(records[0].session_ref, 1)]
        assert (await kinds(place)).count("session_upo") == 1
        found = (await place.invoices.upo(records[0].id)).xml
        assert all((record.ksef_number or "").encode() in found for record in records)
        assert await place.store.read(lambda tx: tx.invoices.without_upo()) == []


async def test_what_was_in_doubt_when_the_page_came_is_told_with_its_number(tmp_path: Path) -> None:
    """The page named it, so no other UPO was asked for, and nobody was told of this one (found in a chain of tills)."""
    async with shop(tmp_path) as (place, gateway):
        gateway.lost_answers = 1
        record = await press(place, "a")
        assert record.state is InvoiceState.IN_DOUBT
        ((number, sha256),) = gateway.ledger.values()
        page = UpoPage(1, "EU-1", upo_page("SO-1", [(number, sha256)]), ((number, sha256),))
        await place.store.write(lambda tx: tx.sessions.add_page("SO-1", page))
        assert await place.store.write(lambda tx: tx.sessions.add_documents("SO-1", 1, page.documents)) == []
        await place.clock.advance(60)
        await place.queue.pass_once()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        (told,) = [event for event in await place.invoices.events(record.id) if event.kind == "upo"]
        assert (told.data["session"], told.data["page"]) == ("SO-1", 1)
        assert told.data["page_sha256"] == hashlib.sha256(page.xml).hexdigest()
        assert (await place.invoices.upo(record.id)).scope == "session"


async def test_a_batch_without_its_upo_gets_one_for_each_invoice(tmp_path: Path) -> None:
    """No invoice stays without proof because KSeF owes the collective one."""
    async with shop(tmp_path) as (place, gateway):
        gateway.upo_delays = 1_000_000
        records = await batch(place)
        await work(place, 55)
        assert gateway.own == []
        await work(place, 10)
        assert await proofs(place, records) == ["invoice"] * 6
        gateway.upo_delays = 0
        await work(place, 6)
        assert (await place.invoices.upo(records[0].id)).scope == "invoice"
        assert (await place.invoices.upo(records[0].id, "session")).scope == "session"


@pytest.mark.parametrize("trouble", ["left out", "another hash", "none", "not known"])
async def test_what_the_collective_upo_does_not_confirm_is_fetched_by_itself(tmp_path: Path, trouble: str) -> None:
    async with shop(tmp_path) as (place, gateway):
        records = await batch(place)
        gateway.hides = {records[2].ksef_number or ""} if trouble == "left out" else set()
        gateway.forged = trouble == "another hash"
        if trouble == "none":
            gateway._sessions[records[0].session_ref or ""] = []
        if trouble == "not known":
            gateway.session_trouble = KsefError("Nie ma takiej sesji.", outcome=CallOutcome.REFUSED, code=21173)
        await work(place, 3, step=5.0)
        scopes = await proofs(place, records)
        assert scopes == (["session"] * 2 + ["invoice"] + ["session"] * 3 if trouble == "left out" else ["invoice"] * 6)
        assert (await kinds(place)).count("upo_mismatch") == (6 if trouble == "another hash" else 0)
        assert (await kinds(place)).count("session_without_upo") == (1 if trouble in {"none", "not known"} else 0)
        assert len(gateway.asked) == 1


async def test_an_interactive_session_is_closed_and_confirmed_when_another_is_in_use(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        first = await press(place, "a")
        await work(place, 5)
        assert gateway.asked == [], "the session in use is left alone"
        gateway._session = None  # a new day, or ten thousand invoices
        second = await press(place, "b")
        await work(place, 5)
        assert set(gateway.asked) == {(first.session_ref, True)}
        assert (await place.invoices.upo(first.id)).scope == "invoice"
        page = (await place.invoices.upo(first.id, "session")).xml
        assert (first.ksef_number or "").encode() in page
        with pytest.raises(NotFound):
            await place.invoices.upo(second.id, "session")
        with pytest.raises(BadInput):
            await place.invoices.upo(second.id, "all")
        assert (await place.log(first.id)).count("upo") == 1


async def test_sessions_of_an_earlier_run_are_closed_and_confirmed(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        record = await press(place, "a")
    async with shop(tmp_path, gateway) as (place, gateway):
        await work(place, 2, step=5.0)
        assert gateway.asked == [(record.session_ref, True)] * 2, "closed, then asked"
        assert (await place.invoices.upo(record.id, "session")).scope == "session"


async def test_nothing_is_closed_while_something_is_on_its_way(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):

        async def sending(tx: Transaction) -> None:
            await tx.sessions.use("SO-old", SessionKind.ONLINE)

        gateway.up = False
        record = await press(place, "a")
        await place.store.write(sending)
        assert await place.store.read(lambda tx: tx.sessions.without_upo()) == [
            KsefSession("SO-old", SessionKind.ONLINE)
        ]
        change = InvoiceChange(session_ref="SO-old")
        await place.store.write(lambda tx: tx.invoices.move(record.id, InvoiceState.SENDING, change))
        assert await place.store.read(lambda tx: tx.sessions.without_upo()) == []


async def test_a_crash_in_the_middle_of_a_page_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SLICE", 2)
    async with shop(tmp_path) as (place, gateway):
        records = await batch(place)
        write, left = place.store.write, 2

        async def dying(work: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise ConnectionAbortedError
            return await write(work)  # type: ignore[arg-type]

        monkeypatch.setattr(place.store, "write", dying)
        with pytest.raises(ConnectionAbortedError):
            await place.upos.pass_once()
        monkeypatch.undo()
        assert [(await place.invoices.one(record.id)).record.has_upo for record in records] == [True] * 2 + [False] * 4
    async with shop(tmp_path, gateway) as (place, gateway):
        await place.upos.pass_once()
        assert await proofs(place, records) == ["session"] * 6
        assert [(await place.log(record.id)).count("upo") for record in records] == [1] * 6


REFUSED = KsefError("Brak uprawnień.", outcome=CallOutcome.REFUSED, code=403)
UNREADABLE = KsefError("W odpowiedzi KSeF brakuje pola.", outcome=CallOutcome.UNKNOWN, code=200)


@pytest.mark.parametrize("trouble", [REFUSED, UNREADABLE], ids=["refused", "unreadable"])
async def test_a_session_that_can_not_be_asked_holds_up_no_other(tmp_path: Path, trouble: KsefError) -> None:
    async with shop(tmp_path) as (place, gateway):
        await batch(place)
        gateway.session_trouble = trouble
        first = await press(place, "a")
        gateway.upo_delays = 0
        await work(place, 60, step=5.0)
        assert len(gateway.asked) < 25, "asked less and less"
        assert (await place.invoices.upo(first.id)).scope == "invoice"
        assert place.connection.breaker.allows


@pytest.mark.parametrize(
    ("outcome", "code", "others"),
    [(CallOutcome.REFUSED, 404, True), (CallOutcome.UNKNOWN, 200, True), (CallOutcome.REFUSED, 429, False)],
)
async def test_an_invoice_without_a_upo_holds_up_no_other(
    tmp_path: Path, outcome: CallOutcome, code: int, others: bool
) -> None:
    """A hub that lost its data knows one and not yet another; where limits are used up nobody is asked any more."""
    async with shop(tmp_path) as (place, gateway):
        gateway.own_trouble = KsefError("nie ma", outcome=outcome, code=code)
        records = [await press(place, word) for word in "abc"]
        gateway.troubled = records[0].ksef_number or ""
        gateway.own.clear()
        await place.clock.advance(600)
        await place.upos.pass_once()
        assert [(await place.invoices.one(each.id)).record.has_upo for each in records] == [False, others, others]
        assert len(gateway.own) == (3 if others else 1)


async def test_a_pass_asks_five_sessions_and_the_next_one_the_others(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        names = [f"SB-{number}" for number in range(12)]

        async def used(tx: Transaction) -> None:
            for name in names:
                await tx.sessions.use(name, SessionKind.BATCH)

        await place.store.write(used)
        gateway.upo_delays = len(names)
        for asked in (5, 10, 12):
            await place.upos.pass_once()
            assert len(gateway.asked) == len({reference for reference, _ in gateway.asked}) == asked


async def test_fetching_stays_within_this_tills_part_of_the_hour(tmp_path: Path) -> None:
    base = settings(tmp_path)
    clock = FakeClock()
    gateway = Authority(clock)
    given = replace(base, ksef=replace(base.ksef, tills_sharing_address=300, batch_from=100))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        for number in range(5):
            await press(place, str(number))
        await work(place, 30)
        assert len(gateway.own) == 3
        await work(place, 90)
        assert len(gateway.own) == 5


async def test_a_number_that_comes_while_it_looks_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path) as (place, gateway):
        monkeypatch.setattr(gateway, "upo", _silent)
        read = place.store.read
        pressed: list[InvoiceRecord] = []
        empty = 0

        async def looking(work: Any) -> Any:
            nonlocal empty
            found = await read(work)
            empty += found == []
            if empty == 3:  # no session, no invoice, and no invoice of a batch either
                monkeypatch.setattr(place.store, "read", read)
                pressed.append(await press(place, "a"))
            return found

        monkeypatch.setattr(place.store, "read", looking)
        await place.upos.pass_once()
        monkeypatch.undo()
        await work(place, 2)
        assert await proofs(place, pressed) == ["invoice"]


async def _silent(*_: object) -> Upo:
    raise KsefError("cisza", outcome=CallOutcome.UNKNOWN)


async def test_the_archive_holds_the_page_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, _):
        records = await batch(place)
        await work(place, 1)
        bundles = [await place.store.read(partial(_collected, record.id)) for record in records]
        target = [Archive(tmp_path / "archive").save([bundle])[0][0] for bundle in bundles][-1]
        (page,) = (tmp_path / "archive" / "session-upo").iterdir()
        assert page.read_bytes() == (await place.invoices.upo(records[0].id)).xml
        with zipfile.ZipFile(target) as archive:
            told = json.loads(archive.read("session-upo.json"))
        assert told == {
            "file": f"session-upo/{page.name}",
            "sha256": hashlib.sha256(page.read_bytes()).hexdigest(),
        }


async def _collected(invoice_id: str, tx: Transaction) -> Bundle:
    assert isinstance(tx, SqliteTransaction)
    return await collect(tx, invoice_id)


async def test_the_evidence_holds_the_page_once_and_shows_every_change(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, _):
        records = await batch(place)
        await work(place, 1)
        day = place.clock.now().date()
        evidence = Evidence(place.store, SqliteEvidenceIndex, Presses(place.clock), SELLER.nip)
        with await evidence.bundle(day, day) as file:
            files = unzipped(file)
        (page,) = [path for path in files if path.startswith("upo-sesji/")]
        assert page == f"upo-sesji/{records[0].session_ref}/strona-1.xml"
        assert verify_zip_files(files) == []
        data = next(path for path in files if path.endswith("dane.json"))
        assert json.loads(files[data])["session_upo"] == page
        other = files[page].replace((records[3].ksef_number or "").encode(), b"5265877635-20261124-000000000000-00")
        problems = verify_zip_files({**files, page: other})
        assert sum("nie wymienia tej faktury" in each for each in problems) == 1
        assert sum("dziennik zna inne UPO" in each for each in problems) == 6
        problems = verify_zip_files({path: content for path, content in files.items() if path != page})
        assert sum("brak UPO sesji" in each for each in problems) == 6


def test_a_page_swaps_no_hashes() -> None:
    """Number and hash have to stand in one Dokument."""
    one, two = (("A-1", b"\x01" * 32), ("B-2", b"\x02" * 32))
    names = set(confirmed_by(upo_page("SB-1", [one, two])))
    assert names == {(number.encode(), base64.b64encode(sha256)) for number, sha256 in (one, two)}
