"""A real PostgreSQL for tests: Debian's binaries, one cluster a session on a unix socket, a database for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

START_SECONDS = 180.0
"""Two chains of fifty tills at once hold up recovery after a SIGKILL for more than a minute."""
INSTALL = "PostgreSQL is missing: apt-get install postgresql (or postgresql-15), nothing has to be started"
NUMBERS = count(1)


class NoPostgres(Exception):
    """Nothing to run."""


def binaries() -> Path:
    """Return the folder of Debian's newest server, else of one on the path; NoPostgres says how to get it."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return folder
    raise NoPostgres(INSTALL)


@dataclass
class Cluster:
    """A running server."""

    folder: Path
    process: subprocess.Popen[bytes]
    command: list[str]
    user: str | None

    def dsn(self, database: str) -> str:
        """Return how to reach a database."""
        return f"postgresql://hub@/{database}?host={self.folder}"

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL to the postmaster and to all its children."""
        postmaster = self.process.pid
        os.kill(postmaster, signal.SIGSTOP)  # no child is born between the look and the end
        os.waitid(os.P_PID, postmaster, os.WSTOPPED)
        children = [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
        for pid in (postmaster, *children):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(map(_runs, children)):
            time.sleep(0.01)  # one that lives holds the shared memory, and the next server refuses to start

    def start(self) -> None:
        """Start it again; wait until it answers."""
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self.process = _run(self.command, self.user)
        _wait(self)


@contextmanager
def cluster(*more: str) -> Iterator[Cluster]:
    """Make a cluster in a folder of its own and run it; ``more``: settings."""
    tools = binaries()
    user = None if os.geteuid() else _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        make = [tools / "initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(list(map(str, make)), check=True, capture_output=True, user=user, cwd=folder)
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={folder}",
            "max_connections=60",
            "shared_buffers=32MB",
            "log_min_messages=fatal",
            *more,
        )
        command = [str(tools / "postgres"), "-D", str(data)]
        for setting in settings:
            command += ["-c", setting]
        running = Cluster(folder, _run(command, user), command, user)
        try:
            _wait(running)
            yield running
        finally:
            running.process.send_signal(signal.SIGQUIT)  # at once: nobody needs this data any more
            running.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], user: str | None) -> subprocess.Popen[bytes]:
    with Path(command[2]).parent.joinpath("server.log").open("ab") as log:
        return subprocess.Popen(command, user=user, stdout=log, stderr=log)


def _runs(pid: int) -> bool:
    """Tell whether a process has not ended; one that nobody has waited for yet has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def _unprivileged() -> str:
    """PostgreSQL refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoPostgres("as root a user is needed under whom PostgreSQL may run: postgres or nobody")


def _wait(running: Cluster) -> None:
    ready = [str(Path(running.command[0]).with_name("pg_isready")), "-q", "-h", str(running.folder)]
    give_up = time.monotonic() + START_SECONDS
    while subprocess.run(ready, check=False).returncode != 0:
        log = running.folder / "server.log"
        assert running.process.poll() is None, f"PostgreSQL ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < give_up, f"PostgreSQL did not start: {log.read_text()[-2000:]}"
        time.sleep(0.05)


async def execute(dsn: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def fresh_database(running: Cluster, template: str = "template1") -> str:
    """Make a database out of a template; return its DSN."""
    name = f"hub_{next(NUMBERS)}"
    await execute(running.dsn("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}")
    return running.dsn(name)
