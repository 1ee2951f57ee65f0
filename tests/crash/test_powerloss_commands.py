"""Power cuts while a technician's command writes files: restore, export with pruning, backup, a new token.

The real commands under strace, as in test_powerloss.py; what was there before is as a killed agent left it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from agent.domain.callers import Role
from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.services.tokens import COMMANDS_FILE, Tokens, ensure_token
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.crash.powerloss.campaign import MEMORY, ROOT, Judge, Report, campaign
from tests.crash.powerloss.checker import Promise, start
from tests.crash.powerloss.disk import Model, State
from tests.crash.powerloss.trace import STRACE, Recording, record
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead

pytestmark = [pytest.mark.slow, pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")]
SETTINGS = """data_dir = "data"
[seller]
nip = "5265877635"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
[retention]
keep_days = 100
export_dir = "old/archive"
"""
STATES = 200
NAMES = "abcdefghij"
"""More invoices than are synced side by side."""


@pytest.fixture
def till() -> Iterator[Path]:
    """A till's folder with settings, in memory."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="powerloss-") as name:
        root = Path(name) / "till"
        root.mkdir()
        (root / "config.toml").write_text(SETTINGS)
        yield root


@pytest.fixture
def database(till: Path) -> Path:
    return till / "data" / DATABASE


async def sold(database: Path, *names: str, killed: bool = False, accepted: bool = False) -> None:
    """Sell, one commit each; ``killed`` leaves the WAL beside the database, ``accepted`` is not in the log."""
    store = await SqliteStore.open(database, FakeClock())

    async def sale(transaction: SqliteTransaction, name: str) -> None:
        await add_next(transaction, name, issued_on=date(2020, 1, 31))
        await transaction.events.append(EventKind.ISSUED, {}, f"inv-{name}")
        if accepted:
            await lead(transaction, f"inv-{name}", InvoiceState.ACCEPTED)

    for name in names:
        await store.write(partial(sale, name=name))
    left = {path: path.read_bytes() for path in database.parent.glob("*.db*")}
    await store.close()
    if killed:
        for path, content in left.items():
            path.write_bytes(content)


def run(till: Path, *words: str) -> Recording:
    """Record a command."""
    command = (sys.executable, "-m", "agent.cli", *words, "--config", str(till / "config.toml"))
    return record(till, command, ROOT, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


async def cut(recording: Recording, judge: Judge, at_least: int) -> None:
    """Under both models; no state may be bad."""
    tried = 0
    for model in Model:
        place = recording.root.with_name("state")
        report: Report = await campaign(recording, model, place, wanted=STATES, seed=1, judge=judge)
        assert report.bad == 0, report.examples
        tried += report.states
    assert tried >= at_least


@pytest.mark.nightly
async def test_a_restore_leaves_the_old_database_or_the_whole_new_one(till: Path, database: Path) -> None:
    await sold(database, "a")
    store = await SqliteStore.open(database, FakeClock())
    await store.backup(till / "copy.db")
    await store.close()
    await sold(database, "b", "c", killed=True)
    before = till.with_name("before")
    shutil.copytree(database.parent, before)
    old = (await start(before / DATABASE)).log
    recording = run(till, "restore", str(till / "copy.db"), "--json", "--continue-after", "FV-1=3")
    new = (await start(database)).log
    assert len(old) == 3
    assert len(new) == 2, "the sale and the restore itself"

    async def judge(place: Path, state: State, promises: Sequence[Promise]) -> list[str]:
        found = [f"I9 left over: {path}" for path in state.files if path.endswith("-journal") and "partial" not in path]
        facts = await start(place / "data" / DATABASE)
        found += [problem for problem in facts.problems if not problem.startswith("I1")]  # states are not in this log
        if facts.log not in {old, new} or (promises and facts.log != new):
            found.append(f"I1 the log has {len(facts.log)} lines, old {len(old)}, new {len(new)}")
        if facts.log == new:
            asides = [path for path in (place / "data").glob("*.replaced-*") if path.name[-1] == "Z"]
            kept = [(await start(aside)).log for aside in asides]
            if kept != [old]:
                found.append(f"I1 the old database was not kept: {asides}, {[len(log) for log in kept]}")
        return found

    await cut(recording, judge, 100)


async def test_what_was_pruned_is_in_the_export(till: Path, database: Path) -> None:
    await sold(database, *NAMES, accepted=True)
    recording = run(till, "export", "--prune", "--json", "--before", "2999-01-01")

    def judge_files(place: Path) -> list[str]:
        found = []
        with closing(sqlite3.connect(place / "data" / DATABASE)) as connection:
            rows = connection.execute(
                "SELECT id, xml IS NULL, place, exports.sha256 FROM invoices JOIN versions ON versions.invoice_id = id"
                " LEFT JOIN exports ON exports.invoice_id = id"
            ).fetchall()
        for invoice_id, pruned, where, sha256 in rows:
            file = None if where is None else place / Path(where).relative_to(till)
            if file is None:
                if pruned:
                    found.append(f"I1 {invoice_id} was pruned and not exported")
            elif not file.is_file() or hashlib.sha256(file.read_bytes()).digest() != sha256:
                found.append(f"I1 {invoice_id} counts as exported (pruned: {pruned}), and its file is lost")
        return found

    async def judge(place: Path, _: State, promises: Sequence[Promise]) -> list[str]:
        facts = await start(place / "data" / DATABASE)
        if promises and dict(promises[-1])["pruned"] != len(NAMES):
            return ["nothing was pruned: this test tests nothing"]
        found = [problem for problem in facts.problems if not problem.startswith("I1")]
        return found + await asyncio.to_thread(judge_files, place)

    await cut(recording, judge, 50)


async def test_a_token_that_was_shown_works_after_a_power_cut(till: Path) -> None:
    recording = run(till, "token", "add", "kasa 1", "--json")

    async def judge(place: Path, _: State, promises: Sequence[Promise]) -> list[str]:
        tokens = Tokens.in_directory(place / "data")
        entries = {entry.name: entry.sha256 for entry in tokens.list()}
        if promises and entries.get("kasa 1") != hashlib.sha256(promises[0]["token"].encode()).hexdigest():
            return ["the token was shown and is lost"]
        return []

    await cut(recording, judge, 8)


@pytest.mark.parametrize("left", ["", "ksef-halfwri"], ids=["empty", "half"])
async def test_a_token_of_the_commands_that_a_power_cut_spoiled_is_made_anew(tmp_path: Path, left: str) -> None:
    tokens = Tokens.in_directory(tmp_path)
    first = ensure_token(tokens, tmp_path)
    assert ensure_token(tokens, tmp_path) == first
    (tmp_path / COMMANDS_FILE).write_text(left)
    second = ensure_token(tokens, tmp_path)
    caller = await tokens.caller(second)
    assert caller is not None
    assert caller.role is Role.MANAGER
    assert (tmp_path / COMMANDS_FILE).read_text() == second
    assert await tokens.caller(first) is None
