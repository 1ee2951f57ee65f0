"""A database that is missing, empty, renamed, deleted or replaced: nothing starts anew, nothing is destroyed."""

# ruff: noqa: ASYNC240 - files are what this is about
from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from agent.domain.errors import AgentError, Conflict, StoreLost, StoreMoved, StoreUnfit
from agent.domain.event_kinds import EventKind
from agent.ports import Clock, InvoiceFilter
from agent.store import copies, maintenance
from agent.store.connection import Connection
from agent.store.disk import new_name
from agent.store.lock import DataLock, holder_of
from agent.store.mark import read_mark
from agent.store.migrate import migrate
from agent.store.sqlite import SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, add_next


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "agent.db"


async def press(transaction: SqliteTransaction, name: str) -> int:
    serial = await add_next(transaction, name)
    await transaction.events.append(EventKind.ISSUED, {"serial": serial}, f"inv-{name}")
    return serial


async def sell(path: Path, *names: str, killed: bool = False) -> None:
    """Sell, one commit each; ``killed`` leaves everything as SIGKILL does."""
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    for name in names:
        await store.write(partial(press, name=name))
    left = {each: each.read_bytes() for each in path.parent.iterdir()} if killed else {}
    await store.close()
    for each, content in left.items():
        each.write_bytes(content)


async def numbers(path: Path) -> list[int | None]:
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    found = await store.read(lambda transaction: transaction.invoices.find(InvoiceFilter()))
    await store.close()
    return [record.serial for record in reversed(found)]


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith("-shm")}


# --- at the start -----------------------------------------------------------------------------------------

TRACES = {
    "log": "agent.db-wal",
    "index of the log": "agent.db-shm",
    "journal": "agent.db-journal",
    "lock of an older version": "agent.db.lock",
    "mark": "agent.db.series",
    "renamed": "agent.db.bak",
    "replaced": "agent.db.replaced-20261128T101112.131415Z",
    "under another name": "kasa-stara.db",
}


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
@pytest.mark.parametrize("name", TRACES.values(), ids=TRACES.keys())
async def test_no_new_till_beside_the_traces_of_an_old_one(path: Path, tmp_path: Path, name: str, empty: bool) -> None:
    path.parent.mkdir()
    (path.parent / name).write_bytes(b"SQLite format 3\0" + b"\1" * 5000)
    if empty:
        path.touch()
    before = contents(path.parent)
    for attempt in (
        SqliteStore.open(path, FakeClock()),
        SqliteStore.open(path, FakeClock(), exclusive=False),
        SqliteStore.open_readonly(path),
    ):
        with pytest.raises(StoreUnfit, match=f"{name}.*ksef-agent restore"):
            await attempt
    with pytest.raises(StoreUnfit, match="ślady pracy agenta"):
        maintenance.check(path)
    with pytest.raises(StoreUnfit, match="ślady pracy agenta"):
        maintenance.summarise(path)
    with pytest.raises(StoreUnfit, match="ślady pracy agenta"):
        maintenance.back_up(path, tmp_path / "copy.db")
    assert contents(path.parent) == before, "nothing was made, changed or deleted"


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
async def test_the_log_of_a_lost_database_is_kept(path: Path, empty: bool) -> None:
    await sell(path, "a", "b", killed=True)
    wal = path.with_name("agent.db-wal")
    before = wal.read_bytes()
    assert len(before) > 4096
    path.unlink()
    if empty:
        path.touch()
    with pytest.raises(StoreUnfit, match=r"agent\.db-wal"):
        await SqliteStore.open(path, FakeClock())
    assert wal.read_bytes() == before


async def test_a_renamed_database_is_named_and_works_again_under_its_name(path: Path) -> None:
    await sell(path, "a", "b")
    path.rename(path.with_name("agent.db.old"))
    with pytest.raises(StoreUnfit, match=r"Bazą danych może być plik: agent\.db\.old"):
        await SqliteStore.open(path, FakeClock())
    path.with_name("agent.db.old").rename(path)
    assert await numbers(path) == [1, 2]


async def test_no_new_till_where_a_copy_was_made_once(path: Path, tmp_path: Path) -> None:
    """Database, mark and log are gone together, with a disk; that there was something to copy is still written here."""
    path.parent.mkdir()
    copies.note_copy(path, datetime(2026, 11, 28, tzinfo=UTC), tmp_path / "gone.db")
    with pytest.raises(StoreUnfit, match=r"backups\.json"):
        await SqliteStore.open(path, FakeClock())
    (path.parent / "backups.json").unlink()
    copies.note_failure(path, datetime(2026, 11, 28, tzinfo=UTC), "no database")
    assert await numbers(path) == [], "a timer that fired before the first start is no trace"


async def test_a_database_moved_without_its_log_and_linked_is_not_taken(path: Path, tmp_path: Path) -> None:
    """SQLite looks for the log beside the file, not beside the link; so does the mark."""
    await sell(path, "a", "b")
    await sell(path, "c", killed=True)
    path.rename(tmp_path / "elsewhere.db")
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnfit, match="w serii FV-1 kończy się na numerze 2, a wydano już 3"):
        await SqliteStore.open(path, FakeClock())
    path.with_name("agent.db-wal").rename(tmp_path / "elsewhere.db-wal")
    assert await numbers(path) == [1, 2, 3]
    await sell(path, "d")
    assert await numbers(path) == [1, 2, 3, 4], "the mark that stayed beside the link holds nothing up"


async def test_a_new_till_starts(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "tokens.json").write_text("{}")
    assert await numbers(path) == []


async def test_an_empty_file_without_any_trace_is_a_new_till(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert await numbers(path) == []


async def test_a_first_start_that_was_cut_off_begins_anew(path: Path) -> None:
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        begun = new_name(path)
        begun.with_name(begun.name + suffix).write_bytes(b"SQLite format 3\0")
    assert await numbers(path) == []
    assert not list(path.parent.glob(".agent.db*"))


async def test_a_database_has_its_name_only_when_it_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(begun: Path, path: Path) -> None:
        with closing(sqlite3.connect(begun)) as connection:
            assert connection.execute("SELECT count(*) FROM schema_version").fetchone()[0] > 0
        assert not path.exists()
        raise StoreUnfit("power cut")

    monkeypatch.setattr("agent.store.opening._finish_file", cut)
    with pytest.raises(StoreUnfit, match="power cut"):
        await SqliteStore.open(path, FakeClock())
    monkeypatch.undo()
    assert await numbers(path) == []


async def test_a_first_start_whose_last_checkpoint_fails_begins_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's close() is silent about it (no room, a bad disk) and leaves the log, which has no such name any more."""

    async def migrate_and_leave_the_log(connection: Connection, clock: Clock) -> None:
        await migrate(connection, clock)
        bystanders.append(sqlite3.connect(new_name(path)))  # not the last to close: no checkpoint is made
        bystanders[0].execute("SELECT * FROM schema_version").fetchall()

    bystanders: list[sqlite3.Connection] = []
    monkeypatch.setattr("agent.store.opening.migrate", migrate_and_leave_the_log)
    with pytest.raises(StoreUnfit, match="nie wszystko zapisano"):
        await SqliteStore.open(path, FakeClock(), threaded=False)
    assert not path.exists()
    bystanders[0].close()
    monkeypatch.undo()
    assert await numbers(path) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link", "link to a folder"])
async def test_what_is_no_file_is_one_sentence(path: Path, tmp_path: Path, kind: str) -> None:
    path.parent.mkdir()
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "dangling link":
            path.symlink_to(tmp_path / "unmounted" / "agent.db")
        case _:
            path.symlink_to(tmp_path)
    with pytest.raises(StoreUnfit, match=r"nie jest plikiem|podłączony"):
        await SqliteStore.open(path, FakeClock())
    assert not (tmp_path / "unmounted").exists()


# --- a database put in place by hand ----------------------------------------------------------------------


async def test_an_older_copy_put_in_place_by_hand_is_refused(path: Path, tmp_path: Path) -> None:
    await sell(path, "a", "b")
    maintenance.back_up(path, tmp_path / "copy.db")
    await sell(path, "c", killed=True)
    for leftover in path.parent.glob("agent.db-*"):
        leftover.unlink()
    shutil.copy(tmp_path / "copy.db", path)
    with pytest.raises(StoreUnfit, match="w serii FV-1 kończy się na numerze 2, a wydano już 3") as refused:
        await SqliteStore.open(path, FakeClock())
    assert f"ksef-agent restore {path}" in str(refused.value)


async def test_another_tills_database_is_refused_where_the_numbers_fit(path: Path, tmp_path: Path) -> None:
    await sell(path, "a", "b")
    other = tmp_path / "other" / "agent.db"
    await sell(other, "x", "y", "z")
    shutil.copy(other, path)
    with pytest.raises(StoreUnfit, match="nie ma zdarzenia 2"):
        await SqliteStore.open(path, FakeClock())


async def test_a_database_that_knows_more_than_the_mark_is_taken(path: Path) -> None:
    """An older program, which knows no mark, worked in between."""
    await sell(path, "a")
    old = read_mark(path.with_name("agent.db.series"))
    before = path.with_name("agent.db.series").read_bytes()
    await sell(path, *(f"{number}" for number in range(60)))
    path.with_name("agent.db.series").write_bytes(before)
    assert len(await numbers(path)) == 61
    new = read_mark(path.with_name("agent.db.series"))
    assert old is not None
    assert new is not None
    assert (old.used, new.used) == ({SERIES: 1}, {SERIES: 61})


async def test_a_restore_by_a_program_that_knows_no_mark_is_taken(path: Path, tmp_path: Path) -> None:
    """The way back to an older version and forward again; its restore wrote itself into the log."""
    await sell(path, "a")
    maintenance.back_up(path, tmp_path / "copy.db")
    await sell(path, "b")

    async def as_the_old_one_did(transaction: SqliteTransaction) -> None:
        await transaction.invoices.resume_series(SERIES, 2, "way back")
        await transaction.events.append(EventKind.STORE_RESTORED, {})

    copy = await SqliteStore.open_copy(tmp_path / "copy.db", FakeClock(datetime(2099, 1, 1, tzinfo=UTC)))
    await copy.write(as_the_old_one_did)
    await copy.close()
    shutil.copy(tmp_path / "copy.db", path)
    await sell(path, "c")
    assert await numbers(path) == [1, 3]


async def test_a_database_without_a_mark_gets_one(path: Path) -> None:
    await sell(path, "a")
    path.with_name("agent.db.series").unlink()
    await sell(path, "b")
    mark = read_mark(path.with_name("agent.db.series"))
    assert mark is not None
    assert mark.used == mark.reserved == {SERIES: 2}


@pytest.mark.parametrize("content", [b"", b"junk", b"00000000 {}\n", b"\xff\xfe"])
async def test_a_damaged_mark_is_one_sentence(path: Path, content: bytes) -> None:
    await sell(path, "a")
    path.with_name("agent.db.series").write_bytes(content)
    with pytest.raises(StoreUnfit, match=r"agent\.db\.series.*jest uszkodzony"):
        await SqliteStore.open(path, FakeClock())


# --- while it runs ----------------------------------------------------------------------------------------


async def lost(path: Path, happens: Callable[[], object]) -> StoreLost:
    """Let something happen to the files under an open store; return what the next press meets."""
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, name="before"))
    await asyncio.to_thread(happens)
    with pytest.raises(StoreLost) as press_met:
        await store.write(partial(press, name="after"))
    with pytest.raises(StoreLost):
        await store.watch()
    with pytest.raises(StoreLost):
        await store.read(lambda transaction: transaction.facts.all())
    await store.close()
    return press_met.value


async def test_a_renamed_database_ends_the_agent_and_is_whole(path: Path) -> None:
    moved = path.with_name("agent.db.old")
    error = await lost(path, lambda: path.rename(moved))
    assert isinstance(error, StoreMoved)
    assert str(moved) in error.detail
    moved.rename(path)
    assert await numbers(path) == [1], "what was committed before; the next number was not used"


async def test_a_deleted_database_is_written_into_a_new_file(path: Path) -> None:
    error = await lost(path, path.unlink)
    assert isinstance(error, StoreMoved)
    with pytest.raises(StoreUnfit, match=r"agent\.db\.rescued-"):
        await SqliteStore.open(path, FakeClock())
    (rescued,) = path.parent.glob("agent.db.rescued-*")
    assert maintenance.check(rescued) == ()
    rescued.rename(path)
    assert await numbers(path) == [1]


async def test_a_database_replaced_by_another_is_rescued_and_the_other_refused(path: Path, tmp_path: Path) -> None:
    await sell(path, "a")
    maintenance.back_up(path, tmp_path / "copy.db")
    error = await lost(path, lambda: shutil.move(tmp_path / "copy.db", path))
    assert isinstance(error, StoreMoved)
    with pytest.raises(StoreUnfit, match=r"kończy się na numerze 1, a wydano już 2.*agent\.db\.rescued-"):
        await SqliteStore.open(path, FakeClock())
    (rescued,) = path.parent.glob("agent.db.rescued-*")
    rescued.replace(path)
    assert await numbers(path) == [1, 2]


async def test_a_copy_written_over_the_open_database_stays_that_copy(path: Path, tmp_path: Path) -> None:
    """`cp copy agent.db` keeps the inode; closing must not merge the old log into it."""
    await sell(path, "a")
    maintenance.back_up(path, tmp_path / "copy.db")
    copy = (tmp_path / "copy.db").read_bytes()

    def overwrite() -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)  # closing it would drop SQLite's locks of this process
        os.write(descriptor, copy)

    error = await lost(path, overwrite)
    assert "Inny program zmienił plik bazy" in error.detail
    assert path.read_bytes() == copy
    assert not path.with_name("agent.db-wal").exists()
    (kept,) = path.parent.glob("agent.db.overwritten-*-wal")
    assert kept.stat().st_size > 0
    with pytest.raises(StoreUnfit, match="kończy się na numerze 1, a wydano już 2"):
        await SqliteStore.open(path, FakeClock())


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
async def test_a_deleted_log_ends_the_agent_and_nothing_is_lost(path: Path, suffix: str) -> None:
    error = await lost(path, path.with_name(f"agent.db{suffix}").unlink)
    assert f"agent.db{suffix}" in error.detail
    assert await numbers(path) == [1]


async def test_a_data_directory_that_is_gone_ends_the_agent(path: Path, tmp_path: Path) -> None:
    await lost(path, lambda: path.parent.rename(tmp_path / "elsewhere"))
    assert await numbers(tmp_path / "elsewhere" / "agent.db") == [1]


async def test_an_idle_agent_notices(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    path.rename(path.with_name("x"))
    with pytest.raises(StoreMoved):
        await store.watch()
    with pytest.raises(StoreMoved):
        await store.read(lambda transaction: transaction.facts.all())
    await store.close()


async def test_a_store_lost_by_its_disk_is_closed_without_a_merge(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, name="a"))
    size = path.stat().st_size
    store._lose(StoreLost("Błąd zapisu na dysk."))
    await store.close()
    assert path.with_name("agent.db-wal").stat().st_size > 0
    assert path.stat().st_size == size
    assert await numbers(path) == [1]


async def test_maintenance_beside_a_live_agent_does_not_count_as_tampering(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    beside = await SqliteStore.open(path, FakeClock(), exclusive=False)
    for number in range(60):  # more than a checkpoint's worth
        await beside.write(lambda transaction, number=number: transaction.key_values.put("x", number))  # type: ignore[misc]
    await beside.close()
    for number in range(60):
        await store.write(partial(press, name=f"{number}"))
    await store.close()
    assert len(await numbers(path)) == 60


# --- the lock ---------------------------------------------------------------------------------------------


def refused_elsewhere(path: Path) -> str:
    """Try to take the lock in another process; return what it was told."""
    code = (
        "import sys; from pathlib import Path; from agent.store.lock import DataLock\n"
        "lock = DataLock(Path(sys.argv[1]))\n"
        "try:\n"
        "    lock.take()\n"
        "    lock.take_database()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return done.stdout


async def test_no_file_can_be_deleted_to_let_a_second_agent_in(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    for leftover in path.parent.iterdir():
        if leftover != path:
            leftover.unlink()
    assert f"proces {os.getpid()}" in refused_elsewhere(path)
    await store.close()
    assert refused_elsewhere(path) == ""


async def test_two_names_lead_to_one_lock(path: Path, tmp_path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    (tmp_path / "link").symlink_to(path.parent)
    for other in ("linked", "hard"):
        (tmp_path / other).mkdir()
    (tmp_path / "linked" / "agent.db").symlink_to(path)
    os.link(path, tmp_path / "hard" / "agent.db")
    for folder in ("link", "linked", "hard"):
        assert "używa już danych" in refused_elsewhere(tmp_path / folder / "agent.db"), folder
    await store.close()


async def test_sqlites_own_locks_survive_beside_ours(path: Path) -> None:
    """A writer from outside is kept out while a unit of work runs: no descriptor was closed under SQLite."""
    store = await SqliteStore.open(path, FakeClock())
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "try: connection.execute('BEGIN IMMEDIATE')\n"
        "except sqlite3.OperationalError as error: print(error)\n"
    )

    async def work(transaction: SqliteTransaction) -> str:
        command = [sys.executable, "-c", code, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221 - in the thread of SQLite

    assert "locked" in await store.write(work)
    await store.close()


def test_the_holder_is_read_from_the_kernels_list(tmp_path: Path) -> None:
    facts = tmp_path.stat()
    locks = tmp_path / "locks"
    line = "1: FLOCK  ADVISORY  WRITE {} 00:1b:{} 0 EOF\n"
    locks.write_text("7: POSIX  ADVISORY  READ 12 08:02:99 0 EOF\n" + line.format(4711, facts.st_ino))
    assert holder_of(facts, locks) == 4711
    locks.write_text(line.format(-1, facts.st_ino) + "->\n")
    assert holder_of(facts, locks) is None
    assert holder_of(facts, tmp_path / "missing") is None


def test_a_lock_is_taken_once_and_given_back(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    first, second = DataLock(path), DataLock(path)
    first.take()
    with pytest.raises(Conflict):
        second.take()
    first.release()
    first.release()
    second.take()
    second.release()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="Nie można otworzyć"):
        DataLock(tmp_path / "missing" / "agent.db").take()
