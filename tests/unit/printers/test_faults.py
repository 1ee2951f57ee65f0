"""The fault matrix: real sockets, a printer that fails on request, time that does not pass.

docs/printing.md, section 5: before the first byte NOT_SENT, after it DONE by the printer's own answer, or UNKNOWN.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest
from blockbuster import BlockingError, blockbuster_ctx

from agent.domain.paper.receipt import Qr, Receipt, Text
from agent.ports import Outcome, PrintResult
from agent.sandbox.printer import Fault, NetworkPrinter
from agent.settings.model import PrinterSettings
from printers.printer_set import PrinterSet, build
from printers.profiles.models import PROFILES, Answers
from tests.fakes.swift_clock import SwiftClock
from tests.unit.printers.slips import EC_LINK, LONGEST_RSA_LINK, RSA_4096_LINK, invoice, receipt

SLIP = invoice()


@dataclass
class Till:
    """Printers of a till and what became durable before bytes left."""

    fleet: PrinterSet
    journal: list[tuple[str, bytes]] = field(default_factory=list)
    refuse: Exception | None = None

    async def sent(self, name: str, data: bytes) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.journal.append((name, data))

    async def print(self, slip: Receipt = SLIP) -> PrintResult:
        return await self.fleet.printer.print(lambda name: self.fleet.encode(name, slip), self.sent)


@pytest.fixture
async def clock() -> AsyncIterator[SwiftClock]:
    async with SwiftClock().running() as clock:
        yield clock


@pytest.fixture
async def device(clock: SwiftClock) -> AsyncIterator[NetworkPrinter]:
    printer = NetworkPrinter(clock=clock)
    await printer.start()
    yield printer
    await printer.stop()
    assert printer.refused_bytes == []


def till_of(*devices: NetworkPrinter, clock: SwiftClock, **changes: object) -> Till:
    settings = [
        PrinterSettings(name=f"p{number}", profile=device.profile.name, port=device.port)
        for number, device in enumerate(devices, 1)
    ]
    return Till(build([replace(one, **changes) for one in settings], clock))  # type: ignore[arg-type]


@pytest.fixture
def till(device: NetworkPrinter, clock: SwiftClock) -> Till:
    return till_of(device, clock=clock)


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(1_000_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("never reached")


async def drained(device: NetworkPrinter) -> None:
    """Wait until the printer has seen the end of every connection."""
    await until(lambda: not device.connections)


# --- all is well --------------------------------------------------------------------------------------


async def test_process_id_is_the_proof(till: Till, device: NetworkPrinter) -> None:
    result = await till.print()
    assert result == PrintResult(Outcome.DONE, "p1")
    (paper,) = device.papers
    assert paper.complete
    assert paper.data == till.fleet.encode("p1", SLIP)
    assert EC_LINK in paper.text
    ((name, data),) = till.journal
    assert name == "p1"
    assert data.startswith(paper.data)
    assert till.fleet.png("p1", data).png == paper.png


async def test_printer_without_process_id_is_believed_by_gs_r(clock: SwiftClock) -> None:
    device = NetworkPrinter(PROFILES["generic-80"], clock=clock)
    await device.start()
    till = till_of(device, clock=clock)
    before = clock.monotonic()
    assert (await till.print()).outcome is Outcome.DONE
    assert clock.monotonic() == before
    await device.stop()


async def test_clone_that_ignores_the_process_id_costs_a_grace_only(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.NO_PROCESS_ID)
    assert (await till.print()).outcome is Outcome.DONE
    assert len(device.papers) == 1


async def test_connection_is_closed_after_every_job(till: Till, device: NetworkPrinter) -> None:
    for _ in range(20):
        assert (await till.print()).outcome is Outcome.DONE
    await drained(device)
    assert device.connections == 0
    assert len(device.papers) == 20


# --- the matrix -----------------------------------------------------------------------------------------


BEFORE = [
    (Fault.REFUSED, "unreachable"),
    (Fault.SILENT, "no-answer"),
    (Fault.GARBAGE, "no-answer"),
    (Fault.PAPER_OUT, "paper-out"),
    (Fault.COVER_OPEN, "cover-open"),
    (Fault.CUTTER, "cutter-error"),
]


@pytest.mark.parametrize(("fault", "code"), BEFORE)
async def test_what_is_wrong_before_the_job_is_not_sent(
    till: Till, device: NetworkPrinter, fault: Fault, code: str
) -> None:
    await device.plan(fault)
    result = await till.print()
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, code)
    assert result.problem is not None
    assert result.problem.startswith("Drukarka „p1”: ")
    assert till.journal == []
    await device.heal()
    assert device.papers == []
    assert (await till.print()).outcome is Outcome.DONE


DURING = [
    (Fault.STALL, "no-answer", 0),
    (Fault.RESET, "connection-lost", 1),
    (Fault.POWER_CYCLE, "connection-lost", 1),
    (Fault.PAPER_OUT, "paper-out", 0),
    (Fault.COVER_OPEN, "cover-open", 0),
    (Fault.CUTTER, "cutter-error", 0),
]


@pytest.mark.parametrize("at", [1, 400, 900])
@pytest.mark.parametrize(("fault", "code", "torn"), DURING)
async def test_what_goes_wrong_during_the_job_is_unknown(
    till: Till, device: NetworkPrinter, fault: Fault, code: str, torn: int, at: int
) -> None:
    await device.plan(fault, at=at)
    result = await till.print()
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, code)
    assert result.problem is not None
    assert result.problem.startswith("Drukarka „")
    assert len(till.journal) == 1
    assert [paper.complete for paper in device.papers] in ([], [False] * torn)


async def test_status_that_lies_confirms_nothing(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.STATUS_LIES)
    result = await till.print()
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "unconfirmed")
    assert device.papers == []


@pytest.mark.parametrize("profile", ["epson-tm-t20", "generic-80"])
async def test_interpreted_is_not_printed_while_the_paper_is_out(clock: SwiftClock, profile: str) -> None:
    device = NetworkPrinter(PROFILES[profile], clock=clock)
    await device.start()
    till = till_of(device, clock=clock)
    await device.plan(Fault.PAPER_OUT_LATE)
    result = await till.print()
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "paper-out")
    await device.heal()
    await device.plan(Fault.PAPER_OUT_LATE)
    job = asyncio.create_task(till.print())
    await until(lambda: till.fleet.individual["p1"].stuck)
    await device.heal()
    assert (await job).outcome is Outcome.DONE
    await device.stop()


async def test_paper_put_in_while_the_job_waits_ends_it_well(
    till: Till, device: NetworkPrinter, clock: SwiftClock
) -> None:
    await device.plan(Fault.PAPER_OUT, at=400)
    job = asyncio.create_task(till.print())
    await until(lambda: till.fleet.individual["p1"].stuck)
    (status,) = await till.fleet.printer.status()
    assert (status.online, status.code) == (False, "paper-out")
    assert not job.done()
    await device.heal()
    assert (await job).outcome is Outcome.DONE
    assert [paper.complete for paper in device.papers] == [True]
    assert (await till.fleet.printer.status())[0].online


async def test_paper_put_in_later_prints_what_waited_once(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.PAPER_OUT, at=400)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    await device.heal()
    assert len(device.papers) == 1


@pytest.mark.parametrize("at", [700, 3000, 5000])
async def test_job_after_a_torn_raster_is_not_eaten(clock: SwiftClock, at: int) -> None:
    device = NetworkPrinter(PROFILES["epson-tm-t88iii"], clock=clock)  # raster only
    await device.start()
    till = till_of(device, clock=clock)
    await device.plan(Fault.RESET, at=at)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    assert (await till.print()).outcome is Outcome.DONE
    last = device.papers[-1]
    assert last.complete
    assert last.data == till.fleet.encode("p1", SLIP)
    assert till.fleet.png("p1", till.journal[-1][1]).png  # the padding is part of the bytes sent, and readable
    await device.stop()


@pytest.mark.parametrize("at", [700, 3000, 5000])
async def test_nor_is_the_first_job_after_the_death_of_the_process(clock: SwiftClock, at: int) -> None:
    device = NetworkPrinter(PROFILES["epson-tm-t88iii"], clock=clock)  # raster only
    await device.start()
    before = till_of(device, clock=clock)
    await device.plan(Fault.RESET, at=at)
    assert (await before.print()).outcome is Outcome.UNKNOWN
    till = till_of(device, clock=clock)
    till.fleet.printer.left_by_an_earlier_run(*before.journal[-1])
    assert (await till.print()).outcome is Outcome.DONE
    assert device.papers[-1].complete
    assert device.papers[-1].data == till.fleet.encode("p1", SLIP)
    await device.stop()


# --- what an unknown job left in the printer -------------------------------------------------------------


WAITING = [Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.CUTTER]


def again(copy: int = 2) -> Receipt:
    return receipt(Text(f"WYDRUK PONOWNY nr {copy}"), *SLIP.elements)


@pytest.mark.parametrize("at", [1, 400, 900])
@pytest.mark.parametrize("fault", WAITING)
async def test_the_old_paper_does_not_come_out_beside_the_new(
    till: Till, device: NetworkPrinter, fault: Fault, at: int
) -> None:
    await device.plan(fault, at=at)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    assert (await till.print(again())).outcome is Outcome.NOT_SENT  # the cashier's reprint comes before the new roll
    await device.heal()
    assert [paper for paper in device.papers if paper.complete] == []
    assert (await till.print(again())).outcome is Outcome.DONE
    (paper,) = [paper for paper in device.papers if paper.complete]
    assert paper.data == till.fleet.encode("p1", again())
    assert paper.text.startswith("WYDRUK PONOWNY nr 2")


async def test_nor_does_one_of_a_run_that_died(till: Till, device: NetworkPrinter, clock: SwiftClock) -> None:
    await device.plan(Fault.PAPER_OUT, at=400)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    next_run = till_of(device, clock=clock)
    next_run.fleet.printer.left_by_an_earlier_run(*till.journal[-1])
    next_run.fleet.printer.left_by_an_earlier_run("sold-long-ago", b"")
    assert (await next_run.print(again())).outcome is Outcome.NOT_SENT
    await device.heal()
    assert [paper for paper in device.papers if paper.complete] == []


async def test_the_old_paper_comes_out_whole_when_the_roll_comes_first(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.PAPER_OUT, at=400)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    await device.heal()
    assert (await till.print(again())).outcome is Outcome.DONE
    assert [paper.complete for paper in device.papers] == [True, True]


async def test_the_next_printer_prints_it_and_the_old_paper_stays_away(
    till: Till, device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock
) -> None:
    till = till_of(device, second, clock=clock)
    await device.plan(Fault.PAPER_OUT, at=400)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    assert (await till.print(again())).printer == "p2"
    await device.heal()
    assert [paper for paper in device.papers if paper.complete] == []
    assert [paper.complete for paper in second.papers] == [True]


async def test_a_cancelled_job_is_cleared_too(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.PAPER_OUT, at=400)
    job = asyncio.create_task(till.print())
    await until(lambda: bool(till.journal) and device.offline)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await drained(device)
    assert (await till.print(again())).outcome is Outcome.NOT_SENT
    await device.heal()
    assert [paper for paper in device.papers if paper.complete] == []


async def test_others_data_is_not_cleared(till: Till, device: NetworkPrinter) -> None:
    """Another program printed into the empty printer; nothing of ours waits there."""
    await device.plan(Fault.PAPER_OUT)
    _, writer = await asyncio.open_connection(device.host, device.port)
    writer.write(till.fleet.encode("p1", receipt(Text("Zamówienie do kuchni"))))
    writer.close()
    await writer.wait_closed()
    await drained(device)
    assert (await till.print()).outcome is Outcome.NOT_SENT
    await device.heal()
    assert [paper.text for paper in device.papers] == ["Zamówienie do kuchni\n"]


async def test_a_printer_without_that_command_is_not_sent_it(clock: SwiftClock) -> None:
    device = NetworkPrinter(PROFILES["generic-80"], clock=clock)
    await device.start()
    till = till_of(device, clock=clock)
    await device.plan(Fault.PAPER_OUT, at=400)
    assert (await till.print()).outcome is Outcome.UNKNOWN
    assert (await till.print(again())).outcome is Outcome.NOT_SENT
    await device.heal()
    assert [paper.complete for paper in device.papers] == [True]  # the old one, unmarked: such a printer keeps it
    assert device.refused_bytes == []
    await device.stop()


async def test_while_another_till_prints_there_nothing_is_sent(till: Till, device: NetworkPrinter) -> None:
    """Such a printer accepts the connection and reads nothing from it until the other one is closed."""
    _, other = await asyncio.open_connection(device.host, device.port)
    await until(lambda: device.connections == 1)
    assert (await till.print()).code == "no-answer"
    other.close()
    await other.wait_closed()
    await drained(device)
    assert (till.journal, device.papers) == ([], [])
    assert (await till.print()).outcome is Outcome.DONE


# --- printers that cannot answer ---------------------------------------------------------------------


async def test_printer_that_can_not_answer_is_never_confirmed(clock: SwiftClock) -> None:
    device = NetworkPrinter(PROFILES["pos-58"], clock=clock)
    await device.start()
    till = till_of(device, clock=clock)
    assert till.fleet.profile("p1").answers is Answers.NONE
    result = await till.print()
    assert (result.outcome, result.confirmed) == (Outcome.DONE, False)
    await drained(device)
    assert [paper.complete for paper in device.papers] == [True]
    assert (await till.fleet.printer.status())[0].online
    await device.plan(Fault.REFUSED)
    assert (await till.print()).code == "unreachable"
    assert not (await till.fleet.printer.status())[0].online
    await device.stop()


async def test_setting_answers_false_asks_nothing(device: NetworkPrinter, clock: SwiftClock) -> None:
    till = till_of(device, clock=clock, answers=False)
    result = await till.print()
    assert (result.outcome, result.confirmed) == (Outcome.DONE, False)
    ((_, data),) = till.journal
    assert data == till.fleet.encode("p1", SLIP)


# --- durable before the first byte ----------------------------------------------------------------------


async def test_nothing_leaves_when_the_journal_refuses(till: Till, device: NetworkPrinter) -> None:
    till.refuse = RuntimeError("disk full")
    with pytest.raises(RuntimeError, match="disk full"):
        await till.print()
    await drained(device)
    assert device.papers == []
    till.refuse = None
    assert (await till.print()).outcome is Outcome.DONE


async def test_a_cancelled_job_lets_go_of_the_printer(till: Till, device: NetworkPrinter) -> None:
    await device.plan(Fault.STALL, at=10)
    job = asyncio.create_task(till.print())
    await until(lambda: bool(till.journal))
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await drained(device)
    assert (await till.print()).outcome is Outcome.DONE


async def test_document_that_does_not_fit_is_said_in_polish(clock: SwiftClock) -> None:
    device = NetworkPrinter(PROFILES["generic-58"], clock=clock)
    await device.start()
    till = till_of(device, clock=clock)
    result = await till.print(receipt(Qr(RSA_4096_LINK, "CERTYFIKAT")))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "qr-too-wide")
    assert till.fleet.check(len(RSA_4096_LINK)) != ()
    assert till.fleet.check(len(LONGEST_RSA_LINK)) == ()
    await device.stop()


# --- several printers -----------------------------------------------------------------------------------


@pytest.fixture
async def second(clock: SwiftClock) -> AsyncIterator[NetworkPrinter]:
    printer = NetworkPrinter(PROFILES["generic-58"], clock=clock)
    await printer.start()
    yield printer
    await printer.stop()


@pytest.mark.parametrize(("fault", "code"), BEFORE)
async def test_what_was_not_sent_goes_to_the_next(
    device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock, fault: Fault, code: str
) -> None:
    till = till_of(device, second, clock=clock)
    await device.plan(fault, times=None)
    result = await till.print()
    assert (result.outcome, result.printer) == (Outcome.DONE, "p2")
    assert [name for name, _ in till.journal] == ["p2"]
    await drained(second)
    assert second.papers[0].data == till.fleet.encode("p2", SLIP)
    assert {status.name: status.online for status in await till.fleet.printer.status()} == {"p1": False, "p2": True}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.STALL, Fault.PAPER_OUT, Fault.POWER_CYCLE, Fault.STATUS_LIES])
async def test_what_may_be_on_paper_never_goes_to_the_next(
    device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock, fault: Fault
) -> None:
    till = till_of(device, second, clock=clock)
    await device.plan(fault, at=300)
    result = await till.print()
    assert (result.outcome, result.printer) == (Outcome.UNKNOWN, "p1")
    assert second.papers == []


async def test_the_first_printers_trouble_is_told_when_none_prints(
    device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock
) -> None:
    till = till_of(device, second, clock=clock)
    await device.plan(Fault.PAPER_OUT)
    await second.plan(Fault.REFUSED)
    result = await till.print()
    assert (result.outcome, result.printer, result.code) == (Outcome.NOT_SENT, "p1", "paper-out")


async def test_while_one_printer_hangs_another_prints(
    device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock
) -> None:
    till = till_of(device, second, clock=clock)
    await device.plan(Fault.STALL, at=100)
    hanging = asyncio.create_task(till.print())
    await until(lambda: bool(till.journal))
    others = await asyncio.gather(*(till.print() for _ in range(3)))
    assert [(result.outcome, result.printer) for result in others] == [(Outcome.DONE, "p2")] * 3
    assert not hanging.done()
    assert (await hanging).outcome is Outcome.UNKNOWN


async def test_no_call_blocks_the_loop(device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock) -> None:
    till = till_of(device, second, clock=clock)
    with blockbuster_ctx("printers"):
        for slip in (SLIP, invoice(LONGEST_RSA_LINK)):
            assert (await till.print(slip)).outcome is Outcome.DONE
        await device.plan(Fault.PAPER_OUT)
        assert (await till.print()).printer == "p2"
        assert len(await till.fleet.printer.status()) == 2
        with pytest.raises(BlockingError):
            till.fleet.encode("p1", blocking_slip())


def blocking_slip() -> Receipt:
    """A document whose encoding blocks: what the check above would notice in the loop."""

    class Slow(str):
        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            time.sleep(0)
            return super().encode(encoding, errors)

    return receipt(Qr(Slow("https://x"), "x"))


async def test_a_slow_encoder_holds_up_nobody(
    device: NetworkPrinter, second: NetworkPrinter, clock: SwiftClock
) -> None:
    slow, quick = till_of(device, clock=clock), till_of(second, clock=clock)
    release = threading.Event()

    def encode(name: str) -> bytes:
        release.wait()
        return slow.fleet.encode(name, SLIP)

    waiting = asyncio.create_task(slow.fleet.printer.print(encode, slow.sent))
    assert (await quick.print()).outcome is Outcome.DONE
    assert not waiting.done()
    release.set()
    assert (await waiting).outcome is Outcome.DONE


async def test_a_busy_printer_is_waited_for(till: Till, device: NetworkPrinter) -> None:
    results = await asyncio.gather(*(till.print(receipt(Text(str(number)))) for number in range(8)))
    assert [result.outcome for result in results] == [Outcome.DONE] * 8
    assert [paper.text for paper in device.papers] == [f"{number}\n" for number in range(8)]


async def test_no_printer_at_all(clock: SwiftClock) -> None:
    till = Till(build([], clock))
    result = await till.print()
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "no-printer")
    assert till.fleet.printer.profile_names == ()
    assert await till.fleet.printer.status() == ()
    assert till.fleet.pdf(SLIP).startswith(b"%PDF")
    assert till.fleet.png(till.fleet.default, till.fleet.encode(till.fleet.default, SLIP)).png
