"""The high-water mark: durable before a number is handed out, exact after a stop, cheap in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import StoreLost, Unavailable
from agent.store import mark as mark_module
from agent.store.mark import BLOCK, Mark, mark_path, read_mark, write_mark
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, add_next
from tests.unit.store.test_lost_database import press

HEAD = (7, "a" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "agent.db"


def read(path: Path) -> Mark:
    mark = read_mark(mark_path(path))
    assert mark is not None
    return mark


@pytest.mark.parametrize("threaded", [True, False], ids=["threaded", "inline"])
async def test_numbers_are_reserved_before_they_are_committed(
    path: Path, threaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: without the reservation the mark admits less than was handed out."""
    store = await SqliteStore.open(path, FakeClock(), threaded=threaded)
    seen: list[int] = []
    really = mark_module.write_mark

    def writing(where: Path, mark: Mark, boot: str) -> None:
        really(where, mark, boot)
        seen.append(mark.reserved.get(SERIES, 0))

    monkeypatch.setattr(mark_module, "write_mark", writing)
    for number in range(1, 2 * BLOCK + 2):
        assert await store.write(partial(press, name=f"{number}")) == number
        assert read(path).reserved[SERIES] >= number
        assert read(path).used[SERIES] == number
    assert seen == [BLOCK, 2 * BLOCK, 3 * BLOCK], "once in a block"
    await store.close()
    assert seen[-1] == 2 * BLOCK + 1
    assert read(path).used == read(path).reserved == {SERIES: 2 * BLOCK + 1}


async def test_a_mark_that_somebody_deletes_comes_back_with_what_the_start_reserved(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    await store.write(partial(press, name="a"))
    await store.close()
    store = await SqliteStore.open(path, FakeClock(), threaded=False)
    mark_path(path).unlink()
    assert await store.write(partial(press, name="b")) == 2
    assert read(path).used == {SERIES: 2}
    assert read(path).reserved == {SERIES: 1 + BLOCK}, "what the start reserved still holds"
    await store.close()


async def test_a_start_reserves_so_that_no_press_has_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, name="a"))
    await store.close()
    store = await SqliteStore.open(path, FakeClock())
    monkeypatch.setattr(mark_module, "write_mark", refused(errno.EIO))
    for number in range(BLOCK):
        await store.write(partial(press, name=f"{number}"))
    monkeypatch.undo()
    await store.close()


async def test_a_number_that_was_rolled_back_is_not_counted_as_used(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())

    async def changes_its_mind(transaction: Any) -> None:
        await add_next(transaction, "a")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await store.write(changes_its_mind)
    await store.write(partial(press, name="b"))
    assert read(path).used == {SERIES: 1}
    await store.close()


def refused(number: int) -> Callable[[Path, Mark, str], None]:
    def write(path: Path, mark: Mark, boot: str) -> None:
        raise OSError(number, os.strerror(number), str(path))

    return write


async def test_a_full_disk_under_the_mark_refuses_the_press_and_burns_no_number(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(path, FakeClock())
    monkeypatch.setattr(mark_module, "write_mark", refused(errno.ENOSPC))
    for _ in range(2):
        with pytest.raises(Unavailable) as full:
            await store.write(partial(press, name="a"))
        assert full.value.code == "disk-full"
    await store.write(lambda transaction: transaction.key_values.put("x", 1))  # what takes no number goes on
    monkeypatch.undo()
    assert await store.write(partial(press, name="a")) == 1
    await store.close()


async def test_a_start_on_a_full_disk_leaves_it_to_the_press(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark_module, "write_mark", refused(errno.ENOSPC))
    store = await SqliteStore.open(path, FakeClock())
    with pytest.raises(Unavailable):
        await store.write(partial(press, name="a"))
    await store.close()


async def test_a_broken_disk_under_the_mark_ends_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(path, FakeClock())
    monkeypatch.setattr(mark_module, "write_mark", refused(errno.EIO))
    with pytest.raises(StoreLost, match=r"agent\.db\.series"):
        await store.write(partial(press, name="a"))
    await store.close()


async def test_a_mark_that_somebody_deletes_comes_back(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    mark_path(path).unlink()
    await store.write(partial(press, name="a"))
    assert read(path).used == {SERIES: 1}
    await store.close()
    assert read(path).used == read(path).reserved == {SERIES: 1}


async def test_an_unknown_commit_leaves_the_reservation(path: Path) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, name="a"))
    store._lose(StoreLost("nobody knows"))
    await store.close()
    assert read(path) == Mark({SERIES: 1}, {SERIES: BLOCK}, read(path).heads)


async def test_within_one_boot_the_bound_is_exact(path: Path) -> None:
    """Also of a number whose COMMIT nobody saw."""
    clock = FakeClock()
    store = await SqliteStore.open(path, clock)
    await store.write(partial(press, name="a"))
    assert dict(known(path, clock).most) == {SERIES: 1}
    assert store._guard is not None
    store._guard.mark.take({SERIES: 2})
    assert dict(known(path, clock).most) == {SERIES: 2}
    clock.reboot(timedelta(minutes=1))
    assert dict(known(path, clock).most) == {SERIES: BLOCK}, "a power cut may have taken what was not synced"
    await store.close()
    assert dict(known(path, clock).most) == {SERIES: 1}


def known(path: Path, clock: FakeClock) -> Mark:
    mark = read_mark(mark_path(path), clock.boot())
    assert mark is not None
    return mark


async def test_a_number_that_cannot_be_noted_is_not_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(path, FakeClock())
    await store.write(partial(press, name="a"))
    monkeypatch.setattr("agent.store.mark.os.write", lambda descriptor, line: 3)
    with pytest.raises(Unavailable) as full:
        await store.write(partial(press, name="b"))
    assert full.value.code == "disk-full"
    monkeypatch.undo()
    assert await store.write(partial(press, name="b")) == 2
    await store.close()


async def test_what_follows_a_line_that_a_full_disk_tore_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a database lost with its process right then would give a number again that stands on paper."""
    clock = FakeClock()
    store = await SqliteStore.open(path, clock)
    await store.write(partial(press, name="a"))
    really = os.write
    monkeypatch.setattr("agent.store.mark.os.write", lambda descriptor, line: really(descriptor, line[:9]))
    with pytest.raises(Unavailable):
        await store.write(partial(press, name="b"))
    monkeypatch.undo()
    assert store._guard is not None
    store._guard.mark.take({SERIES: 2})
    assert dict(known(path, clock).most) == {SERIES: 2}
    assert await store.write(partial(press, name="b")) == 2
    await store.close()


# --- the file ---------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    mark = Mark({"FV-ż": 3, "FK-1": 1}, {"FV-ż": 50, "FK-1": 50}, (HEAD, (9, "b" * 64)))
    write_mark(tmp_path / "m", mark)
    assert read_mark(tmp_path / "m") == mark
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o600
    assert read_mark(tmp_path / "missing") is None


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_torn_line_at_the_end_does_not_count(tmp_path: Path, cut: int) -> None:
    write_mark(tmp_path / "m", Mark({SERIES: 1}, {SERIES: BLOCK}, (HEAD,)))
    live = mark_module.SeriesMark(tmp_path / "m", {SERIES: 1}, HEAD)
    live.note({SERIES: 2}, (8, "b" * 64))
    live.note({SERIES: 3}, (9, "c" * 64))
    live.close(exact=False)
    whole = (tmp_path / "m").read_bytes()
    assert read_mark(tmp_path / "m") == Mark({SERIES: 3}, {SERIES: BLOCK}, ((9, "c" * 64),))
    for torn in (whole[:-cut], whole[:-cut] + b"\xff" * cut, whole[:-cut] + b"9" * cut + b"\n"):
        (tmp_path / "m").write_bytes(torn)
        assert read_mark(tmp_path / "m") == Mark({SERIES: 2}, {SERIES: BLOCK}, ((8, "b" * 64),))
