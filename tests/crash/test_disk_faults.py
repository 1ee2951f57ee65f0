"""A disk that fails while the agent writes: fsync, write, no room, short write, at every call.

Wherever it strikes, nothing acknowledged is lost; an unknown outcome ends the process, the next start is
clean, and the idempotency key decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.crash.powerloss.trace import STRACE
from tests.crash.test_kill import History, check
from tests.crash.test_store_kill import assert_sound, kill_after, run_traced
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
FAULTS = {"eio": "error=EIO", "enospc": "error=ENOSPC", "nothing-written": "retval=0"}
"""retval=0: a write that takes no byte and names no reason."""
PRESSES = 60
"""So many that the writer also makes a checkpoint."""
EXIT_SECONDS = 20.0
ATTACH_SECONDS = 10.0


# --- the store alone ----------------------------------------------------------------------------------------


def strike_store(database: Path, call: str, fault: str, when: int) -> None:
    code, promised = run_traced(database, call, f"{FAULTS[fault]}:when={when}", PRESSES)
    assert code != 0 or len(promised) == PRESSES, "a failure comes out"
    promised |= kill_after(database, 1, 0.0)  # the next start works, at once
    assert_sound(database, promised)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "fault", "when"),
    [
        ("fdatasync", "eio", 3),  # the first start
        ("fdatasync", "eio", 66),  # the checkpoint
        ("pwrite64", "eio", 400),
        ("pwrite64", "nothing-written", 1000),
    ],
)
def test_one_fault_loses_nothing(tmp_path: Path, call: str, fault: str, when: int) -> None:
    strike_store(tmp_path / "agent.db", call, fault, when)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("call", "fault", "when"),
    [
        *(("fdatasync", "eio", when) for when in range(1, 75)),
        *(("pwrite64", fault, when) for fault in FAULTS for when in range(1, 1800, 7)),
    ],
)
def test_faults_everywhere_lose_nothing(tmp_path: Path, call: str, fault: str, when: int) -> None:
    strike_store(tmp_path / "agent.db", call, fault, when)


# --- the whole agent, while a cashier presses -----------------------------------------------------------------


@contextlib.asynccontextmanager
async def striking(place: AgentProcess, call: str, fault: str, when: int) -> AsyncIterator[None]:
    """Attach to the running agent: the ``when``-th call of one of its threads from now on fails, once."""
    assert STRACE is not None
    assert place.process is not None
    inject = f"inject={call}:{FAULTS[fault]}:when={when}"
    strace = await asyncio.create_subprocess_exec(
        *(STRACE, "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, "-p", str(place.process.pid)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert strace.stderr is not None
    try:
        line = await asyncio.wait_for(strace.stderr.readline(), ATTACH_SECONDS)
        if b"attached" not in line:
            pytest.skip(f"strace may not attach here: {line.decode()}")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            strace.terminate()
        await strace.wait()


async def strike_agent(folder: Path, call: str, fault: str, when: int) -> None:
    async with agent_process(folder) as place:
        history = History()
        await press(place, history, 0)
        await place.empty_queue()
        async with striking(place, call, fault, when):
            await press(place, history, 1)
        for number in (1, 2):
            while not await press(place, history, number):
                assert place.process is not None
                code = await asyncio.wait_for(place.process.wait(), EXIT_SECONDS)
                assert code == 1, place.log()
                await place.start()
        await place.empty_queue()
        await check(place, history)


async def press(place: AgentProcess, history: History, number: int) -> bool:
    """Press; return whether an answer came that says it is done."""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        status, answer = await place.post("/v1/invoices", mixed_sale(number), f"sale-{number}")
        if status in {200, 201}:
            history.answers.setdefault(f"sale-{number}", []).append(answer)
            return True
        assert status in {503, 507}, answer
        assert answer["retry_safe"], answer
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("call", "fault", "when"), [("fdatasync", "eio", 1)])
async def test_a_fault_during_a_press(tmp_path: Path, call: str, fault: str, when: int) -> None:
    await strike_agent(tmp_path, call, fault, when)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("call", "fault", "when"),
    [
        *(("fdatasync", "eio", when) for when in range(1, 13)),
        *(("pwrite64", fault, when) for fault in FAULTS for when in range(1, 150, 6)),
    ],
)
async def test_faults_everywhere_during_a_press(tmp_path: Path, call: str, fault: str, when: int) -> None:
    await strike_agent(tmp_path, call, fault, when)
