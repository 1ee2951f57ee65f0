"""SIGKILL at random moments and at every kind of system call: nothing acknowledged is lost, no series has a gap.

The check reads the database file only, with plain sqlite3 (docs/reliability.md: I1, I4, I7, I9 and the hash chain).
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain.records.hash_chain import GENESIS, chain
from agent.store.maintenance import check
from tests.crash.powerloss.trace import STRACE
from tests.fakes.seeds import Note, drawn

ROOT = Path(__file__).parents[2]
WRITER = (sys.executable, "-m", "tests.crash.store_writer")


def acknowledged(output: bytes) -> dict[int, str]:
    """Serial -> hash of every commit that was reported, whole lines only."""
    lines = output.decode().splitlines(keepends=True)
    pairs = [line.split() for line in lines if line.endswith("\n")]
    found = {int(serial): sha256 for serial, sha256 in pairs}
    assert len(found) == len(pairs), "a serial was given twice"
    return found


def assert_sound(database: Path, promised: dict[int, str]) -> int:
    """Check the file against what was acknowledged; return how many invoices it holds."""
    assert check(database) == ()
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT serial, hex(sha256), xml FROM invoices JOIN versions ON invoice_id = id ORDER BY serial"
        ).fetchall()
        assert [serial for serial, _, _ in rows] == list(range(1, len(rows) + 1)), "a gap in the series"
        stored = {serial: digest.lower() for serial, digest, _ in rows}
        assert promised.items() <= stored.items(), "an acknowledged invoice is lost or changed"
        assert all(hashlib.sha256(xml).hexdigest() == stored[serial] for serial, _, xml in rows)
        for table in ("events", "idempotency_keys", "print_jobs"):
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == len(rows), f"{table}: half a unit of work"
        previous = GENESIS
        for at, kind, invoice_id, data, link in connection.execute(
            "SELECT at, kind, invoice_id, data, chain FROM events ORDER BY seq"
        ):
            previous = chain(previous, at, kind, invoice_id, data)
            assert link == previous
    return len(rows)


def kill_after(database: Path, commits: int, delay: float) -> dict[int, str]:
    """Run the writer, kill it ``delay`` seconds after it reported so many commits; return what it reported."""
    with subprocess.Popen((*WRITER, str(database), "100000"), cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = b"".join(process.stdout.readline() for _ in range(commits))
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
        output += process.stdout.read()
    return acknowledged(output)


def rounds(seed: int, count: int) -> Iterator[tuple[int, float]]:
    generator = random.Random(seed)
    for _ in range(count):
        yield generator.randrange(1, 30), generator.random() * 0.02


def kill_repeatedly(database: Path, seed: int, count: int) -> None:
    promised: dict[int, str] = {}
    for commits, delay in rounds(seed, count):
        promised |= kill_after(database, commits, delay)
        held = assert_sound(database, promised)
        assert held - len(promised) <= count, "at most one unacknowledged commit a kill"


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    kill_repeatedly(tmp_path / "agent.db", seed=1, count=6)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(20)))
def test_killed_at_random_moments_for_long(tmp_path: Path, seed: int, record_property: Note) -> None:
    record_property("kills", 50)
    kill_repeatedly(tmp_path / "agent.db", seed, count=50)


def run_traced(database: Path, call: str, action: str, count: int) -> tuple[int, dict[int, str]]:
    """Run the writer under strace with a fault planned; return its exit code and what it acknowledged."""
    assert STRACE is not None
    command = (STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{action}")
    done = subprocess.run(
        (*command, *WRITER, str(database), str(count)), cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    return done.returncode, acknowledged(done.stdout)


def kill_points(call: str, every: int, last: int) -> list[tuple[str, int]]:
    return [(call, when) for when in range(1, last, every)]


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
@pytest.mark.parametrize(
    ("call", "when"), [("pwrite64", 40), ("pwrite64", 75), ("pwrite64", 110), ("fdatasync", 5), ("fdatasync", 9)]
)
def test_killed_at_a_system_call(tmp_path: Path, call: str, when: int) -> None:
    kill_at(tmp_path, call, when)


@pytest.mark.nightly
@pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
@pytest.mark.parametrize(("call", "when"), [*kill_points("pwrite64", 1, 160), *kill_points("fdatasync", 1, 16)])
def test_killed_at_every_system_call(tmp_path: Path, call: str, when: int) -> None:
    kill_at(tmp_path, call, when)


def kill_at(folder: Path, call: str, when: int) -> None:
    database = folder / "agent.db"
    code, promised = run_traced(database, call, f"signal=SIGKILL:when={when}", count=5)
    if database.exists():
        assert_sound(database, promised)
    else:
        assert not promised, "killed before the database had its name"
    assert code != 0 or len(promised) == 5, "either it was killed, or it did all of its work"
    promised_later = kill_after(database, 3, 0.0)
    assert_sound(database, promised | promised_later)


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
@pytest.mark.parametrize(
    ("call", "error", "when"), [("fdatasync", "EIO", 60), ("pwrite64", "EIO", 100), ("pwrite64", "ENOSPC", 100)]
)
def test_a_disk_that_fails_while_it_writes(tmp_path: Path, call: str, error: str, when: int) -> None:
    database = tmp_path / "agent.db"
    promised = kill_after(database, 2, 0.0)
    code, more = run_traced(database, call, f"error={error}:when={when}+", count=80)
    assert 0 < len(more) < 80, "the fault struck between the first and the last press"
    assert code != 0, "the failure comes out, and the process ends"
    assert_sound(database, promised | more)
