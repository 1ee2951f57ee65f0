"""Many processes of the program, cheaply: a host that has imported it forks one for each command.

Each is a process of its own that SIGKILL ends alone; only the start is short and the program's code is there once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PRELOADED = ("agent.app", "agent.serving.serve", "agent.serving.chain", "agent.hub.serving.serve", "asyncpg")


class ForkHost:
    """The host, asked over its standard input, one line at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()

    async def start(self, log: Path, *arguments: str) -> int:
        """Run `ksef-agent …` with its output appended to ``log``; return its process id."""
        return int(await self._ask({"log": str(log), "arguments": arguments}))

    async def end(self, pid: int, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; return the exit code, negative for a signal."""
        return int(await self._ask({"pid": pid, "signal": int(number)}))

    async def ended(self, pid: int) -> int | None:
        """Return the exit code of a process that ended by itself; None: it runs."""
        answer = (await self._ask({"poll": pid})).strip()
        return int(answer) if answer else None

    async def _ask(self, question: dict[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            answer = await self._process.stdout.readline()
        assert answer, "the host of forked processes is gone"
        return answer.decode()


@asynccontextmanager
async def fork_host(tree: Path | None = None) -> AsyncIterator[ForkHost]:
    """Run a host; whatever it started and nobody ended dies with it. ``tree``: sources of another version."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.forked"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=tree,
    )
    try:
        yield ForkHost(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def main() -> None:
    """Serve questions until the standard input ends."""
    for name in PRELOADED:
        __import__(name)
    alive: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            alive.discard(pid)
            _say(os.waitstatus_to_exitcode(status) if pid else "")
            continue
        if "pid" in question:
            pid = question["pid"]
            os.kill(pid, question["signal"])
            _, status = os.waitpid(pid, 0)
            alive.discard(pid)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = _fork(question["log"], question["arguments"])
            alive.add(answer)
        _say(answer)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _say(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def _fork(log: str, arguments: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in ((0, nothing), (1, out), (2, out)):
            os.dup2(descriptor, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
        from agent.cli import main as program

        sys.argv = ["ksef-agent", *arguments]
        program()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child never returns into the host's loop
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
