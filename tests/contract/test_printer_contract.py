"""One suite over every way to a printer: what agent.ports.Printer promises holds for each.

TCP, serial line, device file that answers, plain file, CUPS, a group of two, no printer at all, and the tests' fake.
"""

from __future__ import annotations

import asyncio
import os
import threading
import tty
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.ports import Outcome
from agent.sandbox.printer import Mechanism, NetworkPrinter
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from printers.printer_set import PrinterSet, build
from printers.profiles.models import PROFILES
from tests.fakes.printer import FakePrinter
from tests.unit.printers.slips import EC_LINK, invoice

SLIP = invoice()
KINDS = ("tcp", "tcp-unconfirmed", "serial", "file-answers", "file", "cups", "group", "none", "fake")
PROMISES_PROOF = {"tcp", "serial", "file-answers", "group", "fake"}
CAN_BE_HELD = {"tcp", "serial", "file-answers", "fake"}
"""Those whose first printer says that it is ready."""


@contextmanager
def line():  # type: ignore[no-untyped-def]
    """A pseudo-terminal with a printer at its end."""
    controller, terminal = os.openpty()
    tty.setraw(controller)
    mechanism = Mechanism(PROFILES["epson-tm-t20"], SystemClock())
    loop = asyncio.get_running_loop()

    def take() -> None:
        data = os.read(controller, 4096)
        while data.startswith(b"\x10\x04"):
            os.write(controller, mechanism.real_time(data[2]))
            data = data[3:]
        if data:
            mechanism.receive(data, lambda answer: (os.write(controller, answer), None)[1])

    loop.add_reader(controller, take)
    yield os.ttyname(terminal)
    loop.remove_reader(controller)
    os.close(terminal)
    os.close(controller)


async def settings_of(kind: str, stack: AsyncExitStack, folder: Path) -> list[PrinterSettings]:
    """Make the device and return its settings."""
    if kind == "none":
        return []
    if kind in ("tcp", "tcp-unconfirmed", "group"):
        device = NetworkPrinter()
        await device.start()
        stack.push_async_callback(device.stop)
        answers = False if kind == "tcp-unconfirmed" else None
        first = PrinterSettings(name="p1", profile="epson-tm-t20", port=device.port, answers=answers)
        gone = PrinterSettings(name="p0", profile="epson-tm-t20", connection="file", device=str(folder / "gone"))
        return [gone, first] if kind == "group" else [first]
    if kind in ("serial", "file-answers"):
        path = stack.enter_context(line())
        connection = "serial" if kind == "serial" else "file"
        return [PrinterSettings("p1", "epson-tm-t20", connection, device=path, flow="none", answers=True)]
    if kind == "file":
        (folder / "lp0").touch()
        return [PrinterSettings(name="p1", connection="file", device=str(folder / "lp0"))]
    for name in ("lp", "lpstat"):
        (folder / name).write_text("#!/bin/sh\ncat > /dev/null\n")
        (folder / name).chmod(0o755)
    return [PrinterSettings(name="p1", connection="cups", device="queue")]


@pytest.fixture(params=KINDS)
async def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def fleet(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrinterSet]:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with AsyncExitStack() as stack:
        if kind == "fake":
            yield replace(build([PrinterSettings("p1", "epson-tm-t20")], SystemClock()), printer=FakePrinter("p1"))
        else:
            yield build(await settings_of(kind, stack, tmp_path), SystemClock())


async def test_outcome_is_honest(fleet: PrinterSet, kind: str) -> None:
    journal: list[tuple[str, bytes]] = []

    async def sent(name: str, data: bytes) -> None:
        journal.append((name, data))

    result = await fleet.printer.print(lambda name: fleet.encode(name, SLIP), sent)
    if kind == "none":
        assert (result.outcome, journal) == (Outcome.NOT_SENT, [])
        return
    assert result.outcome is Outcome.DONE
    assert result.confirmed is (kind in PROMISES_PROOF)
    assert [name for name, _ in journal] == [result.printer] == ["p1"]
    assert journal[0][1].startswith(fleet.encode("p1", SLIP))
    assert EC_LINK in fleet.text("p1", journal[0][1])


async def test_the_journal_is_written_before_the_first_byte(fleet: PrinterSet, kind: str) -> None:
    class Refused(Exception):
        """The store could not keep it."""

    async def refuse(_name: str, _data: bytes) -> None:
        raise Refused

    if kind == "none":
        return
    with pytest.raises(Refused):
        await fleet.printer.print(lambda name: fleet.encode(name, SLIP), refuse)
    papers = [status for status in await fleet.printer.status() if status.name == "p1"]
    assert papers[0].online  # and it is free for the next job


async def test_names_and_status_are_in_fallback_order(fleet: PrinterSet, kind: str) -> None:
    names = {"none": (), "group": ("p0", "p1")}.get(kind, ("p1",))
    assert fleet.printer.profile_names == names
    status = await fleet.printer.status()
    assert tuple(one.name for one in status) == names
    assert all(one.online == (one.name == "p1") for one in status)
    assert all((one.problem is None) == one.online for one in status)


async def test_a_held_printer_prints_one_job_and_goes_on(fleet: PrinterSet, kind: str) -> None:
    ready = await fleet.printer.reserve()
    assert (ready is not None) is (kind in CAN_BE_HELD)
    if ready is None:
        return
    assert ready.name == "p1"
    assert await fleet.printer.reserve() is None, "it is held"
    data = fleet.encode("p1", SLIP)
    job = ready.framed(data)
    assert job.startswith(data)
    result = await ready.print(job)
    assert (result.outcome, result.printer, result.confirmed) == (Outcome.DONE, "p1", True)
    with pytest.raises(RuntimeError):
        await ready.print(job)
    await ready.release()
    again = await fleet.printer.reserve()
    assert again is not None
    waiting = asyncio.create_task(fleet.printer.print(lambda name: fleet.encode(name, SLIP), nothing_to_store))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not waiting.done(), "another job waits for the printer"
    await again.release()
    await again.release()
    assert (await waiting).outcome is Outcome.DONE
    with pytest.raises(RuntimeError):
        await again.print(job)
    assert (await fleet.printer.print(lambda name: fleet.encode(name, SLIP), nothing_to_store)).outcome is Outcome.DONE


async def test_a_hold_given_up_in_the_middle_leaves_the_printer_free(fleet: PrinterSet, kind: str) -> None:
    holding = asyncio.create_task(fleet.printer.reserve())
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    if holding.cancelled() and kind in CAN_BE_HELD:
        ready = await fleet.printer.reserve()
        assert ready is not None
        await ready.release()


@pytest.mark.parametrize(
    "way",
    [
        {"host": "192.168.1..50"},
        {"host": "x" * 70},
        {"host": "drukarka\0"},
        {"connection": "serial", "device": "/dev/tty\0"},
        {"connection": "file", "device": "/dev/usb/lp\0"},
        {"connection": "cups", "device": "paragon\0"},
    ],
)
async def test_a_way_that_leads_nowhere_is_that_printers_trouble(way: dict[str, Any], tmp_path: Path) -> None:
    """Whatever stands in the settings: never an error of the program, and the next printer takes the job."""
    (tmp_path / "lp0").touch()
    second = PrinterSettings(name="p2", connection="file", device=str(tmp_path / "lp0"))
    alone, both = (build([PrinterSettings(name="p1", **way), *others], SystemClock()) for others in ((), (second,)))
    result = await alone.printer.print(lambda name: alone.encode(name, SLIP), nothing_to_store)
    assert result.outcome is Outcome.NOT_SENT
    assert result.problem
    assert await alone.printer.reserve() is None
    assert [status.online for status in await both.printer.status()] == [False, True]
    result = await both.printer.print(lambda name: both.encode(name, SLIP), nothing_to_store)
    assert (result.outcome, result.printer) == (Outcome.DONE, "p2")


async def nothing_to_store(_name: str, _data: bytes) -> None:
    """The bytes of a test are kept nowhere."""


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def lanes() -> int:
    return sum(thread.name.startswith("printer-") for thread in threading.enumerate())


async def test_nothing_is_left_open(fleet: PrinterSet) -> None:
    async def once() -> None:
        await fleet.printer.print(lambda name: fleet.encode(name, SLIP), nothing_to_store)
        await fleet.printer.status()
        if (ready := await fleet.printer.reserve()) is not None:
            await ready.release()

    await once()  # starts the lane and the threads of the loop
    await asyncio.gather(once(), once())
    files, threads, tasks = open_files(), lanes(), len(asyncio.all_tasks())
    for _ in range(5):
        await once()
    for _ in range(50):
        await asyncio.sleep(0)
    assert open_files() <= files
    assert lanes() == threads
    assert len(asyncio.all_tasks()) <= tasks + 1
