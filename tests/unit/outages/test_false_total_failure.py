"""A total failure that was ended, and turns out later never to have been: who is told, what follows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Conflict
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import Marker, marker
from agent.ports import CallOutcome, KsefError
from agent.services.presses import Presses
from agent.services.records.evidence import Evidence
from agent.store.evidence_index import SqliteEvidenceIndex
from tests.fakes.evidence_bundle import unzipped, verify_zip_files
from tests.fakes.world import MANAGER, SELLER, World, world

TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NEXT_DAY = date(2026, 11, 25)


def announce(place: World, status: str, **changes: Any) -> None:
    """Latarnia's one communiqué, as it stands now."""
    known = place.latarnia.messages
    begin = known[0]["start"] if known else place.clock.now().isoformat()
    message = {
        "id": "K/2026/AWC/01",
        "eventId": 7,
        "category": "TOTAL_FAILURE",
        "type": "FAILURE_START",
        "title": "",
        "text": "",
        "start": begin,
        "end": None,
        "version": 1,
        "published": begin,
    }
    place.latarnia.status = {"status": status}
    place.latarnia.messages = [message | changes]


async def exempted(place: World, count: int = 1) -> list[InvoiceRecord]:
    """Issue invoices in a confirmed total failure, and end it."""
    announce(place, "TOTAL_FAILURE")
    await place.announcements.poll()
    await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
    records = [await place.sell() for _ in range(count)]
    await place.clock.advance(3600)
    await place.declarations.withdraw("Koniec", MANAGER)
    for record in records:
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT
    return records


async def taken_back(place: World) -> None:
    """Latarnia corrects its communiqué: it was an awaria, published only now."""
    await place.clock.advance(3600)
    now = place.clock.now().isoformat()
    announce(place, "AVAILABLE", category="FAILURE", version=2, end=now, published=now)
    await place.announcements.poll()


async def codes(place: World) -> dict[str, str]:
    await place.problems.refresh()
    return {problem.code: problem.message for problem in place.health.report().problems}


async def starts_and_ends(place: World, code: str) -> list[str]:
    events = await place.all_events()
    return [each.kind for each in events if each.kind.startswith("alert_") and each.data["code"] == code]


async def test_a_manager_is_told_once_and_brings_the_duty_back(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (record,) = await exempted(place)
        assert "total-failure-false" not in await codes(place)
        await taken_back(place)
        message = (await codes(place))["total-failure-false"]
        assert record.number in message
        assert "razem 1" in message
        assert "fałszywy alarm" in message
        await codes(place)
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT, "final until a manager speaks"

        await place.declarations.withdraw("BIP: awarii całkowitej nie było", MANAGER, false_alarm=True)
        back = await place.record(record.id)
        assert (back.state, back.mode, back.deadline_state) == (InvoiceState.ISSUED, Mode.OFFLINE24, "due")
        assert "fałszywym alarmem" in back.reason
        assert "total-failure-false" not in await codes(place)
        assert await starts_and_ends(place, "total-failure-false") == ["alert_started", "alert_ended"]
        event = next(each for each in await place.invoices.events(record.id) if each.kind == "duty_back")
        assert event.data == {"by": MANAGER.name, "reason": "BIP: awarii całkowitej nie było"}

        await place.catch_up()
        sent = await place.record(record.id)
        assert (sent.state, sent.sha256) == (InvoiceState.ACCEPTED, record.sha256)


async def test_a_total_failure_known_from_the_media_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        record = await place.sell()
        await place.declarations.withdraw("Koniec", MANAGER)
        await place.clock.advance(3600)
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        back = await place.record(record.id)
        assert (back.state, back.mode, back.deadline) == (InvoiceState.ISSUED, Mode.OFFLINE24, NEXT_DAY)
        with pytest.raises(Conflict, match="Nie ma awarii"):
            await place.declarations.withdraw("Jeszcze raz", MANAGER, false_alarm=True)


async def test_books_and_paper_follow(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (record,) = await exempted(place)
        today = place.clock.now().date()
        exempt = await place.record(record.id)
        assert marker(exempt, today) is Marker.BFK
        await taken_back(place)
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        assert marker(await place.record(record.id), today) is Marker.DI
        await place.reprinting.reprint(record.id, MANAGER)
        answer = await place.invoices.one(record.id)
        assert answer.paper is not None
        assert answer.paper.document == "transaction_confirmation", "the next paper is that of its mode now"
        await place.catch_up()
        assert marker(await place.record(record.id), today) is Marker.NUMBER


async def test_an_awaria_known_at_the_issue_is_its_mode_then(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        announce(place, "FAILURE", category="FAILURE")
        await place.announcements.poll()
        await place.clock.advance(60)
        announce(place, "TOTAL_FAILURE", version=2, published=place.clock.now().isoformat())
        await place.announcements.poll()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        await place.clock.advance(60)
        record = await place.sell()
        assert record.mode is Mode.TOTAL_FAILURE
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        now = await place.record(record.id)
        assert (now.mode, now.deadline_state) == (Mode.FAILURE, "open")


async def test_an_end_before_the_issue_needs_no_word(tmp_path: Path) -> None:
    """The Ministry names the end later: what was issued after it was never in the total failure."""
    async with world(tmp_path) as place:
        announce(place, "TOTAL_FAILURE")
        await place.announcements.poll()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        within = await place.sell()
        await place.clock.advance(3600)
        after = await place.sell()
        assert after.mode is Mode.TOTAL_FAILURE
        await place.declarations.withdraw("Koniec", MANAGER)
        end = (TUESDAY + timedelta(minutes=30)).isoformat()
        announce(place, "AVAILABLE", version=2, end=end, published=place.clock.now().isoformat())
        await place.announcements.poll()
        assert (await place.record(within.id)).state is InvoiceState.EXEMPT
        now = await place.record(after.id)
        assert (now.state, now.mode, now.deadline) == (InvoiceState.ISSUED, Mode.OFFLINE24, NEXT_DAY)
        assert "total-failure-false" not in await codes(place)


async def test_many_are_counted_and_a_real_one_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        real = await place.sell()
        await place.declarations.withdraw("Koniec", MANAGER)
        await place.clock.advance(3600)
        records = await exempted(place, 7)
        await taken_back(place)
        message = (await codes(place))["total-failure-false"]
        assert "razem 7" in message
        assert "i jeszcze 2" in message
        assert real.number not in message
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        assert {(await place.record(each.id)).state for each in records} == {InvoiceState.ISSUED}
        assert (await place.record(real.id)).state is InvoiceState.EXEMPT
        assert "duty_back" not in await place.log(real.id)


async def test_a_word_about_another_one_decides_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (record,) = await exempted(place)
        await taken_back(place)
        await place.clock.advance(3600)
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        await place.clock.advance(60)
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT
        assert "total-failure-false" in await codes(place)


async def test_what_is_archived_stays_and_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (record,) = await exempted(place)
        await place.store.write(lambda tx: tx.exports.add(record.id, "/archiwum", b"\2" * 32))
        await taken_back(place)
        await place.deadlines.follow()
        assert "w archiwum (1)" in (await codes(place))["total-failure-false"]
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        assert "total-failure-false" not in await codes(place)
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT
        with pytest.raises(Conflict, match="Nie ma awarii"):
            await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)


async def test_the_bytes_never_change(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (record,) = await exempted(place)
        await taken_back(place)
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        back = await place.record(record.id)
        assert (back.xml, back.sha256, back.link_invoice) == (record.xml, record.sha256, record.link_invoice)
        assert read(back.xml).issued_on == record.issued_on


async def test_the_evidence_tells_the_whole_way(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (back,) = await exempted(place)
        await taken_back(place)
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        files = await evidence_of(place)
        assert verify_zip_files(files) == []
        path = next(name for name in files if name.endswith("dane.json") and back.id in name)
        forged = files[path].replace(b'"state": "issued"', b'"state": "exempt"')
        assert forged != files[path]
        assert any("nie zna stanu" in problem for problem in verify_zip_files({**files, path: forged}))


async def evidence_of(place: World) -> dict[str, bytes]:
    evidence = Evidence(place.store, SqliteEvidenceIndex, Presses(place.clock), SELLER.nip, place.ports.renderer.text)
    with await evidence.bundle(TUESDAY.date(), TUESDAY.date()) as file:
        return unzipped(file)


# --- what is announced, and what the status says --------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "kind", "words"),
    [
        ("FAILURE", "FAILURE_START", "mówi o awarii"),
        ("MAINTENANCE", "MAINTENANCE_ANNOUNCEMENT", "mówi o niedostępności"),
    ],
)
async def test_an_outage_that_the_status_denies(tmp_path: Path, category: str, kind: str, words: str) -> None:
    async with world(tmp_path) as place:
        announce(place, "AVAILABLE", category=category, type=kind, end=(TUESDAY + timedelta(hours=5)).isoformat())
        await place.announcements.poll()
        assert words in (await codes(place))["status-contradicts"]
        place.latarnia.status = {"status": category}
        await place.clock.advance(60)
        await place.announcements.poll()
        assert "status-contradicts" not in await codes(place)
        assert await starts_and_ends(place, "status-contradicts") == ["alert_started", "alert_ended"]


async def test_a_total_failure_that_nobody_ended(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        announce(place, "TOTAL_FAILURE")
        await place.announcements.poll()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        assert "status-contradicts" not in await codes(place)
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.clock.advance(60)
        await place.announcements.poll()
        assert "niczego nie przesyła" in (await codes(place))["status-contradicts"]
        await place.declarations.withdraw("Koniec", MANAGER)
        await place.clock.advance(1)
        assert "status-contradicts" not in await codes(place)


async def test_a_latarnia_out_of_reach_contradicts_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.announcements.poll()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        assert "status-contradicts" in await codes(place)
        place.latarnia.error = KsefError("brak odpowiedzi", outcome=CallOutcome.UNKNOWN, link_down=True)
        await place.announcements.poll()
        assert "status-contradicts" not in await codes(place)
