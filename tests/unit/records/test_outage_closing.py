"""The closing report of an outage: begin, end, basis, counts, value, what is late and why; as JSON and on paper."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdf
import pytest

from agent.domain.errors import NotFound
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.evidence_files import OutageReport
from agent.domain.records.outage_closing import ClosingReport, OutageSource, closing_report
from agent.domain.records.outage_closing_paper import paper_of
from agent.ports import Work
from printers.preview.report import render_report
from tests.fakes.clock import FakeClock, at
from tests.fakes.world import MANAGER, World, press_until_answered, world


def text_of(report: ClosingReport) -> str:
    pages = pypdf.PdfReader(io.BytesIO(render_report(paper_of(report)))).pages
    return "\n".join(page.extract_text() for page in pages)


def announced(kind: str, begin: datetime, end: datetime | None = None) -> dict[str, Any]:
    """A communiqué of Latarnia about event 1."""
    return {
        "id": "K/2026/AWR/01",
        "eventId": 1,
        "category": "FAILURE",
        "type": kind,
        "title": "Awaria KSeF",
        "text": "Awaria KSeF",
        "start": begin.isoformat(),
        "end": None if end is None else end.isoformat(),
        "version": 1,
        "published": (end or begin).isoformat(),
    }


async def only_outage(place: World) -> str:
    (outage,) = await place.outages.listed()
    return outage.name


async def test_a_line_that_broke_and_came_back(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await press_until_answered(place, "online")
        await place.lose_the_line()
        for _ in range(2):
            await place.sell()
        await place.clock.advance(3600)
        going_on = await place.outages.closing(await only_outage(place))
        assert going_on.end is None
        assert going_on.counts.waiting == 2
        assert going_on.next_deadline == date(2026, 11, 25)
        assert any("Przerwa trwa" in each for each in going_on.conclusions)
        await place.restore_the_line()
        await place.catch_up()
        report = await place.outages.closing(await only_outage(place))
        assert (report.source, report.kind) == (OutageSource.TILL, "lacze")
        assert report.end is not None
        assert (report.counts.issued, report.counts.in_ksef, report.counts.late) == (2, 2, 0)
        assert report.by_mode == {Mode.OFFLINE24: 2}
        assert [(each.currency, each.invoices, each.gross) for each in report.values] == [("PLN", 2, Decimal("271.20"))]
        assert report.conclusions == ("Wszystkie faktury, które miały trafić do KSeF, dotarły tam w terminie.",)


async def test_what_is_late_says_why(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await place.lose_the_line()
        late = await place.sell()
        await place.clock.advance(3 * 24 * 3600)
        still = await place.outages.closing(await only_outage(place))
        (told,) = still.late
        assert (told.number, told.days_late, told.reached_on) == (late.number, 2, None)
        assert "nieprzesłana" in told.why
        await place.restore_the_line()
        await place.catch_up()
        report = await place.outages.closing(await only_outage(place))
        (told,) = report.late
        assert (told.days_late, told.reached_on) == (2, date(2026, 11, 27))
        header = "W KSeF (dni po terminie)"
        assert " ".join(text_of(report).split()).count(header) == 1, "of the late ones, and of them only"


async def test_a_rejected_one_is_named_with_ksefs_reason(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await place.lose_the_line()
        await place.be_rejected((await place.sell()).id)
        report = await place.outages.closing(await only_outage(place))
        assert report.counts.rejected == 1
        (told,) = report.without_number
        assert "450" in told.why or "błąd semantyczny" in told.why
        assert any("zamyka kierownik" in each for each in report.conclusions)


async def test_an_announced_failure_stands_on_its_communique(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        place.gateway.up = False
        before = await press_until_answered(place, "before")
        await place.clock.advance(600)
        place.latarnia.messages = [announced("FAILURE_START", place.clock.now())]
        place.latarnia.status = {"status": "FAILURE"}
        await place.announcements.poll()
        await place.clock.advance(60)
        await place.sell()
        await place.clock.advance(3600)
        end = place.clock.now()
        place.latarnia.messages = [
            *place.latarnia.messages,
            {**announced("FAILURE_END", at("2026-11-24 10:10"), end), "id": "K/2026/AWR/02"},
        ]
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.announcements.poll()
        name = next(each.name for each in await place.outages.listed() if each.kind == "awaria")
        report = await place.outages.closing(name)
        assert report.source is OutageSource.LATARNIA
        assert "K/2026/AWR/01" in report.basis
        assert (report.counts.issued, report.counts.waited_from_before) == (1, 1)
        assert report.by_mode == {Mode.FAILURE: 1}
        assert before.number in {each.number for each in report.without_number}
        assert report.next_deadline == date(2026, 12, 3)
        assert any("OFF" in each for each in report.conclusions)


async def sold_in_a_failure(place: World) -> InvoiceRecord:
    place.latarnia.messages = [announced("FAILURE_START", place.clock.now())]
    place.latarnia.status = {"status": "FAILURE"}
    await place.announcements.poll()
    await place.clock.advance(60)
    sold = await place.sell()
    assert sold.mode is Mode.FAILURE
    return sold


async def test_an_end_that_two_learn_of_at_once_is_noted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of the loop and a communiqué may meet: what the one has closed, the other leaves as it is."""
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        begin = place.clock.now()
        sold = await sold_in_a_failure(place)
        await place.catch_up()
        reached = await place.record(sold.id)
        assert (reached.state, reached.deadline_state) == (InvoiceState.ACCEPTED, "open")
        before = await place.log(sold.id)
        write = place.store.write

        async def overtaken(work: Work[None]) -> None:
            monkeypatch.setattr(place.store, "write", write)
            await place.deadlines.follow()
            await write(work)

        async def later() -> None:
            """The communiqué is stored; nobody has followed it yet."""

        with monkeypatch.context() as until_stored:
            until_stored.setattr(place.deadlines, "follow", later)
            ended = {**announced("FAILURE_END", begin, place.clock.now()), "id": "K/2026/AWR/02"}
            place.latarnia.messages = [*place.latarnia.messages, ended]
            place.latarnia.status = {"status": "AVAILABLE"}
            await place.announcements.poll()
        monkeypatch.setattr(place.store, "write", overtaken)
        await place.deadlines.follow()
        assert (await place.record(sold.id)).deadline_state == "due"
        assert (await place.log(sold.id))[len(before) :] == ["deadline"]


async def test_the_mark_of_a_failure_is_told_only_of_its_own_invoices(tmp_path: Path) -> None:
    """OFF in JPK_V7M is for what was issued in the failure and has no number, late or not; not for what is older."""
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:

        async def marked() -> bool:
            name = next(each.name for each in await place.outages.listed() if each.kind == "awaria")
            report = await place.outages.closing(name)
            assert earlier.number in {each.number for each in (*report.without_number, *report.late)}
            return any("OFF" in each for each in report.conclusions)

        await place.lose_the_line()
        earlier = await place.sell()
        await place.clock.advance(600)
        sold = await sold_in_a_failure(place)
        assert await marked()
        await place.clock.advance(3600)
        end = place.clock.now()
        place.latarnia.messages = [
            *place.latarnia.messages,
            {**announced("FAILURE_END", at("2026-11-24 10:10"), end), "id": "K/2026/AWR/02"},
        ]
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.announcements.poll()
        await place.clock.advance(20 * 24 * 3600)
        assert await marked(), "its deadline has passed, and it has no number yet"
        await place.restore_the_line()
        await place.sender.deliver(sold.id)
        assert not await marked()


async def test_what_was_issued_in_a_failure_and_is_never_sent_keeps_its_own_mark(tmp_path: Path) -> None:
    """A total failure that followed lifted the duty; the register marks it OFF as well."""
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await place.lose_the_line()
        sold = await sold_in_a_failure(place)
        await place.store.write(lambda tx: tx.invoices.move(sold.id, InvoiceState.EXEMPT))
        report = await place.outages.closing(
            next(each.name for each in await place.outages.listed() if each.kind == "awaria")
        )
        told = " ".join(report.conclusions)
        assert "Nie podlegają przesłaniu: 1." in told
        assert ("BFK" in told, "OFF" in told) == (False, True)


async def test_what_a_manager_declared_is_named_so(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.declarations.declare(Mode.OFFLINE24, "remont łącza", MANAGER)
        await place.clock.advance(60)
        await place.sell()
        report = await place.outages.closing(await only_outage(place))
        assert (report.source, report.end) == (OutageSource.MANAGER, None)
        assert "remont łącza" in report.basis


async def test_days_choose_and_an_unknown_name_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await place.lose_the_line()
        await place.restore_the_line()
        assert len(await place.outages.listed(date(2026, 11, 24), date(2026, 11, 24))) == 1
        assert await place.outages.listed(date(2026, 11, 25)) == []
        assert await place.outages.listed(None, date(2026, 11, 23)) == []
        with pytest.raises(NotFound):
            await place.outages.closing("awaria-17")


EMPTY = OutageReport("niedostepnosc", "7", at("2026-11-28 22:00"), at("2026-11-29 00:00"), "komunikat K/2026/NI/01")


def empty() -> ClosingReport:
    return closing_report(EMPTY, [], {}, seller="Sklep", nip="5265877635", till="1", as_of=at("2026-11-30 08:00"))


def test_an_outage_without_invoices_is_a_report_too() -> None:
    report = empty()
    assert report.conclusions[-1] == "Żadnej faktury ta przerwa nie dotyczy."
    text = text_of(report)
    for words in ("Raport zamknięcia", "Niedostępność KSeF (art. 106nh)", "K/2026/NI/01", "28.11.2026", "podpis"):
        assert words in text


def test_the_paper_lists_and_its_bytes_are_the_same_each_time() -> None:
    report = replace(empty(), conclusions=("Wniosek ąęł.",) * 3)
    assert render_report(paper_of(report)) == render_report(paper_of(report))


async def test_the_paper_tells_of_the_late(tmp_path: Path) -> None:
    async with world(tmp_path, clock=FakeClock(at("2026-11-24 10:00"))) as place:
        await place.lose_the_line()
        sold = [await place.sell() for _ in range(30)]
        await place.clock.advance(3 * 24 * 3600)
        text = text_of(await place.outages.closing(await only_outage(place)))
        assert all(each.number in text for each in sold)
        assert "Po terminie: 30, najwięcej o dni: 2." in text
        assert "art. 106ni" in text
