"""Every reader against spoilt inputs, the same ones each time; the fuzzer sees each kind of crash."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from tests.fuzz import fuzzer
from tests.fuzz.fuzzer import feed, fuzz
from tests.fuzz.targets import Target, targets

INPUTS = 1000
SLOW = {"settings": 100, "fa3": 400, "escpos": 300, "epp": 600, "status-bytes": 300}
"""Fewer, where one costs ten times as much."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", targets())
def test_spoilt_inputs_are_read_or_refused_as_documented(name: str) -> None:
    fed, crash = fuzz(name, targets()[name], seed=1, inputs=SLOW.get(name, INPUTS))
    assert crash is None, f"{crash.what}\n{crash.data[:2000]!r}"
    assert fed >= 60


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("hub-line", b"[" * 3000),
        ("hub-problem", b'{"a":' * 3000),
        ("unit-file", b"[Service]\nExecStart='/usr/bin/ksef-agent run\n"),
        ("unit-file", b"[Service]\nExecStart=/usr/bin/ksef-agent\nEnvironment=KSEF_AGENT_CONFIG='/etc\n"),
    ],
)
def test_what_crashed_a_reader_once(name: str, data: bytes) -> None:
    assert feed(name, targets()[name], data, set()) is None


def test_an_undocumented_error_is_a_crash() -> None:
    def read(data: bytes) -> object:
        return 1 // (b"\xff" not in data)

    _, crash = fuzz("planted", Target(read, (b"good",)), seed=1, inputs=2000)
    assert crash is not None
    assert "ZeroDivisionError" in crash.what
    assert fuzz("planted", Target(read, (b"good",), (ZeroDivisionError,)), seed=1, inputs=50) == (50, None)


def test_a_hang_slowness_and_memory_are_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_data: bytes) -> object:
        while True:
            pass

    monkeypatch.setattr(fuzzer, "HANG_SECONDS", 0.01)
    crash = feed("planted", Target(hang, ()), b"", set())
    assert crash is not None
    assert crash.what == "not read within 0.01 s"
    monkeypatch.undo()
    monkeypatch.setattr(fuzzer, "SLOW_SECONDS", -1.0)
    slow = feed("planted", Target(lambda _data: time.process_time(), ()), b"", set())
    assert slow is not None
    assert slow.what.endswith("of processor time")
    monkeypatch.undo()
    monkeypatch.setattr(fuzzer, "MEMORY_KB", -1)
    big = feed("planted", Target(bytes, ()), b"", set())
    assert big is not None
    assert big.what.endswith("kB of memory")
