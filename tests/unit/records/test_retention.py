"""Retention: its periods, what may be erased when, and that an erased invoice still proves itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.errors import Conflict, NotFound
from agent.domain.invoice import CorrectedBase, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.retention import ERASED, issued_before, limitation_ends, may_be_erased
from agent.ports import ErasureCandidate
from agent.services.presses import Presses
from agent.services.records.evidence import Evidence
from agent.settings.model import RetentionSettings, Settings
from agent.store.bundle import Archive, collect
from agent.store.evidence_index import SqliteEvidenceIndex
from agent.store.soundness import check
from agent.store.sqlite import DATABASE
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.evidence_bundle import unzipped, verify_zip_files
from tests.fakes.invoices import new_invoice
from tests.fakes.tampering import tamper
from tests.fakes.world import (
    BUYER_NIP,
    CASHIER,
    CONSUMER,
    MANAGER,
    SELLER,
    World,
    press_until_answered,
    settings,
    world,
)

PERSON = "Jan Kowalski"
SOLD = datetime(2026, 11, 24, 9, tzinfo=UTC)
OVER = datetime(2033, 1, 2, 9, tzinfo=UTC)
"""November 2026: the tax may be due in January 2027, so the period ends with 2032."""


@pytest.mark.parametrize(
    ("issued_on", "last_day"),
    [
        ("2026-02-01", "2031-12-31"),
        ("2026-09-30", "2031-12-31"),
        ("2026-10-01", "2032-12-31"),  # a quarter's tax is due in January
        ("2026-12-31", "2032-12-31"),
        ("2028-02-29", "2033-12-31"),
    ],
)
def test_the_period_ends_with_the_fifth_year_after_the_tax_was_due(issued_on: str, last_day: str) -> None:
    assert limitation_ends(date.fromisoformat(issued_on), 5) == date.fromisoformat(last_day)


DAYS = st.dates(date(2026, 2, 1), date(2060, 12, 31))


@given(st.lists(DAYS, min_size=1, max_size=4), DAYS, st.integers(5, 10))
def test_nothing_is_erased_within_five_years_of_the_next_january(days: list[date], today: date, years: int) -> None:
    if may_be_erased(days, today, years):
        assert all((today.year - day.year) > 5 for day in days)
        assert all(day < issued_before(today, years) for day in days)
        assert not may_be_erased(days, today, years, today + timedelta(days=1)), "held back"


def test_what_the_list_begins_with_leaves_nothing_out() -> None:
    for offset in range(0, 800, 7):
        day = date(2026, 2, 1) + timedelta(days=offset)
        assert day < issued_before(limitation_ends(day, 5) + timedelta(days=1), 5)


# --- a whole till -----------------------------------------------------------------------------------


def own(data_dir: Path, **retention: Any) -> Settings:
    return replace(settings(data_dir), retention=RetentionSettings(**retention))


@asynccontextmanager
async def till(folder: Path, at: datetime, gateway: Any = None, **retention: Any) -> AsyncIterator[World]:
    async with world(folder, given=own(folder, **retention), clock=FakeClock(at), gateway=gateway) as place:
        place.gateway.clock = place.clock  # KSeF's clock is that of the world
        await place.connection.probe()
        yield place


async def sold_to_a_person(folder: Path) -> tuple[str, Any]:
    """Sell, correct and print for a person, and for a firm; return the person's invoice and KSeF."""
    async with till(folder, SOLD) as place:
        await press_until_answered(place, "firm")
        await place.lose_the_line()
        record = await place.sell("person", buyer=CONSUMER)
        body = json.dumps({"kind": "full_return", "reason": f"zwrot od: {PERSON}"}).encode()
        made = await counter.correct(place, record.id, body, "kor", CASHIER)
        assert made.held is not None, "its order waits, with the buyer in it"
        await place.restore_the_line()
        await place.catch_up()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        return record.id, place.gateway


def traces_of(folder: Path, words: str) -> list[str]:
    """Return the tables that hold these words in any cell."""
    found = []
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f"SELECT * FROM {table}"):
                cells = (each for each in row if isinstance(each, str | bytes))
                text = b" ".join(each.encode() if isinstance(each, str) else each for each in cells)
                if any(word.encode() in text for word in (words, words.casefold())):
                    found.append(table)
    return sorted(set(found))


async def evidence_problems(place: World) -> list[str]:
    """What the verifier says of the evidence; the fake KSeF's UPO do not name what they confirm."""
    evidence = Evidence(place.store, SqliteEvidenceIndex, Presses(place.clock), SELLER.nip)
    with await evidence.bundle(date(2026, 11, 1), date(2026, 11, 30)) as bundle:
        return [each for each in verify_zip_files(unzipped(bundle)) if "UPO" not in each]


async def test_when_the_period_is_over_the_person_is_nowhere_and_the_invoice_proves_itself(tmp_path: Path) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    assert {"invoices", "versions", "held_corrections"} <= set(traces_of(tmp_path, PERSON))
    async with till(tmp_path, OVER, gateway) as place:
        before, problems = await place.record(invoice_id), await evidence_problems(place)
        plan = await place.retention.plan()
        assert plan.due_count == 2
        assert {each.period_ended for each in plan.due} == {date(2032, 12, 31)}
        assert (await place.retention.erase()).erased == 2
        after = await place.record(invoice_id)
        assert after.buyer == ERASED
        assert (after.number, after.totals, after.sha256, after.ksef_number, after.issued_on) == (
            before.number,
            before.totals,
            before.sha256,
            before.ksef_number,
            before.issued_on,
        )
        with pytest.raises(NotFound, match="usunięto po upływie") as refused:
            await place.previews.pdf(invoice_id, "a4")
        assert refused.value.code == "erased"
        (event,) = [each for each in await place.invoices.events(invoice_id) if each.kind == "erased"]
        assert event.data["sha256"] == before.sha256.hex(), "the log says which bytes it was"
        assert PERSON not in json.dumps([each.data for each in await place.all_events()], ensure_ascii=False)
        assert await evidence_problems(place) == problems, "the evidence is as good as before"
        rows = [row async for row in place.register.rows("2026-11", None)]
        assert len(rows) == 3
        plan = await place.retention.plan()
        assert (plan.due_count, plan.erased_count) == (0, 2)
        assert (await place.retention.erase()).erased == 0, "a second time there is nothing"
    assert traces_of(tmp_path, PERSON) == []
    assert PERSON.encode() not in (tmp_path / DATABASE).read_bytes(), "overwritten, not only unlinked"
    report = check(tmp_path / DATABASE)
    assert (report.unfit, report.damaged) == ([], [])


async def test_a_firm_stays(tmp_path: Path) -> None:
    _, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, OVER, gateway) as place:
        await place.retention.erase()
        (firm,) = [row async for row in place.register.rows("2026-11", None) if row["buyer"] == BUYER_NIP]
        assert firm["buyer_name"] == "Nabywca S.A."


@pytest.mark.parametrize(
    ("at", "retention"),
    [
        (datetime(2032, 12, 31, 12, tzinfo=UTC), {}),
        (OVER, {"limitation_years": 6}),
        (OVER, {"hold_until": date(2034, 1, 1)}),
    ],
)
async def test_before_that_nothing_is(tmp_path: Path, at: datetime, retention: dict[str, Any]) -> None:
    _, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, at, gateway, **retention) as place:
        assert (await place.retention.plan()).due_count == 0
        assert (await place.retention.erase()).erased == 0


async def test_what_ksef_does_not_have_is_never_erased(tmp_path: Path) -> None:
    async with till(tmp_path, SOLD) as place:
        await place.lose_the_line()
        waiting = await place.sell(buyer=CONSUMER)
        gateway = place.gateway
        gateway.up = True
    async with till(tmp_path, OVER, gateway) as place:
        assert (await place.retention.erase()).erased == 0
        assert (await place.record(waiting.id)).buyer.name == PERSON
        with pytest.raises(Exception, match="may not be erased"):
            await place.store.write(lambda tx: tx.erasures.erase(waiting.id, {}))


async def test_a_correction_on_its_way_or_a_later_one_keeps_its_base(tmp_path: Path) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, OVER, gateway) as place:
        related = await place.store.read(lambda tx: tx.erasures.related(invoice_id))
        assert len(related) == 2, "its correction counts too"
        late = [*[day for day, _ in related], date(2028, 3, 1)]
        assert not may_be_erased(late, date(2033, 1, 2), 5)


async def test_what_is_corrected_while_its_archive_goes_is_kept_and_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, OVER, gateway) as place:

        async def corrected_meanwhile(each: ErasureCandidate) -> bool:
            base = CorrectedBase("FV-1/1", SOLD.date(), None, each.id)
            correction = new_invoice(f"kor-{each.seq}", None, base_id=each.id, bases=(base,), mode=Mode.OFFLINE24)
            await place.store.write(lambda tx: tx.invoices.add(correction))
            return True

        monkeypatch.setattr(place.retention, "_without_archive", corrected_meanwhile)
        assert (await place.retention.erase()).erased == 0
        assert (await place.record(invoice_id)).buyer.name == PERSON


async def test_by_a_clock_that_nobody_vouches_for_nothing_is_erased(tmp_path: Path) -> None:
    _, gateway = await sold_to_a_person(tmp_path)
    gateway.up = False
    async with world(tmp_path, given=own(tmp_path), clock=FakeClock(OVER), gateway=gateway) as place:
        assert not (await place.retention.plan()).clock_confirmed
        with pytest.raises(Conflict, match="Nikt nie potwierdza"):
            await place.retention.erase()
        assert await place.retention.daily() is False, "tried again later"


async def test_the_daily_chore_does_it_unless_it_is_turned_off(tmp_path: Path) -> None:
    _, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, OVER, gateway, erase_consumers=False) as place:
        assert await place.retention.daily() is True
        assert (await place.retention.plan()).due_count == 2
    async with till(tmp_path, OVER, gateway) as place:
        assert await place.retention.daily() is True
        assert (await place.retention.plan()).due_count == 0


async def test_the_archive_file_goes_first_and_an_archive_that_is_away_is_waited_for(tmp_path: Path) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    archive = tmp_path / "archive"
    async with till(tmp_path, OVER, gateway) as place:
        bundle = await place.store.read(lambda tx: collect(tx, invoice_id))
        ((path, sha256),) = Archive(archive).save([bundle])
        await place.store.write(lambda tx: tx.exports.add(invoice_id, str(path), sha256))
        archive.rename(tmp_path / "away")
        number = (await place.record(invoice_id)).number
        result = await place.retention.erase()
        assert (result.erased, result.waiting) == (1, (number,))
        assert await place.retention.daily() is False
        (tmp_path / "away").rename(archive)
        assert (await place.retention.erase()).erased == 1
        assert not path.exists()


async def test_an_old_copy_put_back_is_erased_again(tmp_path: Path) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    copy = (tmp_path / DATABASE).read_bytes()
    async with till(tmp_path, OVER, gateway) as place:
        await place.retention.erase()
    other = tmp_path / "restored"
    other.mkdir()
    (other / DATABASE).write_bytes(copy)
    async with till(other, OVER, gateway) as place:
        assert (await place.record(invoice_id)).buyer.name == PERSON
        assert (await place.retention.erase()).erased == 2
    assert traces_of(other, PERSON) == []


async def test_bytes_that_vanish_without_the_log_are_damage(tmp_path: Path) -> None:
    invoice_id, gateway = await sold_to_a_person(tmp_path)
    async with till(tmp_path, OVER, gateway) as place:
        await place.retention.erase()
    tamper(
        tmp_path / DATABASE,
        f"DELETE FROM erasures WHERE invoice_id = '{invoice_id}'; UPDATE erasures SET rowid = 1;",
    )
    assert any("dziennik nie mówi" in each for each in check(tmp_path / DATABASE).unfit)


async def test_total_failure_is_kept_here_and_erased_here(tmp_path: Path) -> None:
    async with till(tmp_path, SOLD) as place:
        await place.declarations.declare(Mode.TOTAL_FAILURE, "komunikat w mediach", MANAGER)
        sold = await place.sell(buyer=CONSUMER)
        await place.clock.advance(3600)
        await place.declarations.withdraw("koniec", MANAGER, false_alarm=False)
        await place.deadlines.follow()
        await place.catch_up()
        assert (await place.record(sold.id)).state is InvoiceState.EXEMPT
        gateway = place.gateway
    async with till(tmp_path, OVER, gateway) as place:
        assert (await place.retention.erase()).erased == 1
        with pytest.raises(Exception, match="moves no more"):
            await place.store.write(lambda tx: tx.invoices.move(sold.id, InvoiceState.ISSUED))
