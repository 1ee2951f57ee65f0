"""The clock of the tests: an alarm goes off once everybody waits, and no sooner; that costs few turns of the loop."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from tests.fakes.clock import FakeClock

TURN = 0.0001
"""Real seconds for a turn of a loop that waits for something outside."""


async def sleeps(clock: FakeClock, times: int, woken: list[float]) -> None:
    for _ in range(times):
        await clock.sleep(1)
        woken.append(clock.monotonic())


async def test_an_alarm_costs_few_turns_where_everybody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal turns
        turns += 1
        await sleep(seconds)

    clock, woken = FakeClock(), list[float]()
    task = asyncio.create_task(sleeps(clock, 100, woken))
    monkeypatch.setattr(asyncio, "sleep", counted)
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])  # none that another test left
    await clock.advance(100)
    assert (len(woken), task.done()) == (100, True)
    assert turns < 10 * 100


async def test_work_of_many_turns_is_done_before_the_next_alarm() -> None:
    clock, seen = FakeClock(), list[float]()

    async def works() -> None:
        await clock.sleep(1)
        for _ in range(150):
            await asyncio.sleep(0)
        seen.append(clock.monotonic())

    begun = clock.monotonic()
    tasks = [asyncio.create_task(works()), asyncio.create_task(clock.sleep(2))]
    await clock.advance(2)
    assert seen == [begun + 1]
    await asyncio.gather(*tasks)


async def test_a_call_in_a_thread_gets_its_turns_before_the_next_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, clock, seen = asyncio.sleep, FakeClock(), list[float]()

    async def slow_turn(seconds: float) -> None:
        time.sleep(TURN)  # noqa: ASYNC251 - the thread needs real time
        await sleep(seconds)

    async def works() -> None:
        await clock.sleep(1)
        await asyncio.to_thread(time.sleep, 10 * TURN)
        seen.append(clock.monotonic())

    begun = clock.monotonic()
    tasks = [asyncio.create_task(works()), asyncio.create_task(clock.sleep(2))]
    monkeypatch.setattr(asyncio, "sleep", slow_turn)
    await clock.advance(2)
    assert seen == [begun + 1]
    await asyncio.gather(*tasks)


async def test_what_comes_over_a_socket_is_read_before_the_next_alarm() -> None:
    clock, seen = FakeClock(), list[float]()
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    other_reader, other_writer = await asyncio.open_connection(sock=theirs)

    async def answers() -> None:
        other_writer.write(await other_reader.readexactly(1))

    async def asks() -> None:
        await clock.sleep(1)
        writer.write(b"?")
        await reader.readexactly(1)
        seen.append(clock.monotonic())

    begun = clock.monotonic()
    tasks = [asyncio.create_task(each) for each in (asks(), answers(), clock.sleep(2))]
    await clock.advance(2)
    assert seen == [begun + 1]
    await asyncio.gather(*tasks)
    for each in (writer, other_writer):
        each.close()
        await each.wait_closed()
