"""A test that hangs fails by itself, and says what every task waits for."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TextIO

LONGEST: Final = 180.0
"""Seconds. The longest test of a change takes a sixth of it on a quiet machine."""
AGAIN: Final = 10.0
"""Seconds until the end is asked for again, where what cleans up hangs as well."""

CHANGE: Final = "change"
"""The profile of hypothesis that has a change's few examples (tests/conftest.py)."""


def has_limit(profile: str, *, nightly: bool) -> bool:
    """Whether a test may take LONGEST only: one of a change, with the examples of a change."""
    return profile == CHANGE and not nightly


@contextmanager
def ends_within(seconds: float, name: str) -> Iterator[None]:
    """Raise TimeoutError in the main thread where the block takes longer, after a list of all tasks on stderr."""

    def late() -> None:
        tell_tasks(sys.stderr)
        raise TimeoutError(f"{name}: no end within {seconds:g} s")

    with alarm(seconds, late, again=AGAIN):
        yield


@contextmanager
def alarm(seconds: float, ring: Callable[[], None], again: float = 0.0) -> Iterator[None]:
    """Call ``ring`` in the main thread where the block takes longer, and then every ``again`` seconds, 0: once.

    May stand inside another one, which goes on with the time that it had left.
    """

    def rings(_signal: int, _frame: FrameType | None) -> None:
        ring()

    before = signal.signal(signal.SIGALRM, rings)
    left = signal.setitimer(signal.ITIMER_REAL, seconds, again)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def tell_tasks(out: TextIO) -> None:
    """Write each task of the running loop, and the line of each coroutine that it waits in."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return  # no loop runs: the traceback tells all
    for task in tasks:
        print(task.get_name(), file=out)
        step: object | None = task.get_coro()
        while step is not None:
            frame: FrameType | None = getattr(step, "cr_frame", None) or getattr(step, "gi_frame", None)
            if frame is not None:
                print(f"    {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}", file=out)
            step = getattr(step, "cr_await", None) or getattr(step, "gi_yieldfrom", None)
