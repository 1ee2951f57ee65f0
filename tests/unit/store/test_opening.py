"""Opening: settings that hold, one agent per data, known schema, local disk, nothing leaked."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain.errors import Conflict, NotFound, StoreUnfit
from agent.ports import InvoiceFilter
from agent.store import connection as connection_module
from agent.store import disk, maintenance
from agent.store.connection import WRITER_PRAGMAS, Connection, check_pragmas, connect
from agent.store.disk import file_system
from agent.store.lock import DataLock
from agent.store.migrate import FOLDER, MIGRATIONS, Migration, migrate, migrations, statements
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "agent.db"


@pytest.fixture
def empty(path: Path) -> Path:
    """An empty file, which SQLite takes for a database without tables."""
    path.parent.mkdir()
    path.touch()
    return path


# --- settings of the connection -------------------------------------------------------------------------


async def test_settings_are_what_durability_needs(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    assert store._writer is not None
    await check_pragmas(
        store._writer, {"journal_mode": "wal", "synchronous": 3, "foreign_keys": 1, "trusted_schema": 0}
    )
    await store.close()


@pytest.mark.parametrize(
    ("name", "weaker"), [("synchronous", "NORMAL"), ("foreign_keys", "OFF"), ("wal_autocheckpoint", "1000")]
)
async def test_a_weaker_setting_is_seen_when_read_back(path: Path, name: str, weaker: str) -> None:
    await (await SqliteStore.open(path, FakeClock())).close()
    connection = await connect(path, threaded=False)
    await check_pragmas(connection, WRITER_PRAGMAS)
    await connection.fetch(f"PRAGMA {name}={weaker}")
    with pytest.raises(StoreUnfit, match=name):
        await check_pragmas(connection, WRITER_PRAGMAS)
    await connection.close()


async def test_a_disk_that_refuses_wal_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = connection_module._open

    class Stubborn:
        """A connection on which journal_mode stays DELETE, as on a file system without shared memory."""

        def __init__(self, inner: Connection) -> None:
            self._inner = inner
            self.in_transaction = False
            self.drive = inner.drive
            self.close = inner.close

        async def fetch(self, sql: str, parameters: connection_module.Parameters = ()) -> list[sqlite3.Row]:
            return await self._inner.fetch("PRAGMA journal_mode" if "journal_mode" in sql else sql, parameters)

    async def stubborn(path: Path, *, read_only: bool, threaded: bool) -> Connection:
        return Stubborn(await real(path, read_only=read_only, threaded=threaded))

    monkeypatch.setattr(connection_module, "_open", stubborn)
    with pytest.raises(StoreUnfit, match="journal_mode=delete"):
        await SqliteStore.open(path, FakeClock())
    monkeypatch.undo()
    await (await SqliteStore.open(path, FakeClock())).close()  # the lock was given back


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused(empty: Path, content: bytes) -> None:
    empty.write_bytes(content)
    with pytest.raises(StoreUnfit):
        asyncio.run(SqliteStore.open(empty, FakeClock()))
    assert empty.read_bytes() == content


@pytest.mark.parametrize("threaded", [True, False], ids=["threaded", "inline"])
async def test_a_schema_that_is_not_even_text_is_refused(path: Path, threaded: bool) -> None:
    """SQLite quotes it in its message, and Python raises UnicodeDecodeError instead of sqlite3.Error."""
    await (await SqliteStore.open(path, FakeClock())).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=1")
        connection.execute("UPDATE sqlite_schema SET name = CAST(x'c0c1ff' AS TEXT), sql = '(' WHERE name = 'notebook'")
    with pytest.raises(StoreUnfit):
        await SqliteStore.open(path, FakeClock(), threaded=threaded)
    assert maintenance.check(path)
    with pytest.raises(StoreUnfit):
        maintenance.summarise(path)


# --- one agent, private files, local disk ---------------------------------------------------------------


async def test_a_second_agent_on_the_same_data_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    with pytest.raises(Conflict, match=str(os.getpid())) as caught:
        await SqliteStore.open(path, FakeClock())
    assert caught.value.code == "already-running"
    await store.close()
    await (await SqliteStore.open(path, FakeClock())).close()


def test_the_lock_holds_between_processes_and_ends_with_them(path: Path) -> None:
    path.parent.mkdir()
    code = (
        "import sys; from pathlib import Path; from agent.store.lock import DataLock;"
        "DataLock(Path(sys.argv[1])).take(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match=str(holder.pid)):
            DataLock(path).take()
        holder.kill()
        holder.wait()
    lock = DataLock(path)
    lock.take()
    lock.release()
    lock.release()


async def test_files_are_private(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(lambda transaction: add_next(transaction, "a"))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    await store.close()


async def test_a_network_disk_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "file_system", lambda folder: "nfs4")
    with pytest.raises(StoreUnfit, match="sieciowym"):
        await SqliteStore.open(path, FakeClock())


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    point = str(tmp_path / "a b").replace(" ", "\\040")
    mounts.write_text(
        "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"2 1 0:5 / {point} rw - nfs4 server:/share rw\n"
        f"3 1 0:6 / {point}2 rw - tmpfs tmpfs rw\n"
    )
    (tmp_path / "a b").mkdir()
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path / "a b" / "data", mounts) == "nfs4"
    assert file_system(tmp_path, tmp_path / "missing") == ""


async def test_a_directory_without_rights_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnfit, match="Nie można użyć katalogu danych"):
        await SqliteStore.open(tmp_path / "file" / "agent.db", FakeClock())


# --- beside a live agent ---------------------------------------------------------------------------------


async def test_readers_from_outside_see_a_live_agents_data_and_can_not_write(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    outside = await SqliteStore.open_readonly(path)
    await store.write(lambda transaction: add_next(transaction, "a"))
    assert len(await outside.read(lambda transaction: transaction.invoices.find(InvoiceFilter()))) == 1
    with pytest.raises(RuntimeError, match="reading only"):
        await outside.write(lambda transaction: add_next(transaction, "b"))
    await outside.close()
    await store.close()
    outside = await SqliteStore.open_readonly(path)
    assert len(await outside.read(lambda transaction: transaction.invoices.unsent())) == 1
    await outside.close()


async def test_maintenance_writes_beside_a_live_agent(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    beside = await SqliteStore.open(path, FakeClock(), exclusive=False)
    assert await beside.write(lambda transaction: add_next(transaction, "a")) == 1
    assert await store.write(lambda transaction: add_next(transaction, "b")) == 2
    await beside.close()
    assert await store.write(lambda transaction: add_next(transaction, "c")) == 3
    await store.close()


async def test_nothing_is_made_for_those_who_only_read(path: Path) -> None:
    with pytest.raises(NotFound):
        await SqliteStore.open_readonly(path)
    assert not path.parent.exists()


async def test_those_who_may_not_migrate_refuse_an_empty_database(empty: Path) -> None:
    for opening in (SqliteStore.open_readonly(empty), SqliteStore.open(empty, FakeClock(), exclusive=False)):
        with pytest.raises(StoreUnfit, match="jest pusty"):
            await opening
    await (await connect(empty)).close()  # a database without tables
    for opening in (SqliteStore.open_readonly(empty), SqliteStore.open(empty, FakeClock(), exclusive=False)):
        with pytest.raises(StoreUnfit, match="najpierw uruchom agenta"):
            await opening


# --- migrations -------------------------------------------------------------------------------------------


def schema_of(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version, sha256 FROM schema_version ORDER BY version").fetchall()


OLD_INVOICE = """INSERT INTO invoices (
    id, series, serial, number, kind, issued_on, issued_at, seller_nip, buyer, totals, payments, pressed_by, search,
    mode, reason, state, version, deadline_state, session_ref
) VALUES (
    :id, 'A', :serial, :id, 'VAT', '2026-11-24', '2026-11-24T09:00:00+00:00', '5265877635', '{}', '{}', '[]', '', '',
    'online', '', 'issued', 1, 'due', :session
)"""


async def test_opening_applies_every_step_once(path: Path) -> None:
    for _ in range(2):
        await (await SqliteStore.open(path, FakeClock())).close()
        assert schema_of(path) == [(step.version, step.sha256) for step in MIGRATIONS]


@pytest.mark.parametrize("known", range(len(MIGRATIONS)))
async def test_each_older_schema_is_brought_up_to_date(empty: Path, known: int) -> None:
    connection = await connect(empty, threaded=False)
    assert await migrate(connection, FakeClock(), MIGRATIONS[:known]) == known
    assert await migrate(connection, FakeClock()) == len(MIGRATIONS) - known
    await connection.close()


async def test_sessions_of_an_older_database_are_known_afterwards(empty: Path) -> None:
    """Their collective UPO is fetched after the upgrade, whoever sent in them."""
    before = next(step.version for step in MIGRATIONS if step.name == "session_upos") - 1
    connection = await connect(empty, threaded=False)
    await migrate(connection, FakeClock(), MIGRATIONS[:before])
    await connection.fetch("PRAGMA foreign_keys = OFF")  # rows without their bytes
    for number, session in enumerate(("20261124-SO-1", "20261124-SO-1", "20261124-SB-2", None)):
        await connection.fetch(OLD_INVOICE, {"id": f"inv-{number}", "serial": number + 1, "session": session})
    assert await migrate(connection, FakeClock()) == len(MIGRATIONS) - before
    rows = await connection.fetch("SELECT reference, kind, state FROM sessions ORDER BY reference")
    assert [tuple(row) for row in rows] == [
        ("20261124-SB-2", "batch", "waiting"),
        ("20261124-SO-1", "online", "waiting"),
    ]
    await connection.close()


async def test_a_step_that_fails_leaves_the_one_before(empty: Path) -> None:
    connection = await connect(empty, threaded=False)
    bad = Migration(2, "bad", ("CREATE TABLE half (a)", "INSERT INTO nowhere VALUES (1)"), "0" * 64)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await migrate(connection, FakeClock(), (MIGRATIONS[0], bad))
    assert await connection.fetch("SELECT 1 FROM sqlite_schema WHERE name = 'half'") == []
    await connection.close()
    assert [version for version, _ in schema_of(empty)] == [1]
    await (await SqliteStore.open(empty, FakeClock())).close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE schema_version SET sha256 = 'x' WHERE version = 1", "nie pochodzi z tego programu"),
        ("INSERT INTO schema_version VALUES (9999, 'future', 'x', 'x')", "zna wersję"),
    ],
)
async def test_a_foreign_or_newer_schema_is_refused(path: Path, change: str, message: str) -> None:
    await (await SqliteStore.open(path, FakeClock())).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    for opening in (SqliteStore.open(path, FakeClock()), SqliteStore.open_readonly(path)):
        with pytest.raises(StoreUnfit, match=message):
            await opening


def test_migration_files_have_to_be_numbered_and_whole(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "0001_initial.sql", tmp_path)
    (tmp_path / "0003_later.sql").write_text("CREATE TABLE later (a);\n")
    with pytest.raises(ValueError, match="without gaps"):
        migrations(tmp_path)
    (tmp_path / "0003_later.sql").rename(tmp_path / "2_later.sql")
    with pytest.raises(ValueError, match="are named"):
        migrations(tmp_path)
    with pytest.raises(ValueError, match="without end"):
        statements("-- a comment\nCREATE TABLE a (b);\nCREATE TABLE c (d)\n")


def test_a_script_is_split_where_sqlite_says() -> None:
    trigger = "CREATE TRIGGER t BEFORE DELETE ON a\nBEGIN\n    SELECT 1;\n    SELECT 2;\nEND;"
    assert statements(f"-- why\n\nCREATE TABLE a (b);\n{trigger}\n") == ("CREATE TABLE a (b);", trigger)


# --- leaks ------------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


def connection_threads() -> int:
    """Threads of connections that are still alive once those told to stop had time for it."""
    threads = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for thread in threads:
        thread.join(timeout=5)
    return sum(thread.is_alive() for thread in threads)


async def test_opening_and_closing_leaks_nothing(path: Path) -> None:
    async def cycle(name: str) -> None:
        store = await SqliteStore.open(path, FakeClock())
        await store.write(lambda transaction: add_next(transaction, name))
        await store.read(lambda transaction: transaction.invoices.get(f"inv-{name}"))
        with pytest.raises(Conflict):
            await SqliteStore.open(path, FakeClock())
        await store.close()

    await cycle("first")
    before = descriptors()
    for number in range(50):
        await cycle(f"{number}")
    assert descriptors() <= before
    assert connection_threads() == 0


def test_a_store_that_nobody_closed_does_not_keep_a_dying_process_alive(path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from agent.system.clock import SystemClock; from agent.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = await SqliteStore.open(Path(sys.argv[1]), SystemClock())\n"
        "    raise SystemExit(7)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=30, check=False)
    assert done.returncode == 7
