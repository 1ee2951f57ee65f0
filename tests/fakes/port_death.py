"""The program, which kills itself by SIGKILL at one call of a port: as a till's process does where the mains fail.

`python -m tests.fakes.port_death run --config …` with KSEF_PORT_DEATH="NAME:N:before" (or after): at the N-th call of
that name in this process. Before it dies it makes the file KSEF_PORT_DEATH_SAID. Without the variable it lives.

Background calls do not rest for the first minute of a process here, so that a test sees each of them within seconds.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Never, ParamSpec, TypeVar

from agent.ksef.gateway import Gateway
from agent.store.sqlite import SqliteStore
from printers.device.printer import EscPosPrinter

P = ParamSpec("P")
T = TypeVar("T")
WHERE, SAID = "KSEF_PORT_DEATH", "KSEF_PORT_DEATH_SAID"
GATEWAY_CALLS = (
    "session",
    "send",
    "status",
    "find_all",
    "upo",
    "session_upo",
    "invoice_sha256",
    "open_batch",
    "batch_verdicts",
)
"""Calls of KSeF after each of which, and before, a process may die."""
POINTS: dict[str, tuple[type[Any], str]] = {
    **{name: (Gateway, name) for name in GATEWAY_CALLS},
    "write": (SqliteStore, "write"),
    "reserve": (EscPosPrinter, "reserve"),
    "print": (EscPosPrinter, "print"),
    "print_reserved": (EscPosPrinter, "print_reserved"),
}
"""Calls of the ports KSeF, store and printer: name -> where it is."""


def main() -> None:
    """Run the program's command line."""
    Gateway.recall_background = lambda *_: None  # type: ignore[method-assign]
    if where := os.environ.get(WHERE):
        name, at, when = where.split(":")
        owner, method = POINTS[name]
        setattr(owner, method, dying(getattr(owner, method), int(at), after=when == "after"))
    from agent.cli import main as program

    program()


def dying(call: Callable[P, Awaitable[T]], at: int, *, after: bool) -> Callable[P, Awaitable[T]]:
    """Wrap a call: the process dies at the ``at``-th one, before its effect or after it."""
    calls = 0

    async def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal calls
        calls += 1
        mine = calls == at
        if mine and not after:
            die()
        result = await call(*args, **kwargs)
        if mine:
            die()
        return result

    return counted


def die() -> Never:
    """End as a process ends whose power is gone."""
    os.close(os.open(os.environ[SAID], os.O_CREAT | os.O_WRONLY))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives SIGKILL")


if __name__ == "__main__":
    main()
