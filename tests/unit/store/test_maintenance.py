"""Backup, restore and export: the commands, as a technician runs them."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from agent.commands import backup, export, restore
from agent.domain.calendar import local_date
from agent.domain.errors import AgentError, ConfigError, Conflict, NotFound, Refused, StoreUnfit, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import InvoiceFilter, Json
from agent.store import copies, maintenance
from agent.store import restore as restoring
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from agent.system.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead
from tests.fakes.tampering import tamper

NIP = "5265877635"
"""The seller of tests/fakes/invoices.py."""


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """A till's directory: settings, and a database of a live or stopped agent."""
    (tmp_path / "config.toml").write_text(
        f'data_dir = "data"\n[seller]\nnip = "{NIP}"\nname = "Sklep"\n[seller.address]\nline1 = "ul. Prosta 1"\n'
        '[retention]\nkeep_days = 100\nexport_dir = "archive"\n'
    )
    return tmp_path


@pytest.fixture
def database(till: Path) -> Path:
    return till / "data" / DATABASE


def on_store(database: Path, *works: Callable[[SqliteTransaction], Any]) -> list[Any]:
    """Open, do, close."""

    async def main() -> list[Any]:
        store = await SqliteStore.open(database, FakeClock())
        try:
            return [await store.write(work) for work in works]
        finally:
            await store.close()

    return asyncio.run(main())


def sell(database: Path, *names: str, state: InvoiceState = InvoiceState.ACCEPTED, **changes: Any) -> None:
    async def work(transaction: SqliteTransaction) -> None:
        for name in names:
            await add_next(transaction, name, **changes)
            await lead(transaction, f"inv-{name}", state)

    on_store(database, work)


def names(database: Path) -> list[str]:
    (found,) = on_store(database, lambda transaction: transaction.invoices.find(InvoiceFilter()))
    return [record.id for record in reversed(found)]


def run(command: click.Command, till: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, [*arguments, "--config", str(till / "config.toml")], input=stdin)


def answer(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.output)
    return found


def refusal(result: Result, kind: type[AgentError]) -> str:
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


# --- backup -----------------------------------------------------------------------------------------------


async def test_a_backup_beside_a_live_agent_is_whole(till: Path, database: Path) -> None:
    store = await SqliteStore.open(database, FakeClock())
    target = till / "copy.db"
    for name in "abc":
        await store.write(partial(add_next, name=name))
    result = await asyncio.to_thread(run, backup.command, till, str(target), "--json")
    await store.write(lambda transaction: add_next(transaction, "later"))
    assert answer(result)["invoices"] == 3
    assert answer(result)["series"] == {"FV-1": 3}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", answer(result)["last_issued_at"])
    assert maintenance.check(target) == ()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(os.listdir(till)) == ["config.toml", "copy.db", "data"], "one file, no leftovers"  # noqa: PTH208
    with pytest.raises(Conflict):
        await store.backup(target)
    assert (await store.backup(target, replace=True)).invoices == 4
    await store.close()


def test_a_backup_does_not_replace_a_file_by_itself(till: Path, database: Path) -> None:
    sell(database, "a")
    target = till / "copy.db"
    target.write_text("precious")
    assert "--force" in refusal(run(backup.command, till, str(target)), Conflict)
    assert target.read_text() == "precious"
    assert "faktur 1" in run(backup.command, till, str(target), "--force").output


def test_who_is_asked_reads_the_till_s_own_time(till: Path, database: Path) -> None:
    """The newest invoice of the fakes is of 10:00 in Warsaw, 9:00 UTC; who says no leaves everything as it is."""
    sell(database, "a")
    assert run(backup.command, till, str(till / "copy.db")).exit_code == 0
    asked = run(restore.command, till, str(till / "copy.db"), stdin="n\n")
    assert asked.exit_code == 1
    assert re.search(r"^Kopia: faktur 1, ostatnia FV-1/\S+ z \d\d\.\d\d\.\d{4} 10:00\.$", asked.output, re.MULTILINE)
    assert "Przywrócić tę kopię? (y: tak)" in asked.output


@pytest.mark.parametrize("name", ["agent.db", "agent.db-wal", "agent.db-shm", "../data/agent.db", "link", "other-name"])
def test_a_backup_never_takes_the_place_of_the_database(till: Path, database: Path, name: str) -> None:
    """Whatever --force says: a running agent would lose what it holds open."""
    sell(database, "a")
    (database.parent / "link").symlink_to(database)
    os.link(database, database.parent / "other-name")
    before = database.stat().st_ino
    ran = run(backup.command, till, str(database.parent / name), "--force")
    assert "to sama baza danych" in refusal(ran, Refused)
    assert (database.stat().st_ino, names(database)) == (before, ["inv-a"])


def nightly(till: Path) -> Path:
    """Name today's copy of a till whose copies go beside its data."""
    settings = till / "config.toml"
    settings.write_text(settings.read_text() + '[backup]\ndir = "copies"\n')
    (till / "copies").mkdir()
    return till / "copies" / f"agent-{local_date(SystemClock().now()).isoweekday()}.db"


def test_the_nightly_copy_replaces_that_of_a_week_ago_and_is_remembered(till: Path, database: Path) -> None:
    target = nightly(till)
    target.write_bytes(b"of a week ago")
    assert "nie ma czego kopiować" in run(backup.command, till, "--nightly").output  # before the first start
    assert not (database.parent / copies.NAME).exists()
    sell(database, "a")
    assert answer(run(backup.command, till, "--nightly", "--json"))["file"] == str(target)
    assert maintenance.check(target) == ()
    known = copies.read(database)
    assert (known.last_file, known.problem) == (str(target), None)
    assert known.last_at is not None
    assert abs((SystemClock().now() - known.last_at).total_seconds()) < 600
    assert stat.S_IMODE((database.parent / copies.NAME).stat().st_mode) == 0o600


def test_a_nightly_copy_that_fails_is_remembered_beside_the_one_before(till: Path, database: Path) -> None:
    target = nightly(till)
    sell(database, "a")
    assert run(backup.command, till, "--nightly").exit_code == 0
    shutil.rmtree(till / "copies")
    said = refusal(run(backup.command, till, "--nightly"), Refused)
    known = copies.read(database)
    assert (known.last_file, known.problem) == (str(target), said)
    assert known.failed_at is not None
    (till / "copies").mkdir()
    assert run(backup.command, till, "--nightly").exit_code == 0
    assert copies.read(database).problem is None


def test_a_database_that_is_gone_is_no_new_till(till: Path, database: Path) -> None:
    """Where there was a copy, there was a database: the timer says so instead of having nothing to do."""
    nightly(till)
    sell(database, "a")
    assert run(backup.command, till, "--nightly").exit_code == 0
    database.unlink()
    refusal(run(backup.command, till, "--nightly"), NotFound)
    assert "Nie ma bazy danych" in str(copies.read(database).problem)


def test_what_a_person_reads_at_once_is_no_matter_for_hq(till: Path, database: Path) -> None:
    sell(database, "a")
    (till / "copy.db").touch()
    refusal(run(backup.command, till, str(till / "copy.db")), Conflict)
    assert copies.read(database).problem is None
    for arguments in ([], ["--nightly", str(till / "copy.db")]):
        assert run(backup.command, till, *arguments).exit_code == 2


def test_before_an_upgrade_a_till_that_never_ran_has_nothing_to_copy(till: Path) -> None:
    result = run(backup.command, till, "--force", "--if-present", str(till / "copy.db"))
    assert result.exit_code == 0, result.exception
    assert not (till / "copy.db").exists()


def test_wrong_settings_do_not_keep_a_copy_from_being_made(till: Path, database: Path) -> None:
    sell(database, "a")
    (till / "config.toml").write_text("nonsense")
    refusal(run(backup.command, till, str(till / "copy.db")), ConfigError)
    assert run(backup.command, till, "--data-dir", str(database.parent), str(till / "copy.db")).exit_code == 0
    assert maintenance.check(till / "copy.db") == ()


def test_a_backup_of_nothing_or_to_nowhere_is_one_sentence(till: Path, database: Path) -> None:
    refusal(run(backup.command, till, str(till / "copy.db")), NotFound)
    sell(database, "a")
    refusal(run(backup.command, till, str(till / "no" / "copy.db")), Refused)


def damage(database: Path) -> None:
    """Change stored bytes behind the triggers' back."""
    tamper(database, "UPDATE versions SET xml = x'00'")


def test_a_damaged_database_is_not_backed_up(till: Path, database: Path) -> None:
    sell(database, "a")
    damage(database)
    assert "SHA-256" in refusal(run(backup.command, till, str(till / "copy.db")), StoreUnfit)
    assert not (till / "copy.db").exists()


# --- restore ----------------------------------------------------------------------------------------------


@pytest.fixture
def copy(till: Path, database: Path) -> Path:
    """A backup with invoices a and b; c was issued after it."""
    sell(database, "a", "b")
    target = till / "copy.db"
    assert run(backup.command, till, str(target)).exit_code == 0
    sell(database, "c")
    return target


def test_a_restore_brings_back_what_the_backup_held(till: Path, database: Path, copy: Path) -> None:
    facts = answer(run(restore.command, till, str(copy), "--json"))
    assert names(database) == ["inv-a", "inv-b"]
    assert names(Path(facts["replaced"])) == ["inv-a", "inv-b", "inv-c"], "what was there is kept"
    (events,) = on_store(database, lambda transaction: transaction.events.after(0))
    assert events[-1].kind == "store.restored"
    assert events[-1].data["backup_sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()


def test_a_restore_asks_first_and_tells_the_last_numbers(till: Path, database: Path, copy: Path) -> None:
    result = run(restore.command, till, str(copy), stdin="n\n")
    assert isinstance(result.exception, SystemExit | click.Abort)
    assert "Ostatni numer serii FV-1 w kopii: 2." in result.output
    assert "Faktury, których w kopii brakuje (1):\n  FV-1/3  2026-11-24  123.12 PLN  KSEF-inv-c" in result.output
    assert "Seria FV-1: następny numer 4 (pominięte: 1)." in result.output
    assert names(database) == ["inv-a", "inv-b", "inv-c"]
    assert "Przywrócono" in run(restore.command, till, str(copy), stdin="y\n").output
    assert names(database) == ["inv-a", "inv-b"]


def test_a_restore_onto_an_empty_till(till: Path, database: Path, copy: Path) -> None:
    for file in database.parent.iterdir():
        file.unlink()
    database.parent.rmdir()
    known = ("--continue-after", "FV-1=2", "--continue-after", "FK-1=0")
    assert answer(run(restore.command, till, str(copy), "--json", *known))["replaced"] is None
    assert names(database) == ["inv-a", "inv-b"]


async def test_a_restore_under_a_live_agent_is_refused(till: Path, database: Path) -> None:
    store = await SqliteStore.open(database, FakeClock())
    await store.backup(till / "copy.db")
    result = await asyncio.to_thread(run, restore.command, till, str(till / "copy.db"), "--yes")
    assert "używa już danych" in refusal(result, Conflict)
    await store.close()


def test_a_wal_of_a_killed_agent_never_meets_the_restored_database(till: Path, database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as killed:
        killed.execute("PRAGMA wal_autocheckpoint=0")
        killed.execute("INSERT INTO notebook VALUES ('x', '1')")
        left = {name: (database.parent / name).read_bytes() for name in (f"{DATABASE}-wal", DATABASE)}
    for name, content in left.items():
        (database.parent / name).write_bytes(content)
    facts = answer(run(restore.command, till, str(copy), "--json"))
    assert names(database) == ["inv-a", "inv-b"]
    (note,) = on_store(Path(facts["replaced"]), lambda transaction: transaction.key_values.get("x"))
    assert note == 1, "the last commits before the kill are in what was put aside"


def test_a_wal_whose_database_was_removed_never_meets_the_restored_one(till: Path, database: Path, copy: Path) -> None:
    wal = database.with_name(f"{DATABASE}-wal")
    with closing(sqlite3.connect(database, isolation_level=None)) as killed:
        killed.execute("PRAGMA wal_autocheckpoint=0")
        killed.execute("CREATE TABLE later (a)")
        left = wal.read_bytes()
    database.unlink()
    wal.write_bytes(left)
    assert answer(run(restore.command, till, str(copy), "--json"))["replaced"] is None
    assert names(database) == ["inv-a", "inv-b"]
    assert maintenance.check(database) == ()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'later'").fetchall() == []
    (kept,) = database.parent.glob("*.replaced-*-wal")
    assert kept.read_bytes() == left


def test_a_database_that_another_program_reads_is_not_replaced(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its WAL cannot be merged then, and a crash in between would leave the old database without it."""
    monkeypatch.setattr(restoring, "BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM invoices").fetchall()
        sell(database, "d")
        assert "czyta inny program" in refusal(run(restore.command, till, str(copy), "--yes"), Unavailable)
    assert names(database) == ["inv-a", "inv-b", "inv-c", "inv-d"]
    left = {DATABASE, f"{DATABASE}.series", copies.NAME}
    assert set(os.listdir(database.parent)) == left, "nothing left over"  # noqa: PTH208


def test_a_restore_is_recorded_before_the_name_changes(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that starts after a crash must not give again numbers that stand on paper."""

    def killed(partial: Path, target: Path) -> None:
        shutil.copy(partial, till / "at-the-switch.db")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(restoring, "put_in_place", killed)
    refusal(run(restore.command, till, str(copy), "--yes", "--continue-after", "FV-1=7"), Refused)
    assert names(database) == ["inv-a", "inv-b", "inv-c"]
    (serial,) = on_store(till / "at-the-switch.db", lambda transaction: transaction.invoices.next_serial("FV-1"))
    assert serial == 8


def test_a_copy_whose_last_checkpoint_fails_takes_no_name(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's close() is silent about it: what was written into the copy would stay behind in its log."""
    record = restore._record

    async def leave_the_log(unfinished: Path, *rest: Any) -> tuple[int, str]:
        bystanders.append(sqlite3.connect(unfinished))  # not the last to close: no checkpoint is made
        bystanders[0].execute("PRAGMA journal_mode=WAL")
        bystanders[0].execute("SELECT * FROM schema_version").fetchall()
        return await record(unfinished, *rest)

    bystanders: list[sqlite3.Connection] = []
    monkeypatch.setattr(restore, "_record", leave_the_log)
    assert "nie wszystko zapisano" in refusal(run(restore.command, till, str(copy), "--yes"), Unavailable)
    bystanders[0].close()
    assert names(database) == ["inv-a", "inv-b", "inv-c"]


def test_a_damaged_database_can_be_replaced(till: Path, database: Path, copy: Path) -> None:
    database.write_bytes(b"\0" * 8192)
    answer(run(restore.command, till, str(copy), "--json"))
    assert names(database) == ["inv-a", "inv-b"]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\0" * 5000])
def test_what_is_no_backup_is_refused(till: Path, database: Path, copy: Path, content: bytes) -> None:
    copy.write_bytes(content)
    refusal(run(restore.command, till, str(copy), "--yes"), StoreUnfit)
    assert names(database) == ["inv-a", "inv-b", "inv-c"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE versions SET xml = x'00'", StoreUnfit),
        ("INSERT INTO schema_version VALUES (9999, 'future', 'x', 'x')", StoreUnfit),
        ("UPDATE invoices SET seller_nip = '5261040828'", Conflict),
    ],
)
def test_a_backup_that_does_not_fit_is_refused(
    till: Path, database: Path, copy: Path, change: str, kind: type[AgentError]
) -> None:
    tamper(copy, change)
    refusal(run(restore.command, till, str(copy), "--yes"), kind)
    assert names(database) == ["inv-a", "inv-b", "inv-c"]


def test_a_wrong_last_number_is_wrong_use(till: Path, copy: Path) -> None:
    for wrong in ("FV-1", "FV-1=-1", "=5", "FV-1=x", "FV-1=²"):
        assert run(restore.command, till, str(copy), "--yes", "--continue-after", wrong).exit_code == 2


# --- export -----------------------------------------------------------------------------------------------


@pytest.fixture
def year(till: Path, database: Path) -> Path:
    """An old accepted invoice with UPO and paper, a recent accepted one, an old one that KSeF has not taken."""
    sell(database, "old", issued_on=date(2020, 1, 31))
    sell(database, "new", issued_on=SystemClock().now().date())
    sell(database, "stuck", issued_on=date(2020, 2, 1), state=InvoiceState.IN_DOUBT)

    async def papers(transaction: SqliteTransaction) -> None:
        await transaction.invoices.add_upo("inv-old", b"<UPO/>")
        await transaction.events.append(EventKind.ISSUED, {"a": 1}, "inv-old")
        job = await transaction.prints.add("inv-old", "invoice", "Faktura")
        await transaction.prints.move(job.id, PrintState.PRINTING, data=b"ESC")
        await transaction.prints.move(job.id, PrintState.PRINTED)

    on_store(database, papers)
    return till / "archive"


def test_an_export_is_readable_without_the_program(till: Path, year: Path) -> None:
    assert answer(run(export.command, till, "--json", "--before", "2021-01-01"))["exported"] == 1
    (file,) = year.rglob("*.zip")
    assert file.relative_to(year).as_posix() == "2020/01/FV-1-1_inv-old.zip"
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == [
            "events.json",
            "invoice-1.xml",
            "invoice.json",
            "print-1-1.bin",
            "prints.json",
            "upo.xml",
        ]
        record = json.loads(archive.read("invoice.json"))
        assert record["xml"]["sha256"] == hashlib.sha256(archive.read("invoice-1.xml")).hexdigest()
        assert (record["number"], record["totals"]["gross"], record["state"]) == ("FV-1/1", "123.12", "accepted")
        assert archive.read("print-1-1.bin") == b"ESC"
        assert json.loads(archive.read("events.json"))[0]["kind"] == "issued"


def test_only_old_exported_final_invoices_are_pruned(till: Path, database: Path, year: Path) -> None:
    tomorrow = "2999-01-01"
    assert answer(run(export.command, till, "--json", "--prune", "--before", tomorrow)) == {
        "folder": str(till / "archive"),
        "exported": 2,
        "pruned": 1,
        "kept": 0,
    }
    records = {record.id: record for record in on_store(database, lambda t: t.invoices.find(InvoiceFilter()))[0]}
    assert {name: bool(record.xml) for name, record in records.items()} == {
        "inv-old": False,
        "inv-new": True,
        "inv-stuck": True,
    }
    assert answer(run(export.command, till, "--json", "--prune", "--before", tomorrow))["pruned"] == 0


def test_nothing_is_pruned_whose_export_is_gone_or_changed(till: Path, database: Path, year: Path) -> None:
    answer(run(export.command, till, "--json"))
    for file in year.rglob("*.zip"):
        file.write_bytes(file.read_bytes() + b"x")
    refusal(run(export.command, till, "--prune"), Refused)
    (record,) = on_store(database, lambda transaction: transaction.invoices.get("inv-old"))
    assert record.xml


def test_nothing_is_pruned_by_a_clock_that_runs_ahead(till: Path, database: Path, year: Path) -> None:
    """To a clock of next year everything is old. KSeF told another time, in this very boot."""
    clock = SystemClock()
    mark: dict[str, Json] = {
        "at": (clock.now() - timedelta(days=400)).isoformat(),
        "monotonic": clock.monotonic(),
        "boot": clock.boot(),
        "source": "ksef",
    }

    async def work(transaction: SqliteTransaction) -> None:
        await transaction.key_values.put("clock", {"mark": mark})

    on_store(database, work)
    refused = refusal(run(export.command, till, "--prune"), Refused)
    assert "różni się od czasu KSeF o 400 dni" in refused
    (record,) = on_store(database, lambda transaction: transaction.invoices.get("inv-old"))
    assert record.xml


async def test_an_export_beside_a_live_agent(till: Path, database: Path) -> None:
    store = await SqliteStore.open(database, FakeClock())

    async def work(transaction: SqliteTransaction) -> None:
        await add_next(transaction, "a", issued_on=date(2020, 1, 1))
        await lead(transaction, "inv-a", InvoiceState.ACCEPTED)

    await store.write(work)
    result = await asyncio.to_thread(run, export.command, till, "--json", "--prune")
    assert answer(result)["pruned"] == 1
    assert (await store.read(lambda transaction: transaction.invoices.get("inv-a"))).xml == b""
    await store.close()


def test_a_damaged_invoice_is_not_exported_and_stops_no_other(till: Path, database: Path, year: Path) -> None:
    tamper(database, "UPDATE versions SET xml = x'00' WHERE invoice_id = 'inv-old'")
    for _ in range(2):
        result = run(export.command, till, "--before", "2999-01-01")
        assert "treść jest uszkodzona (1)" in refusal(result, Refused)
        (file,) = (till / "archive").rglob("*.zip")
        assert "inv-new" in file.name


def test_an_export_to_nowhere_is_one_sentence(till: Path, database: Path, year: Path) -> None:
    (till / "file").touch()
    refusal(run(export.command, till, "--out", str(till / "file" / "x")), Refused)
    (till / "config.toml").write_text((till / "config.toml").read_text().replace('export_dir = "archive"\n', ""))
    refusal(run(export.command, till), ConfigError)
    shutil.rmtree(database.parent)
    refusal(run(export.command, till, "--out", str(till / "x")), NotFound)
