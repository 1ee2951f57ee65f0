"""A printer that fails at any byte, and a process that dies beside it (docs/reliability.md, section 3: I3, I10).

A seed draws the kind of printer and how many there are, per press a fault and the byte at which it strikes, the call of
a port at which the process dies, and what the cashier does about it. Real driver, real bytes over sockets, real store;
only time is not real. The checker reads the papers that lie there and the database file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

import pytest

from agent.domain.errors import AgentError
from agent.sandbox.printer import Fault, NetworkPrinter, Paper
from agent.settings.model import PrinterSettings
from printers.printer_set import build
from printers.profiles.models import PROFILES
from tests.crash.test_port_points import CrashPoint, clear
from tests.fakes import counter
from tests.fakes.gateway import FakeGateway
from tests.fakes.printer import FakePrinter
from tests.fakes.seeds import Note, drawn
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.world import CASHIER, CONSUMER, World, sale, settings, world

T = TypeVar("T")
PRESSES = 8
KINDS = ("epson-tm-t20", "generic-80", "generic-58")
WITHIN = (300, 1500, 6000, 18_000)
"""Bytes below which a fault strikes: slips here have 900 to 17 000, by whether the printer draws its QR code itself."""
QUESTIONS = 40
"""Bytes at the end of a job: the cut, and what asks for a proof."""
FILLING = b"\0"
SHORTEST_PIECE = 20
ACCIDENT = 8
"""Bytes that two jobs may have in common by accident, where one was cut off."""
CALLS_OF_A_PRESS = 14
MENDED_SECONDS = 600.0
"""Longer than all silent retries of a job."""


@dataclass
class Shop:
    """One seed: what outlives the process."""

    folder: Path
    seed: int
    clock: SwiftClock
    printers: list[NetworkPrinter]
    draw: random.Random = field(init=False)
    gateway: FakeGateway = field(init=False)
    reprints: int = 0
    deaths: int = 0
    faults: int = 0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.gateway = FakeGateway(self.clock)

    # --- life and death ---------------------------------------------------------------------------

    @asynccontextmanager
    async def till(self, crash: CrashPoint) -> AsyncIterator[World]:
        """Start a till on the same data; every port is silent once it is dead."""
        given = tuple(
            PrinterSettings(f"drukarka-{number}", printer.profile.name, port=printer.port, timeout_seconds=5.0)
            for number, printer in enumerate(self.printers)
        )
        group = build(given, self.clock).printer
        chosen = replace(settings(self.folder), printers=given)
        async with world(
            self.folder, given=chosen, clock=self.clock, gateway=self.gateway, printer=cast(FakePrinter, group)
        ) as place:
            crash.arm(place)
            group.print = crash.wrap(type(group).print.__get__(group))  # type: ignore[method-assign, assignment]
            try:
                yield place
            finally:
                clear(self.gateway)

    async def live(self, crash: CrashPoint, work: Awaitable[T]) -> T | None:
        """Await it; None where the process died meanwhile, or said that it could not."""
        task = asyncio.ensure_future(work)
        death = asyncio.ensure_future(crash.died.wait())
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        over = task.done()
        task.cancel()
        death.cancel()
        found = (await asyncio.gather(task, death, return_exceptions=True))[0]
        if over and isinstance(found, BaseException) and not isinstance(found, AgentError):
            raise found
        return None if isinstance(found, BaseException) else found

    async def run(self) -> None:
        """Live through all presses, one process after the other; then mend the printers."""
        pressed = 0
        while pressed < PRESSES:
            at = self.draw.randrange(1, 3 * CALLS_OF_A_PRESS) if self.draw.random() < 0.7 else None
            crash = CrashPoint(at, after=self.draw.random() < 0.5)
            async with self.till(crash) as place:
                while pressed < PRESSES and not crash.died.is_set():
                    pressed += 1
                    await self.one_customer(place, crash, pressed)
                self.deaths += crash.died.is_set()
            self.done.append(f"process ends, dead: {crash.died.is_set()}")
            self.check()
        for printer in self.printers:
            await printer.heal()
        crash = CrashPoint(None, after=False)
        async with self.till(crash) as place:
            await self.clock.sleep(MENDED_SECONDS)
            await place.catch_up()
        self.check()

    async def one_customer(self, place: World, crash: CrashPoint, number: int) -> None:
        """A fault, a press, what the cashier does when no paper came; by lot the printer is mended."""
        await self.trouble()
        self.gateway.up = self.draw.random() < 0.7
        body = json.dumps(sale(buyer=CONSUMER) if self.draw.random() < 0.4 else sale()).encode()
        key = f"key-{number}"
        answer = await self.live(crash, counter.sale(place, body, key, CASHIER))
        for _ in range(self.draw.choice((0, 0, 1, 2))):
            act = self.draw.choice(("mend", "wait", "again", "reprint"))
            self.done.append(act)
            if act == "mend":
                await self.draw.choice(self.printers).heal()
            elif act == "wait":
                await self.live(crash, self.clock.sleep(self.draw.choice((1.0, 30.0, 200.0))))
            elif act == "again":
                answer = await self.live(crash, counter.sale(place, body, key, CASHIER)) or answer
            elif answer is not None:
                self.reprints += 1
                await self.live(crash, place.reprinting.reprint(answer.invoices[0].record.id, CASHIER))

    async def trouble(self) -> None:
        """By lot one printer gets a fault, at a byte of the next job or before it."""
        if self.draw.random() < 0.25:
            return
        fault = self.draw.choice(list(Fault))
        at = None if self.draw.random() < 0.2 else self.draw.randrange(self.draw.choice(WITHIN))
        number = self.draw.randrange(len(self.printers))
        await self.printers[number].plan(fault, at=at, times=self.draw.choice((1, 1, 3)))
        self.faults += 1
        self.done.append(f"printer {number}: {fault} at {at}")

    # --- the checker ------------------------------------------------------------------------------

    def papers(self) -> list[Paper]:
        return [paper for printer in self.printers for paper in printer.papers]

    def check(self) -> None:
        """I3, I10 and that nothing prints again by itself, of all papers that lie there now."""
        jobs = read_jobs(self.folder / "agent.db")
        wholes = [paper.data for paper in self.papers() if paper.complete]
        for paper in self.papers():
            assert explained(paper.data.rstrip(b"\n"), [job.data for job in jobs]), ("no durable record", paper.data)
        for job in jobs:
            came_out = [data for data in wholes if job.is_on(data)]
            assert len(came_out) <= 1, ("printed again by itself", job.state, job.copy, job.number)
            assert not (job.state == "failed" and came_out), ("said not to have printed", job.number, job.problem)
            assert job.state != "printed" or came_out, ("said to have printed", job.number)
            assert job.document == job.due, ("the mark of another moment", job.number, job.document, job.due)
            assert not came_out or (b"WYDRUK PONOWNY" in job.data) is (job.copy > 1)
        for number in {job.number for job in jobs}:
            originals = [job for job in jobs if job.number == number and job.copy == 1]
            unmarked = [data for data in wholes if any(job.is_on(data) for job in originals)]
            assert len(unmarked) <= 1, ("two unmarked papers", number)


def alike(one: bytes, other: bytes) -> int:
    """Return how many bytes at the beginning are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def explained(paper: bytes, jobs: Sequence[bytes]) -> bool:
    """Whether a paper is made of beginnings of jobs with a record, one behind the other, and of nothing else.

    More than one where a job was cut off inside a command: the printer takes what comes next for the rest of it, so the
    driver sends NUL first (docs/printing.md, section 5). Only the last of them may be whole.
    """
    paper = paper.lstrip(FILLING)
    if any(job.startswith(paper.rstrip(FILLING)) for job in jobs) or not paper:
        return True
    for job in jobs:
        longest = alike(paper, job)
        for length in range(longest, max(longest - ACCIDENT, SHORTEST_PIECE - 1), -1):
            if explained(paper[length:], jobs):
                return True
    return False


@dataclass(frozen=True, slots=True)
class Job:
    """A print job as it lies in the database. ``due``: the document that was right when it was queued."""

    number: str
    state: str
    copy: int
    document: str
    due: str
    data: bytes
    problem: str | None

    def is_on(self, paper: bytes) -> bool:
        """Whether all of it that makes marks is on a paper."""
        return bool(self.data) and self.data[:-QUESTIONS] in paper


def read_jobs(database: Path) -> list[Job]:
    """Read all jobs that ever had bytes, and from the log which document was due at their moment."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        events = connection.execute("SELECT kind, invoice_id, data FROM events ORDER BY seq").fetchall()
        rows = connection.execute(
            "SELECT print_jobs.id, number, print_jobs.state, copy, document, data, problem, buyer_identifier"
            " FROM print_jobs JOIN invoices ON invoices.id = print_jobs.invoice_id ORDER BY print_jobs.id"
        ).fetchall()
    numbered: set[str] = set()
    outside: dict[int, bool] = {}
    for kind, invoice_id, data in events:
        if kind == "accepted":
            numbered.add(invoice_id)
        elif kind == "print_queued":
            outside[json.loads(data)["job"]] = invoice_id in numbered
    return [
        Job(
            number,
            state,
            copy,
            document,
            "transaction_confirmation" if nip and not outside.get(job, False) else "invoice",
            bytes(data or b"").lstrip(FILLING),
            problem,
        )
        for job, number, state, copy, document, data, problem, nip in rows
    ]


async def live_through(folder: Path, seed: int) -> Shop:
    lot = random.Random(-seed - 1)
    clock = SwiftClock()
    printers = [NetworkPrinter(PROFILES[lot.choice(KINDS)], clock=clock) for _ in range(lot.choice((1, 1, 2)))]
    async with clock.running(), contextlib.AsyncExitStack() as stack:
        for printer in printers:
            await printer.start()
            stack.push_async_callback(printer.stop)
        shop = Shop(folder, seed, clock, printers)
        try:
            await shop.run()
        except BaseException as error:
            error.add_note(f"seed {seed}: {'; '.join(shop.done)}")
            raise
    return shop


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(10)))
async def test_a_printer_that_fails_at_any_byte(tmp_path: Path, seed: int, record_property: Note) -> None:
    shop = await live_through(tmp_path, seed)
    record_property("deaths", shop.deaths)
    record_property("faults of printers", shop.faults)
    record_property("papers", len(shop.papers()))
