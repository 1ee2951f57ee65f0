"""A start after an orderly stop does not read again what nobody wrote to since; after anything else it reads all."""

# ruff: noqa: ASYNC240 - files are what this is about
from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.domain.errors import AgentError, StoreLost, StoreUnfit
from agent.ports import InvoiceFilter
from agent.store import at_rest, opening, soundness
from agent.store.connection import Connection
from agent.store.mark import Mark, end_rest, mark_path, read_mark, write_mark
from agent.store.migrate import MIGRATIONS
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.seeds import drawn
from tests.fakes.tampering import tamper
from tests.unit.store.test_damage import INVOICES, fill, overwrite, press, refusal, spoilt

LIMIT_SECONDS = 10.0
"""Of a wait that ends at once unless something is wrong."""
EARLY = "UPDATE events SET data = '{}' WHERE seq = 2"
"""Damage that only a whole look finds, once the end of the log is short."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a till, made once; a copy of it has stopped no agent in its place."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder / "agent.db"))
    return folder


@pytest.fixture
async def path(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that an orderly stop left, as large as any that is not read anyway."""
    monkeypatch.setattr(at_rest, "READ_ANYWAY", 0)
    monkeypatch.setattr(soundness, "TAIL", 10)
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    found = tmp_path / "agent.db"
    assert await read_by_a_start(found)
    assert rest(found) is not None
    next_instant(found)
    return found


def rest(path: Path) -> at_rest.FileState | None:
    mark = read_mark(mark_path(path))
    assert mark is not None
    return mark.at_rest


def next_instant(path: Path) -> None:
    """Go on when a write would have another time: the kernel's are some milliseconds apart."""
    probe = path.with_name("probe")
    while True:
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns != path.stat().st_ctime_ns:
            probe.unlink()
            return


async def read_by_a_start(path: Path) -> bool:
    """Start and stop; whether all of it was looked at."""
    store = await SqliteStore.open(path, FakeClock())
    await store.close()
    return store.looked_through


# --- what is not read again -------------------------------------------------------------------------------


async def test_what_an_orderly_stop_left_is_not_read_again(path: Path) -> None:
    assert not await read_by_a_start(path)
    assert not await read_by_a_start(path), "nor after the next one"
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, number=INVOICES + 1))
    assert await store.check() is None
    assert store.looked_through
    await store.close()
    assert not await read_by_a_start(path)


async def test_a_small_database_is_read_anyway(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_rest, "READ_ANYWAY", path.stat().st_size)
    assert await read_by_a_start(path)


async def test_a_reader_ends_no_rest(path: Path) -> None:
    reader = await SqliteStore.open_readonly(path)
    await reader.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=1)))
    await reader.close()
    assert not await read_by_a_start(path)


# --- when the mark is there -------------------------------------------------------------------------------


async def test_the_rest_is_over_before_the_database_is_opened_for_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: taken back with the block of numbers, after the migrations."""
    seen: list[object] = []

    async def connecting(database: Path, *, threaded: bool) -> Connection:
        seen.append(rest(database))
        raise StoreLost("a power cut")

    monkeypatch.setattr(opening, "connect", connecting)
    with pytest.raises(StoreLost):
        await SqliteStore.open(path, FakeClock())
    assert seen == [None]
    monkeypatch.undo()
    monkeypatch.setattr(at_rest, "READ_ANYWAY", 0)
    assert await read_by_a_start(path)


async def test_after_a_kill_all_is_read(path: Path, tmp_path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, number=INVOICES + 1))
    assert rest(path) is None
    shutil.copytree(tmp_path, tmp_path / "killed")
    await store.close()
    assert rest(path) is not None
    assert await read_by_a_start(tmp_path / "killed" / "agent.db")


async def test_a_lost_store_does_not_rest(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    store._lose(StoreLost("nobody knows"))
    await store.close()
    assert rest(path) is None


async def test_what_was_never_read_whole_does_not_rest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    monkeypatch.setattr(opening, "START_SECONDS", 0.0)
    store = await SqliteStore.open(path, FakeClock())
    assert not store.looked_through
    await store.close()
    assert rest(path) is None
    store = await SqliteStore.open(path, FakeClock())
    assert await store.check() is None
    await store.close()
    assert rest(path) is not None


async def test_what_was_found_damaged_does_not_rest(path: Path) -> None:
    """By a look at all of it."""
    store = await SqliteStore.open(path, FakeClock())
    tamper(path, EARLY)
    assert await store.check() is not None
    store._guard.files.written()  # type: ignore[union-attr] # nobody else wrote
    await store.close()
    assert rest(path) is None


async def test_a_log_that_could_not_be_merged_is_no_rest(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    reader = await SqliteStore.open_readonly(path)
    await store.write(partial(press, number=INVOICES + 1))
    await reader.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=1)))
    await store.close()
    assert rest(path) is None
    await reader.close()


async def test_a_stop_during_a_look_leaves_no_log(path: Path) -> None:
    """The thread that looks has its connection open when the service has cancelled it already."""
    begun, going_on = threading.Event(), threading.Event()

    def stand_back() -> None:
        begun.set()
        assert going_on.wait(LIMIT_SECONDS)

    loop = asyncio.get_running_loop()
    threads = ThreadPoolExecutor()
    loop.set_default_executor(threads)
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, number=INVOICES + 1))
    looking = asyncio.create_task(store.check(stand_back))
    assert await asyncio.to_thread(begun.wait, LIMIT_SECONDS)
    looking.cancel()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    loop.call_soon(going_on.set)
    await closing
    assert rest(path) is not None
    assert not store.looked_through
    threads.shutdown()
    loop.set_default_executor(ThreadPoolExecutor())


# --- what ends it ------------------------------------------------------------------------------------------


def written_at_the_same_time(path: Path) -> None:
    """As a program that hides it: content alone differs, and the time of the last write is put back."""
    before = path.stat()
    spoil_amount(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)


def spoil_amount(path: Path) -> None:
    """Another amount in an invoice's row, in as many bytes; the log tells the right one."""
    content = path.read_bytes()
    overwrite(path, content.index(b'"gross":"123.12"') + 9, b"999.99")


def copied_over(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    spoil_amount(copy)
    shutil.copyfile(copy, path)
    copy.unlink()


def put_in_place(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    before = path.stat()
    spoil_amount(copy)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(path)


WRITTEN: dict[str, Callable[[Path], object]] = {
    "by sqlite3": lambda path: tamper(path, EARLY),
    "by any program": spoil_amount,
    "by one that puts the time back": written_at_the_same_time,
    "copied over": copied_over,
    "put in its place": put_in_place,
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN.keys())
async def test_what_was_written_to_is_read_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Planted: size and time of the last write alone."""
    write(path)
    assert "jest uszkodzona" in await refusal(path)
    assert "jest uszkodzona" in await refusal(path), "not once only"


async def test_a_log_put_beside_it_ends_the_rest(path: Path) -> None:
    path.with_name("agent.db-wal").write_bytes(b"not the log of anything")
    store = await SqliteStore.open(path, FakeClock())
    assert store.looked_through
    await store.close()


async def test_a_program_that_changes_the_schema_reads_all_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_rest, "MIGRATIONS", (*MIGRATIONS, MIGRATIONS[-1]))
    assert await read_by_a_start(path)


# --- what no time tells: a disk that loses bits -------------------------------------------------------------


def rot(path: Path, damage: Callable[[Path], object]) -> None:
    """Change bytes as a disk does, of which the kernel knows nothing: the mark goes with the file."""
    damage(path)
    mark, state = read_mark(mark_path(path)), at_rest.state(path)
    assert mark is not None
    write_mark(mark_path(path), replace(mark, at_rest=state))


async def test_rot_is_told_by_the_look_after_the_start_and_refused_by_the_next(path: Path) -> None:
    rot(path, spoil_amount)
    store = await SqliteStore.open(path, FakeClock())
    assert not store.looked_through
    assert "jej dane różnią się" in str(await store.check())
    await store.close()
    assert rest(path) is None
    assert "jej dane różnią się" in await refusal(path)


ALWAYS: dict[str, Callable[[Path], object]] = {
    "header": lambda path: overwrite(path, 0, b"SQLite format 9\0"),
    "the schema": lambda path: tamper(path, "DROP INDEX invoices_serial"),
    "the end of the log": lambda path: tamper(path, "UPDATE events SET data = '{}' WHERE seq = 29"),
    "the last invoices": lambda path: tamper(path, "DELETE FROM invoices WHERE serial > 15"),
}


@pytest.mark.parametrize("damage", ALWAYS.values(), ids=ALWAYS.keys())
async def test_what_further_commits_build_on_is_looked_at_always(path: Path, damage: Callable[[Path], object]) -> None:
    rot(path, damage)
    await refusal(path)


@pytest.mark.parametrize("seed", range(60))
async def test_random_rot_ends_in_a_sentence_or_in_no_harm(path: Path, seed: int) -> None:
    """What the start did not look at is met by whoever uses it: never in a traceback."""
    await rot_randomly(path, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1000, 1500)))
async def test_random_rot_for_long(path: Path, seed: int) -> None:
    await rot_randomly(path, seed)


async def rot_randomly(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    content = spoilt(path.read_bytes(), draw, (1, 4, 64, 4096))
    rot(path, lambda found: found.write_bytes(content))
    before = path.read_bytes()
    try:
        store = await SqliteStore.open(path, FakeClock(), threaded=False)
    except AgentError:
        assert path.read_bytes() == before
        return
    works = (
        lambda tx: tx.invoices.queue(),
        lambda tx: tx.invoices.unsent(),
        lambda tx: tx.facts.all(),
        lambda tx: tx.events.after(0),
    )
    for work in works:
        with contextlib.suppress(AgentError):
            await store.read(work)
    with contextlib.suppress(AgentError):
        await store.write(partial(press, number=INVOICES + 1))
    with contextlib.suppress(AgentError):
        await store.check()
    await store.close()


# --- the mark ----------------------------------------------------------------------------------------------


async def test_a_full_disk_does_not_keep_a_start_from_going_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(place: Path, mark: Mark) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))

    with monkeypatch.context() as patched:
        patched.setattr(opening, "end_rest", refused)
        await (await SqliteStore.open(path, FakeClock())).close()
    assert not await read_by_a_start(path)


async def test_the_end_of_a_rest_changes_no_number(path: Path) -> None:
    before = read_mark(mark_path(path))
    assert before is not None
    end_rest(mark_path(path), before)
    assert read_mark(mark_path(path)) == replace(before, at_rest=None)
    assert dict(before.reserved) == dict(before.used)


async def test_a_damaged_mark_is_told_as_before(path: Path) -> None:
    mark_path(path).write_text("nothing of ours")
    with pytest.raises(StoreUnfit, match="najwyższe wydane numery"):
        await SqliteStore.open(path, FakeClock())
