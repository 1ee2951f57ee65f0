"""Reads what a power cut left, as the next start would, and compares it with what was promised.

The database is looked at, opened and migrated by the production's code, since its recovery is what is tested;
everything after that is SQL of this module's own.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.domain.errors import AgentError
from agent.domain.records.hash_chain import GENESIS, chain
from agent.store import disk
from agent.store.connection import Connection, connect
from agent.store.mark import mark_path, read_mark
from agent.store.migrate import migrate
from agent.store.opening import look, make
from tests.crash.powerloss.disk import State
from tests.fakes.clock import FakeClock

JUNK = b"\xa5" * 32768

Promise = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What lies in a database."""

    problems: tuple[str, ...] = ()
    """What is wrong whatever was promised."""
    invoices: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Serial -> (SHA-256, state)."""
    keys: frozenset[str] = frozenset()
    jobs: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Print job -> (state, SHA-256 of its bytes)."""
    log: tuple[str, ...] = ()
    """The chain of the event log, oldest first."""
    reserved: int = 0
    """The highest number of any series that the mark beside the database admits."""
    at_rest: tuple[tuple[int, ...], str] | None = None
    """What the mark says of the file at rest, and the SHA-256 of the file, where no log lies beside it."""


def materialise(state: State, root: Path, place: Path) -> None:
    """Write a state's files below ``place`` instead of ``root``; beside a WAL lies an -shm that is junk."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for folder in sorted(state.folders):
        (place / Path(folder).relative_to(root)).mkdir()
    for path, content in state.files.items():
        target = f"{place}{path.removeprefix(str(root))}"
        with open(target, "wb") as file:  # noqa: PTH123 - thousands of them
            file.write(content)
        if target.endswith("-wal"):
            Path(target.removesuffix("-wal") + "-shm").write_bytes(JUNK)


async def start(database: Path) -> Facts:
    """Open a database as the next start does, and read it."""
    try:
        at_rest = _at_rest(database)
        reserved = await _look(database)
        connection = await connect(database, threaded=False)
        try:
            await migrate(connection, FakeClock())
            return replace(await _read(connection), reserved=reserved, at_rest=at_rest)
        finally:
            await connection.close()
    except (AgentError, sqlite3.Error) as error:
        return Facts((f"I9 the next start fails: {error}",))


def _at_rest(database: Path) -> tuple[tuple[int, ...], str] | None:
    mark = read_mark(mark_path(database))
    log = database.with_name(f"{database.name}-wal")
    if mark is None or mark.at_rest is None or (log.exists() and log.stat().st_size > 0):
        return None
    return mark.at_rest, hashlib.sha256(database.read_bytes()).hexdigest()


async def _look(database: Path) -> int:
    """Look as the start does, make a new database where there was none; the highest number that the mark admits."""
    disk.prepare(database)
    mark = read_mark(mark_path(database))
    if disk.is_there(database):
        look(database)
    else:
        await make(database, FakeClock(), threaded=False)
    return 0 if mark is None else max(mark.reserved.values(), default=0)


async def _read(connection: Connection) -> Facts:
    problems = [f"I9 {row[0]}" for row in await connection.fetch("PRAGMA integrity_check") if row[0] != "ok"]
    problems += [f"I9 foreign key of {row[0]}" for row in await connection.fetch("PRAGMA foreign_key_check")]
    invoices: dict[int, tuple[str, str]] = {}
    for serial, state, sha256, xml in await connection.fetch(
        "SELECT serial, state, sha256, xml FROM invoices JOIN versions ON invoice_id = id ORDER BY serial"
    ):
        invoices[serial] = (sha256.hex(), state)
        if xml is not None and hashlib.sha256(xml).digest() != sha256:
            problems.append(f"I7 invoice {serial}: its bytes are not those of its hash")
    if list(invoices) != list(range(1, len(invoices) + 1)):
        problems.append(f"I4 serials {list(invoices)}")
    keys = frozenset(row[0] for row in await connection.fetch("SELECT key FROM idempotency_keys"))
    jobs = {
        row[0]: (row[1], hashlib.sha256(row[2]).hexdigest() if row[2] else "")
        for row in await connection.fetch("SELECT id, state, data FROM print_jobs")
    }
    log: list[str] = []
    states: dict[str, str] = {}
    previous = GENESIS
    for at, kind, invoice_id, data, link in await connection.fetch(
        "SELECT at, kind, invoice_id, data, chain FROM events ORDER BY seq"
    ):
        previous = chain(previous, at, kind, invoice_id, data)
        if link != previous:
            problems.append(f"I8 event {len(log) + 1} does not fit its chain")
        log.append(link)
        if invoice_id is not None and not kind.startswith("print_"):
            states[invoice_id] = kind
    if [state for _, state in invoices.values()] != list(states.values()) or len(keys) != len(invoices):
        problems.append(f"I1 half a unit of work: {invoices}, log {states}, {len(keys)} keys")
    return Facts(tuple(problems), invoices, keys, jobs, tuple(log))


def violations(facts: Facts, promises: Sequence[Promise]) -> list[str]:
    """What is wrong with a state, after these promises."""
    found = list(facts.problems)
    for promise in promises:
        found += _broken(facts, promise)
    return found


def _broken(facts: Facts, promise: Promise) -> list[str]:
    found = []
    if "event" in promise and facts.log[promise["event"] - 1 : promise["event"]] != (promise["chain"],):
        found.append(f"I1 event {promise['event']} was acknowledged and is lost or other")
    if "serial" in promise:
        stored = facts.invoices.get(promise["serial"])
        if stored is None or stored[0] != promise["sha256"] or promise["key"] not in facts.keys:
            found.append(f"I1 invoice {promise['serial']} was acknowledged and is lost or other")
    if facts.reserved < promise.get("handed_out", 0):
        found.append(f"I4 number {promise['handed_out']} was handed out, and the mark admits only {facts.reserved}")
    said, file = facts.at_rest or ((), "")
    if said and tuple(promise.get("at_rest", ())) == said and promise["file"] != file:
        found.append("I9 the mark calls a file at rest that was written to since")
    if "job_state" in promise and promise["job_state"][0] not in facts.jobs:
        found.append(f"I1 print job {promise['job_state'][0]} is lost")
    if "slip" in promise:
        state, printed = facts.jobs.get(promise["job"], ("none", ""))
        if state not in {"printing", "printed"} or printed != promise["slip"]:
            found.append(f"I3 paper of job {promise['job']} came out without a record ({state})")
    intended = {sha256 for sha256, state in facts.invoices.values() if state != "issued"}
    if "sent" in promise and promise["sent"] not in intended:
        found.append(f"I2 bytes {promise['sent'][:8]} left for KSeF without a durable intent")
    return found


class Copies:
    """Backups in a state: whole or not there at all. Reads each content once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[str, int]] = {}

    def violations(self, state: State, root: Path, place: Path, promises: Sequence[Promise]) -> list[str]:
        """What is wrong with the backups of a state that was materialised in ``place``."""
        promised = {str(root / promise["backup"]): promise["invoices"] for promise in promises if "backup" in promise}
        found = [f"I1 the backup {path} was acknowledged and is lost" for path in promised.keys() - state.files.keys()]
        for path, content in state.files.items():
            if Path(path).name != "copy.db":
                continue
            key = (len(content), zlib.crc32(content))
            if key not in self._known:
                self._known[key] = _read_copy(place / Path(path).relative_to(root))
            problem, invoices = self._known[key]
            if problem or invoices < promised.get(path, 0):
                found.append(f"I9 backup {path}: {problem or invoices}")
        return found


def _read_copy(path: Path) -> tuple[str, int]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            if (problem := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                return problem, 0
            (invoices,) = connection.execute("SELECT count(*) FROM invoices").fetchone()
            return "", invoices
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return str(error), 0
