"""Damage is found before anything is built on it: at the start, by the daily check, and in any single document."""

# ruff: noqa: ASYNC240 - files are what this is about
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.domain.books.entry import Amount, BookEntry, BookPart
from agent.domain.errors import AgentError, StoreUnfit
from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Fact, InvoiceFilter, KeyRecord
from agent.store import books as store_books
from agent.store import soundness
from agent.store.rows_by_log import rows_by_log
from agent.store.soundness import TAIL, check, require_fit
from agent.store.sqlite import SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import TOTALS, add_next, lead, new_invoice
from tests.fakes.seeds import drawn
from tests.fakes.tampering import tamper

INVOICES = 20
HEADER = 100


async def press(transaction: SqliteTransaction, number: int) -> None:
    name = f"{number}"
    await add_next(transaction, name)
    invoice = new_invoice(name, number)
    data = {
        "number": invoice.number,
        "kind": invoice.kind,
        "issued_on": invoice.issued_on.isoformat(),
        "sha256": invoice.sha256.hex(),
        "gross": str(TOTALS.gross),
        "currency": TOTALS.currency,
        "mode": invoice.mode,
        "reason": invoice.reason,
        "deadline": str(invoice.deadline),
        "pressed_by": invoice.pressed_by,
    }
    await transaction.events.append(EventKind.ISSUED, data, invoice.id)
    if number <= INVOICES // 2:
        await lead(transaction, invoice.id, InvoiceState.ACCEPTED)
        await transaction.events.append(EventKind.ACCEPTED, {"ksef_number": f"KSEF-{invoice.id}"}, invoice.id)


async def fill(path: Path, first: int = 1, last: int = INVOICES) -> None:
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    for number in range(first, last + 1):
        await store.write(partial(press, number=number))
    await store.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a till that stopped, made once."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder / "agent.db"))
    return folder


@pytest.fixture
def path(filled: Path, tmp_path: Path) -> Path:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return tmp_path / "agent.db"


async def refusal(path: Path) -> str:
    """Try to start; what is said. Nothing may change."""
    before = path.read_bytes()
    with pytest.raises(StoreUnfit) as refused:
        await SqliteStore.open(path, FakeClock())
    assert path.read_bytes() == before
    return str(refused.value)


async def test_a_sound_database_is_sound(path: Path) -> None:
    report = check(path)
    assert (report.unfit, report.damaged, report.complete, report.sentence()) == ([], [], True, None)
    store = await SqliteStore.open(path, FakeClock())
    assert store.found is None
    assert await store.check() is None
    await store.close()


# --- the file ---------------------------------------------------------------------------------------------


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def overwrite(path: Path, offset: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)


def zero_pages(path: Path) -> None:
    size = path.stat().st_size
    overwrite(path, size // 2 // 4096 * 4096, bytes(8192))


def page_of(path: Path, name: str) -> int:
    """The number of the first page of a table or index."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        return int(page)


def spoil_page(path: Path, name: str) -> None:
    page = page_of(path, name)
    overwrite(path, (page - 1) * 4096 + 8, b"\xff" * 64)


def flip_in_index(path: Path) -> None:
    """An entry of an index that does not fit its row: only a whole look finds it."""
    content = path.read_bytes()
    page = page_of(path, "invoices_any_number") - 1
    at = content.index(b"FV-1/", page * 4096)
    assert at < (page + 1) * 4096
    overwrite(path, at, b"FV-9/")


FILES: dict[str, Callable[[Path], object]] = {
    "cut in the middle": lambda path: cut(path, 0.5),
    "cut inside the header": lambda path: cut(path, 50 / path.stat().st_size),
    "one page left": lambda path: cut(path, 4096 / path.stat().st_size),
    "pages of zeros": zero_pages,
    "all zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "no database": lambda path: path.write_bytes(b"PK\3\4 not a database" * 500),
    "text": lambda path: path.write_text("zażółć" * 1000),
    "header spoilt": lambda path: overwrite(path, 0, b"SQLite format 9\0"),
    "page size spoilt": lambda path: overwrite(path, 16, b"\x00\x03"),
    "schema page spoilt": lambda path: overwrite(path, HEADER, b"\xff" * 200),
    "table page spoilt": lambda path: spoil_page(path, "invoices"),
    "events page spoilt": lambda path: spoil_page(path, "events"),
    "index page spoilt": lambda path: spoil_page(path, "invoices_number"),
    "index entry flipped": flip_in_index,
}


@pytest.mark.parametrize("damage", FILES.values(), ids=FILES.keys())
async def test_a_damaged_file_is_refused_in_a_sentence_and_left_as_it_is(
    path: Path, damage: Callable[[Path], object]
) -> None:
    damage(path)
    assert "Zachowaj ją i przywróć najnowszą kopię: ksef-agent restore" in await refusal(path)
    assert check(path).unfit


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE urls (id INTEGER PRIMARY KEY)")
    assert "to baza innego programu" in await refusal(path)


@pytest.mark.parametrize("pragma", ["application_id", "user_version"])
async def test_numbers_in_the_header_that_are_not_ours_are_refused(path: Path, pragma: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {pragma} = 7")
    assert f"to baza innego programu ({pragma})" in await refusal(path)


async def test_the_log_of_another_database_is_noticed(path: Path, tmp_path: Path) -> None:
    """SQLite takes any write-ahead log of the right name, and mixes the two."""
    other = tmp_path / "other" / "agent.db"
    store = await SqliteStore.open(other, FakeClock(), threaded=False)
    for number in range(1, 40):
        await store.write(partial(add_next, name=f"other-{number}"))
    wal = other.with_name("agent.db-wal").read_bytes()
    await store.close()
    path.with_name("agent.db-wal").write_bytes(wal)
    before = path.read_bytes()
    with pytest.raises(StoreUnfit):
        await SqliteStore.open(path, FakeClock())
    assert path.read_bytes() == before
    assert path.with_name("agent.db-wal").read_bytes() == wal, "nothing was merged"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_rights_is_refused(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(StoreUnfit, match="brak uprawnień"):
        await SqliteStore.open(path, FakeClock())


# --- the schema -------------------------------------------------------------------------------------------

SCHEMAS = {
    "DROP TRIGGER versions_immutable": "brakuje: wyzwalacz versions_immutable",
    "DROP TRIGGER invoices_gapless": "brakuje: wyzwalacz invoices_gapless",
    "DROP INDEX invoices_serial": "brakuje: indeks invoices_serial",
    "DROP TABLE notebook": "brakuje: tabela notebook",
    "DROP TABLE schema_version": "brakuje: tabela schema_version",
    "CREATE TABLE extra (a)": "nie z tego programu: tabela extra",
    "CREATE VIEW extra AS SELECT 1": "nie z tego programu: widok extra",
    "CREATE TRIGGER extra AFTER INSERT ON invoices BEGIN SELECT 1; END": "nie z tego programu: wyzwalacz extra",
    "ALTER TABLE notebook ADD COLUMN more TEXT": "zmieniono: tabela notebook",
    "DROP TRIGGER facts_kept; CREATE TRIGGER facts_kept BEFORE DELETE ON facts BEGIN SELECT 1; END": (
        "zmieniono: wyzwalacz facts_kept"
    ),
    "UPDATE schema_version SET sha256 = 'x' WHERE version = 1": "nie pochodzi z tego programu",
    "INSERT INTO schema_version VALUES (9999, 'future', 'x', 'x')": "zna wersję",
}


@pytest.mark.parametrize(("script", "said"), SCHEMAS.items(), ids=lambda value: value[:40])
async def test_an_altered_schema_is_refused(path: Path, script: str, said: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
    assert said in await refusal(path)


async def test_statistics_of_sqlite_are_no_alteration(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ANALYZE")
    assert check(path).unfit == []
    await (await SqliteStore.open(path, FakeClock())).close()


# --- rows -------------------------------------------------------------------------------------------------

ROWS = {
    "UPDATE events SET data = '{}' WHERE seq = 20": "zdarzenie 20 dziennika zmieniono",
    "UPDATE events SET at = '2026-01-01T00:00:00+00:00' WHERE seq = 3": "zdarzenie 3 dziennika zmieniono",
    "UPDATE events SET chain = lower(hex(zeroblob(32))) WHERE seq = 5": "zdarzenie 5 dziennika zmieniono",
    "DELETE FROM events WHERE seq = 5": "w dzienniku brakuje zdarzenia 5",
    "DELETE FROM events WHERE seq > 15": "nie ma zdarzenia 30",
    "UPDATE invoices SET totals = replace(totals, '123.12', '999.99') WHERE serial = 7": "faktura FV-1/7: jej dane",
    "UPDATE invoices SET number = 'FV-1/700' WHERE serial = 7": "faktura FV-1/700: jej dane",
    "UPDATE invoices SET issued_on = '2026-11-01' WHERE serial = 7": "faktura FV-1/7: jej dane",
    "UPDATE versions SET xml = x'00', sha256 = zeroblob(32) WHERE invoice_id = 'inv-7'": "faktura FV-1/7: jej dane",
    "DELETE FROM versions WHERE invoice_id = 'inv-7'": "wskazuje na nieistniejący wiersz",
    "UPDATE events SET data = 'no json' WHERE seq = 2": "zdarzenie 2 dziennika zmieniono",
}


@pytest.mark.parametrize(("script", "said"), ROWS.items(), ids=lambda value: value[:45])
async def test_a_row_rewritten_behind_the_triggers_is_refused(path: Path, script: str, said: str) -> None:
    """The triggers are back in place, and the database is sound by SQLite's own measure."""
    tamper(path, script)
    assert said in await refusal(path)


async def papers(transaction: SqliteTransaction) -> None:
    """A printed paper, a UPO, a correction and a key: what the log tells of, beside the invoices."""
    for name in ("inv-3", "inv-4", "inv-5"):
        job = await transaction.prints.add(name, "invoice", "Faktura")
        await transaction.events.append(EventKind.PRINT_QUEUED, {"job": job.id}, name)
        await transaction.invoices.add_upo(name, name.encode())
        data = {"sha256": "", "upo_sha256": hashlib.sha256(name.encode()).hexdigest()}
        await transaction.events.append(EventKind.UPO, data, name)
        await transaction.keys.add(KeyRecord(f"key-{name}", bytes(32), name))


LOST = {
    "DELETE FROM print_jobs WHERE invoice_id = 'inv-3'": "w tabeli print_jobs brakuje wierszy: jest 2 z 3",
    "DELETE FROM print_jobs WHERE invoice_id = 'inv-5'": "dziennik zna wydruk 3 faktury FV-1/5",
    "DELETE FROM upos WHERE invoice_id = 'inv-4'": "w tabeli upos brakuje wierszy",
    "DELETE FROM upos WHERE invoice_id = 'inv-5'": "dziennik zna UPO faktury FV-1/5",
    "DELETE FROM idempotency_keys WHERE invoice_id = 'inv-3'": "w tabeli idempotency_keys brakuje wierszy",
}


def test_a_look_that_fails_closes_what_it_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the error is none of SQLite's: its text may be a damaged name, which is no UTF-8."""
    opened: list[Spoilt] = []

    class Spoilt(sqlite3.Connection):
        closed = False

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            opened.append(self)

        def execute(self, *_: Any) -> sqlite3.Cursor:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

        def close(self) -> None:
            self.closed = True
            super().close()

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Spoilt))
    with pytest.raises(UnicodeDecodeError):
        soundness.open_readonly(path)
    assert [each.closed for each in opened] == [True]


@pytest.mark.parametrize(("script", "said"), LOST.items(), ids=lambda value: value[:60])
async def test_a_lost_row_is_refused(path: Path, script: str, said: str) -> None:
    """A key that is gone makes a second invoice of a repeated press."""
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(papers)
    await store.close()
    assert check(path).sentence() is None
    tamper(path, script)
    assert said in await refusal(path)


NEVER_SENT = "state = 'rejected', closed_at = issued_at"
CODE = "https://evil.example/"
TOLD = {
    "UPDATE invoices SET state = 'accepted', ksef_number = 'X', accepted_at = issued_at WHERE serial = 17": (
        "FV-1/17: numer KSeF, stan różnią się od"
    ),
    "UPDATE invoices SET state = 'exempt' WHERE serial = 17": "FV-1/17: stan różni się",
    f"UPDATE invoices SET {NEVER_SENT} WHERE serial = 17": "FV-1/17: zakończenie sprawy, stan różnią się",
    "UPDATE invoices SET state = 'issued' WHERE serial = 7": "FV-1/7: stan różni się",
    "UPDATE invoices SET ksef_number = 'X' WHERE serial = 7": "FV-1/7: numer KSeF różni się",
    "UPDATE invoices SET deadline = '2027-11-30' WHERE serial = 17": "FV-1/17: termin różni się",
    "UPDATE invoices SET deadline = NULL WHERE serial = 17": "FV-1/17: termin różni się",
    "UPDATE invoices SET mode = 'offline24', reason = 'x' WHERE serial = 7": "FV-1/7: tryb, przyczyna trybu różnią się",
    "UPDATE invoices SET pressed_by = 'ktoś' WHERE serial = 7": "FV-1/7: osoba wystawiająca różni się",
    "UPDATE invoices SET totals = replace(totals, 'PLN', 'EUR') WHERE serial = 7": "FV-1/7: waluta różni się",
    f"UPDATE versions SET link_invoice = '{CODE}' WHERE invoice_id = 'inv-7'": "FV-1/7: adres kodu QR",
    f"UPDATE versions SET link_certificate = '{CODE}' WHERE invoice_id = 'inv-7'": "FV-1/7: adres kodu QR",
    "UPDATE idempotency_keys SET invoice_id = 'inv-9' WHERE invoice_id = 'inv-3'": "na fakturę FV-1/4, a nie na tę",
    "UPDATE idempotency_keys SET invoice_id = 'inv-3' WHERE invoice_id = 'inv-4'": "na fakturę FV-1/3, a nie na tę",
    "UPDATE print_jobs SET state = 'failed' WHERE invoice_id = 'inv-6'": "wydruk 1 faktury FV-1/6: stan",
    "UPDATE print_jobs SET state = 'queued' WHERE invoice_id = 'inv-7'": "wydruk 1 faktury FV-1/7: stan",
    "UPDATE print_jobs SET state = 'printed' WHERE invoice_id = 'inv-8'": "wydruk 1 faktury FV-1/8: stan",
    "UPDATE print_jobs SET state = 'printed' WHERE invoice_id = 'inv-3'": "wydruk 1 faktury FV-1/3: stan",
    "UPDATE facts SET body = replace(body, '2026', '2027') WHERE id = 2": "zdarzenie 2 na osi awarii",
    "DELETE FROM facts WHERE id = 2": "na osi awarii, których baza danych nie ma (1)",
}


async def told_in_the_log(transaction: SqliteTransaction) -> None:
    """Papers that ended in every way, one of them on its way again; facts; all as the log tells it."""
    await papers(transaction)
    ends = (
        ("inv-6", PrintState.PRINTED, EventKind.PRINT_PRINTED),
        ("inv-7", PrintState.UNCERTAIN, EventKind.PRINT_UNCERTAIN),
        ("inv-8", PrintState.FAILED, EventKind.PRINT_FAILED),
        ("inv-9", PrintState.FAILED, EventKind.PRINT_FAILED),
    )
    for name, state, kind in ends:
        job = await transaction.prints.add(name, "invoice", "Faktura")
        await transaction.events.append(EventKind.PRINT_QUEUED, {"job": job.id}, name)
        await transaction.prints.move(job.id, PrintState.PRINTING)
        await transaction.prints.move(job.id, state)
        await transaction.events.append(kind, {"job": job.id}, name)
    (again,) = await transaction.prints.of_invoice("inv-9")
    await transaction.prints.move(again.id, PrintState.QUEUED)
    for day in (24, 25):
        body: dict[str, Json] = {"kind": "failure", "begin": f"2026-11-{day}T09:00:00+00:00"}
        await transaction.facts.add(Fact("latarnia", body, datetime(2026, 11, day, 9, tzinfo=UTC)))
        await transaction.events.append(EventKind.FACT, body)


@pytest.mark.parametrize(("script", "said"), TOLD.items(), ids=lambda value: value[:70])
async def test_a_row_is_compared_with_what_the_log_told_last(path: Path, script: str, said: str) -> None:
    """What is never sent, alarms never, prints again or is answered with another invoice."""
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(told_in_the_log)
    await store.close()
    assert check(path).sentence() is None
    tamper(path, script)
    report = check(path)
    assert said in str(report.sentence())
    assert report.unfit == [], "it stops no press"


class Interrupted(sqlite3.Connection):
    """Whose database gets another fact after each statement."""

    facts = 0

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        rows = super().execute(sql, parameters).fetchall()
        self.facts += 1
        body = json.dumps({"kind": "failure", "number": self.facts})
        (file,) = (row[2] for row in super().execute("PRAGMA database_list"))
        with closing(sqlite3.connect(file, isolation_level=None)) as live:
            live.execute("BEGIN")
            live.execute("INSERT INTO facts (source, body, seen_at) VALUES ('latarnia', ?, '')", (body,))
            live.execute(
                "INSERT INTO events (seq, kind, invoice_id, data, at, chain) "
                "SELECT max(seq) + 1, 'fact', NULL, ?, at, ? FROM events",
                (body, f"chain {self.facts}"),
            )
            live.execute("COMMIT")
        return iter(rows)


async def test_a_fact_that_comes_during_the_look_is_no_damage(path: Path) -> None:
    with closing(sqlite3.connect(path, factory=Interrupted, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        assert list(rows_by_log(connection)) == []
        assert list(rows_by_log(connection)) == [], "the facts themselves agree with the log"
        assert connection.facts > 0


async def test_what_an_older_log_does_not_tell_is_no_damage(path: Path) -> None:
    """The log of another program version tells less; nothing is made up for it."""
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(an_older_invoice)
    await store.close()
    assert check(path).sentence() is None


async def an_older_invoice(transaction: SqliteTransaction) -> None:
    name = f"{INVOICES + 1}"
    await add_next(transaction, name)
    await transaction.events.append(EventKind.ISSUED, {}, f"inv-{name}")
    await lead(transaction, f"inv-{name}", InvoiceState.ACCEPTED)
    await transaction.events.append(EventKind.ACCEPTED, {}, f"inv-{name}")


@pytest.mark.parametrize("alone", [True, False])
async def test_a_code_of_another_document_is_noted_where_it_is_read(path: Path, alone: bool) -> None:
    tamper(path, f"UPDATE versions SET link_invoice = '{CODE}' WHERE invoice_id = 'inv-17'")
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    found = store.found
    assert found is not None
    store.found = None
    if alone:
        await store.read(lambda tx: tx.invoices.get("inv-17"))
    else:
        await store.read(lambda tx: tx.invoices.find(InvoiceFilter(number="FV-1/17")))
    assert "faktura FV-1/17" in str(store.damage)
    await store.close()


async def read_for_the_books(transaction: SqliteTransaction) -> None:
    """The books read three invoices, two of them anew by a reader that knows more."""
    for reader, amount in ((1, "1.00"), (2, "2.00")):
        for name in ("inv-3", "inv-4", "inv-5")[reader - 1 :]:
            part = BookPart(date(2026, 11, 24), None, (Amount("K_19", Decimal(amount)),))
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(store_books, "READER", reader)
                sha256 = await transaction.books.put(name, BookEntry((part,)))
            await transaction.events.append(EventKind.BOOKS_READ, {"sha256": {name: sha256}})


BOOKS = {
    "UPDATE books SET entry = replace(entry, '1.00', '9.00') WHERE invoice_id = 'inv-3'": "FV-1/3: dane w księgach",
    "UPDATE books SET entry = replace(entry, '2.00', '1.00') WHERE invoice_id = 'inv-4'": "FV-1/4: dane w księgach",
    "UPDATE books SET last_day = '2026-12-01' WHERE invoice_id = 'inv-4'": "FV-1/4: dane w księgach",
    "UPDATE books SET first_day = '2026-10-01' WHERE invoice_id = 'inv-4'": "FV-1/4: dane w księgach",
    "UPDATE books SET reduces = 1 WHERE invoice_id = 'inv-5'": "FV-1/5: dane w księgach",
    "UPDATE books SET reader = 3 WHERE invoice_id = 'inv-5'": "FV-1/5: dane w księgach",
    "DELETE FROM books WHERE invoice_id = 'inv-5'": "nie mają już tego, co odczytały z faktury FV-1/5",
}


@pytest.mark.parametrize(("script", "said"), BOOKS.items(), ids=lambda value: value[:60])
async def test_what_the_books_keep_is_compared_with_the_log(path: Path, script: str, said: str) -> None:
    """A month is filed by it."""
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(read_for_the_books)
    await store.close()
    assert check(path).sentence() is None
    tamper(path, script)
    report = check(path)
    assert said in str(report.sentence())
    assert report.unfit == [], "it stops no press"


async def test_flipped_bytes_of_a_upo_are_told(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(papers)
    await store.close()
    tamper(path, "UPDATE upos SET xml = x'00' WHERE invoice_id = 'inv-4'")
    assert "UPO faktury FV-1/4: treść nie zgadza się" in str(check(path).sentence())


async def test_the_whole_chain_is_checked_where_there_is_time_and_its_end_always(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(path, "UPDATE events SET data = '{}' WHERE seq = 2")
    monkeypatch.setattr(soundness, "TAIL", 10)
    assert check(path).unfit
    report = require_fit(path, seconds=0.0)
    assert not report.complete, "the early event was not reached, and the start goes on"
    monkeypatch.setattr(soundness, "TAIL", TAIL)
    with pytest.raises(StoreUnfit):
        require_fit(path, seconds=0.0)


# --- single documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3", "17"], ids=["accepted", "unsent"])
async def test_flipped_bytes_of_one_document_are_told_and_stop_nothing(path: Path, name: str) -> None:
    content = path.read_bytes()
    at = content.index(f"<Faktura>{name}</Faktura>".encode())
    overwrite(path, at + 1, b"f")
    store = await SqliteStore.open(path, FakeClock())
    assert store.found == (
        f"Baza danych jest uszkodzona: faktura FV-1/{name}, wersja 1: treść nie zgadza się ze skrótem SHA-256."
    )
    assert await store.check() == store.found
    await store.close()


# --- time, and whatever else may come ---------------------------------------------------------------------


def test_a_start_does_not_wait_for_a_large_database(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for number in range(3000):
            connection.execute("INSERT INTO notebook VALUES (?, ?)", (f"{number}", "x" * 3000))
        connection.execute("COMMIT")
    begun = time.monotonic()
    report = check(path, seconds=0.001)
    assert not report.complete
    assert time.monotonic() - begun < 5.0
    assert check(path).complete


def test_time_that_runs_out_between_two_statements_ends_the_next(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's interrupt ends what runs at that moment alone; the statements after it ask for the time themselves."""
    moments = itertools.chain((0.0,), itertools.repeat(3600.0))
    monkeypatch.setattr(soundness, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    monkeypatch.setattr(soundness, "STEPS", 1)
    assert not check(path, seconds=3600.0).complete, "the hour is over, though no timer fired"


@pytest.mark.parametrize("seed", range(60))
async def test_random_damage_ends_in_a_sentence_or_in_no_harm(path: Path, seed: int) -> None:
    """Never in a traceback: neither at the start, nor by the daily check, nor in what reads the rows afterwards."""
    await damage_randomly(path, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1000, 1500)))
async def test_random_damage_for_long(path: Path, seed: int) -> None:
    await damage_randomly(path, seed)


def spoilt(content: bytes, draw: random.Random, lengths: tuple[int, ...]) -> bytes:
    """Return it with a few places, of lengths that are drawn, overwritten by zeros or by anything."""
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20))):
        at = draw.randrange(len(damaged))
        length = draw.choice(lengths)
        damaged[at : at + length] = draw.choice((bytes(length), draw.randbytes(length)))
    return bytes(damaged)


async def damage_randomly(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    content = spoilt(path.read_bytes(), draw, (1, 1, 4, 64, 4096))
    path.write_bytes(content[: draw.choice((len(content), len(content), draw.randrange(len(content))))])
    before = path.read_bytes()
    check(path)
    try:
        store = await SqliteStore.open(path, FakeClock(), threaded=False)
    except AgentError:
        assert path.read_bytes() == before
        return
    with contextlib.suppress(AgentError):
        await store.read(lambda transaction: transaction.invoices.queue())
        await store.read(lambda transaction: transaction.invoices.unsent())
        await store.read(lambda transaction: transaction.facts.all())
        await store.write(partial(press, number=INVOICES + 1))
    await store.close()


def test_a_database_without_tables_is_new_and_not_damaged(tmp_path: Path) -> None:
    """The very first start was cut off before its first step."""
    path = tmp_path / "agent.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE soon_gone (a)")
        connection.execute("DROP TABLE soon_gone")
    assert path.stat().st_size > 0
    report = check(path)
    assert (report.unfit, report.damaged, report.refusal) == ([], [], None)
