"""Feeds spoilt inputs to a reader. A crash: an error that its docstring does not name, a hang, memory without bound."""

from __future__ import annotations

import random
import resource
import time
import traceback
from dataclasses import dataclass

from tests.fuzz.mutations import spoil
from tests.fuzz.targets import Target
from tests.time_limit import alarm

HANG_SECONDS = 10.0
"""Of an input of at most 60 kB; a loaded machine is no hang."""
SLOW_SECONDS = 3.0
"""Of processor time, for what no signal can end."""
MEMORY_KB = 300_000
"""More than one input may add to the process."""
KEPT = 300
"""Spoilt inputs that led somewhere new, to be spoilt further."""


class Hang(BaseException):
    """An input was not read within its time."""


@dataclass(frozen=True)
class Crash:
    """What an input did."""

    target: str
    data: bytes
    what: str


def fuzz(
    name: str, target: Target, *, seed: int, inputs: int | None = None, seconds: float | None = None
) -> tuple[int, Crash | None]:
    """Feed so many inputs, or for so long; return how many were fed, and the first crash."""
    draw = random.Random(f"{name} {seed}")
    pool = list(target.seeds)
    seen: set[object] = set()
    for data in pool:
        if (crash := feed(name, target, data, seen)) is not None:
            return 0, crash
    end = None if seconds is None else time.monotonic() + seconds
    fed = 0
    while (inputs is None or fed < inputs) and (end is None or time.monotonic() < end):
        data = spoil(draw.choice(pool), pool, draw)
        fed += 1
        known = len(seen)
        if (crash := feed(name, target, data, seen)) is not None:
            return fed, crash
        if len(seen) > known and len(pool) < KEPT:
            pool.append(data)
    return fed, None


def feed(name: str, target: Target, data: bytes, seen: set[object]) -> Crash | None:
    """Feed one input; ``seen`` learns where it led."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    try:
        with alarm(HANG_SECONDS, _hang):
            seen.add(type(target.read(data)))
    except target.documented as error:
        seen.add(_place(error))
    except Hang:
        return Crash(name, data, f"not read within {HANG_SECONDS} s")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        told = "".join(traceback.format_exception(error, limit=-4))
        return Crash(name, data, f"{type(error).__name__} is not documented\n{told}")
    if (took := time.process_time() - begun) > SLOW_SECONDS:
        return Crash(name, data, f"{took:.1f} s of processor time")
    if (grown := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) > MEMORY_KB:
        return Crash(name, data, f"{grown} kB of memory")
    return None


def _place(error: BaseException) -> tuple[object, ...]:
    """Tell where an error came from: kind, code, line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        type(error),
        getattr(error, "code", None),
        None if trace is None else (trace.tb_frame.f_code, trace.tb_lineno),
    )


def _hang() -> None:
    raise Hang
