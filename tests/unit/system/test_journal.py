"""Entries for journald, as its native protocol has them; where it takes none, a line on stderr."""

from __future__ import annotations

import io
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.system import journal

TILL = {"KSEF_TILL": "7"}


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "socket"))
        channel.settimeout(5)
        yield channel


@pytest.fixture
def stderr() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(tmp_path: Path, journald: socket.socket, stderr: io.StringIO) -> Iterator[logging.Logger]:
    """A logger of which journald is told."""
    instead = logging.StreamHandler(stderr)
    instead.setFormatter(journal.JournalFormatter(under_journald=True))
    handler = journal.JournalHandler(tmp_path / "socket", instead, TILL)
    logger = logging.getLogger("agent.test_journal")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def entry(data: bytes) -> dict[str, str]:
    """Read an entry as journald does."""
    found = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(data[:8], "little")
            value, data = data[8 : 8 + length], data[8 + length :].removeprefix(b"\n")
        found[name.decode()] = value.decode()
    return found


def test_an_entry_has_priority_and_fields(log: logging.Logger, journald: socket.socket) -> None:
    log.error("alert %s started: %s", "overdue", "Są faktury po terminie.", extra=journal.fields(problem="overdue"))
    assert entry(journald.recv(65536)) == {
        "MESSAGE": "agent.test_journal: alert overdue started: Są faktury po terminie.",
        "PRIORITY": "3",
        "LOGGER": "agent.test_journal",
        "SYSLOG_IDENTIFIER": "ksef-agent",
        "KSEF_TILL": "7",
        "KSEF_PROBLEM": "overdue",
    }


def test_a_traceback_is_one_entry_and_nothing_in_it_becomes_a_field(
    log: logging.Logger, journald: socket.socket
) -> None:
    try:
        raise ValueError("first\nPRIORITY=0\n")
    except ValueError:
        log.exception("a defect")
    found = entry(journald.recv(65536))
    assert found["PRIORITY"] == "3"
    assert found["MESSAGE"].startswith("agent.test_journal: a defect\nTraceback")
    assert "PRIORITY=0" in found["MESSAGE"]


def test_what_journald_does_not_take_is_a_line_on_stderr(
    log: logging.Logger, journald: socket.socket, stderr: io.StringIO
) -> None:
    log.warning("x" * 1_000_000)
    assert stderr.getvalue().startswith("<4>agent.test_journal: xxx")
    journald.close()
    log.info("while it is started anew")
    assert stderr.getvalue().endswith("<6>agent.test_journal: while it is started anew\n")


def test_only_the_stream_of_systemd_is_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journald: socket.socket
) -> None:
    """A command that a service starts with its output in a file inherits $JOURNAL_STREAM."""
    monkeypatch.setattr(journal, "SOCKET", tmp_path / "socket")
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    with (tmp_path / "stderr").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("JOURNAL_STREAM", "1:2")
        journal.configure(till="7")
        assert not isinstance(root.handlers[0], journal.JournalHandler)
        status = (tmp_path / "stderr").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        journal.configure(till="7")
        logging.getLogger("agent").warning("here")
        assert entry(journald.recv(65536))["KSEF_TILL"] == "7"
        root.handlers[0].close()
