"""Opening the till's database: nothing is made, changed or merged before it is known what is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from agent.domain.errors import StoreUnfit
from agent.domain.values import dataclass
from agent.ports import Clock
from agent.store import at_rest, codec, disk
from agent.store.connection import Connection, connect
from agent.store.failures import legible
from agent.store.lock import DataLock
from agent.store.maintenance import is_whole
from agent.store.mark import Mark, SeriesMark, end_rest, mark_path, mark_paths, read_mark
from agent.store.migrate import migrate
from agent.store.open_files import OpenFiles
from agent.store.soundness import (
    LAST_EVENT,
    SERIES,
    START_SECONDS,
    UNREADABLE,
    Report,
    open_readonly,
    require_fit,
    unfit,
)
from agent.system.durable_files import sync_names
from agent.system.os_errors import polish_reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that one agent has for itself. ``report``: what the look before the start found."""

    writer: Connection
    mark: SeriesMark
    files: OpenFiles
    report: Report
    whole: bool
    """All of it was found whole: by that look, or by those before the orderly stop since which nobody wrote to it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A database that is there. ``rested``: as an orderly stop left it, so that its start did not read all of it."""

    report: Report
    rested: bool


async def open_alone(path: Path, clock: Clock, lock: DataLock, *, threaded: bool = True) -> Opened:
    """Take the lock, look, make or migrate the database, and reserve numbers.

    Conflict "already-running" where another agent has the data; StoreUnfit where the database is lost, damaged, or not
    the one this till worked with. The caller gives the lock back, after an error too.
    """
    found = await asyncio.to_thread(_claim, path, lock)
    if found is None:
        await make(path, clock, threaded=threaded)
        found = _Found(Report(), rested=False)
    files = OpenFiles(path, await asyncio.to_thread(lock.take_database))
    writer = await connect(path, threaded=threaded)
    try:
        await migrate(writer, clock)
        mark = await _begin_mark(path, writer, clock.boot())
    except BaseException:
        await writer.close()
        raise
    whole = found.report.sentence() is None and (found.report.complete or found.rested)
    return Opened(writer, mark, files, found.report, whole)


def _claim(path: Path, lock: DataLock) -> _Found | None:
    """Take the lock and look at what is there; None where nothing is, and nothing was."""
    disk.prepare(path)
    lock.take()
    if not disk.is_there(path):
        return None
    lock.take_database()
    place = mark_path(path)
    mark = _legible_mark(place)
    if mark is None or mark.at_rest is None:
        return _Found(look(path), rested=False)
    rested = mark.at_rest == at_rest.state(path)
    report = look(path, 0.0 if rested and path.stat().st_size > at_rest.READ_ANYWAY else START_SECONDS)
    try:
        end_rest(place, mark)
    except OSError as error:
        # a full disk: what is written from here on changes the file, or leaves a log beside it
        log.warning("the mark of the last stop could not be taken back: %s", error)
    return _Found(report, rested)


def _legible_mark(place: Path) -> Mark | None:
    """Return a mark; of one that cannot be read look() tells, after what is wrong with the database."""
    with contextlib.suppress(StoreUnfit):
        return read_mark(place)
    return None


def look(path: Path, seconds: float | None = START_SECONDS) -> Report:
    """Decide whether a database that is there may be opened for writing; StoreUnfit where not. Changes nothing.

    ``seconds``: what the whole look may take beyond what has to be known; None: everything is looked at.
    """
    disk.require_rights(path)
    report = require_fit(path, seconds)
    for place in mark_paths(path):
        mark = read_mark(place)
        if mark is not None:
            try:
                _require_continuation(path, place, mark)
            except UNREADABLE as error:  # of pages that nothing before looked at
                raise unfit(path, [f"nie da się jej odczytać: {error}"]) from error
    return report


def _require_continuation(path: Path, place: Path, mark: Mark) -> None:
    """Refuse a database that does not know what the mark knows: a copy put in place by hand, or another till's."""
    with legible(), closing(open_readonly(path)) as connection:
        try:
            series = {row["series"]: int(row["last"]) for row in connection.execute(SERIES)}
            known = any(_has(connection, seq, link) for seq, link in mark.heads) or _restored_since(place, connection)
        except sqlite3.OperationalError:  # an empty database has no tables yet
            series, known = {}, False
    behind = [(name, series.get(name, 0), last) for name, last in mark.used.items() if series.get(name, 0) < last]
    if not behind and (known or not mark.heads):
        return
    what = "; ".join(
        f"w serii {name} kończy się na numerze {there}, a wydano już {last}" for name, there, last in behind[:4]
    )
    if not what:
        what = f"w jej dzienniku nie ma zdarzenia {mark.heads[0][0]}, które ta kasa zapisała"
    kept = [found.name for found in disk.traces(path) if ".rescued-" in found.name or ".replaced-" in found.name]
    hint = f" Obok leżą: {', '.join(kept[:4])}." if kept else ""
    raise StoreUnfit(
        f"Baza danych {path} nie jest tą, z którą ta kasa ostatnio pracowała: {what}. Numery mogłyby się powtórzyć. "
        "Jeżeli to kopia, samo wstawienie pliku nie wystarcza: przywróć ją poleceniem ksef-agent restore "
        f"(także z tego miejsca: ksef-agent restore {path}).{hint}"
    )


def _restored_since(place: Path, connection: sqlite3.Connection) -> bool:
    """Whether the database was restored after the mark was written: by an older program, which knows no mark."""
    row = connection.execute("SELECT max(at) FROM events WHERE kind = 'store.restored'").fetchone()
    written = datetime.fromtimestamp(place.stat().st_mtime, UTC)
    return row[0] is not None and codec.read_instant(row[0]) > written


def _has(connection: sqlite3.Connection, seq: int, link: str) -> bool:
    return connection.execute("SELECT 1 FROM events WHERE seq = ? AND chain = ?", (seq, link)).fetchone() is not None


async def make(path: Path, clock: Clock, *, threaded: bool) -> None:
    """Make a new database under another name; it gets its own only when it is whole and durable."""
    begun = disk.new_name(path)
    await asyncio.to_thread(_start_file, begun)
    connection = await connect(begun, threaded=threaded)
    try:
        await migrate(connection, clock)
    finally:
        await connection.close()
    await asyncio.to_thread(_finish_file, begun, path)


def _start_file(begun: Path) -> None:
    try:
        for leftover in begun.parent.glob(f"{begun.name}*"):
            leftover.unlink()
        os.close(os.open(begun, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnfit(f"Nie można założyć bazy danych w {begun.parent}: {polish_reason(error)}.") from error


def _finish_file(begun: Path, path: Path) -> None:
    if not is_whole(begun):
        raise StoreUnfit(
            f"Nie można założyć bazy danych {path}: nie wszystko zapisano. Sprawdź miejsce na dysku i sam dysk."
        )
    try:
        with begun.open("rb") as file:
            os.fsync(file.fileno())
        begun.replace(path)
        sync_names(path)
    except OSError as error:
        raise StoreUnfit(f"Nie można założyć bazy danych {path}: {polish_reason(error)}.") from error


async def _begin_mark(path: Path, writer: Connection, boot: str) -> SeriesMark:
    series = {row["series"]: int(row["last"]) for row in await writer.fetch(SERIES)}
    events = await writer.fetch(LAST_EVENT)
    head = (int(events[0]["seq"]), str(events[0]["chain"])) if events else None
    mark = SeriesMark(mark_path(path), series, head, boot)
    try:
        await asyncio.to_thread(mark.begin)
    except OSError as error:
        # a full disk: the old mark stands, and the next press says so
        log.warning("the high-water mark of the series could not be written: %s", error)
    return mark
