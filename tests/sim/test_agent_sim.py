"""The whole agent through thirty days of everything at once (docs/reliability.md: I1 to I10).

Real store and use cases; time, KSeF, Latarnia and printer are fakes that a seeded fate drives: cashiers press, the
line drops, answers get lost, KSeF refuses and cancels, outages are announced late, a total failure is confirmed or a
false alarm, paper runs out, the clock is set wrong, the process dies at any port call. Safety is checked all along;
then everything is healed and every duty must be done. The checker reads the database, the ledger, the papers and
the cashiers' answers, and counts deadlines by tests/sim/oracle.py.

A failure names its seed: `pytest tests/sim/test_agent_sim.py -k "seed-7"` lives through it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.errors import Conflict, Unavailable
from agent.domain.invoice import InvoiceRecord, InvoiceSummary, Mode
from agent.domain.lifecycle import INVOICE_MOVES, InvoiceState
from agent.ports import CallOutcome, InvoiceFilter, KsefError, LatarniaReading, Outcome, Rejected
from agent.services.queries.invoices import IssueAnswer
from tests.crash.test_port_points import CrashPoint, clear
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway, silence
from tests.fakes.seeds import Note, drawn
from tests.fakes.world import BUYER_NIP, CASHIER, CONSUMER, MANAGER, World, sale, world
from tests.sim.announcing import News, news_of
from tests.sim.oracle import LIFTED, OPEN, WARSAW, Outage, oracle

T = TypeVar("T")
DAYS = 30
STARTS = (date(2026, 10, 20), date(2026, 12, 14), date(2027, 3, 15))
"""Months with the ends of summer and winter time, with Christmas, with Easter."""
RIGHTLY_DATED = timedelta(minutes=20)
"""What the clock may be off by (issue.clock_skew_refuse_seconds), and the time a press takes."""
FOREIGN = {"eu_vat": "DE123456789", "name": "Käufer GmbH", "address": {"line1": "Weg 1", "country": "DE"}}


class QuickClock(FakeClock):
    """Lets time pass only once nobody is able to run, and looks for that instead of waiting a fixed while.

    Nothing here does I/O that the loop would wait for: when its list of ready callbacks is empty, all is quiet.
    """

    async def quiet(self) -> None:
        """Return when everybody waits for time, or for nothing."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready:  # noqa: ASYNC110 - it is the loop itself that is watched
            await asyncio.sleep(0)

    async def _settle(self) -> None:
        await self.quiet()


class Died(Exception):
    """The process is gone; whoever drove it has to start it again."""


@dataclass
class PlannedOutage:
    """What an outage is in this world, and what the manager makes of a total failure."""

    outage: Outage
    news: list[News]
    kind: str = "real"
    """Of a total failure: real, false (confirmed, then withdrawn), ignored (never confirmed)."""
    confirmed: bool = False
    withdrawn: bool = False

    def known_at(self, instant: datetime) -> Outage | None:
        """Return the outage as the messages public at ``instant`` describe it; None where nothing is said of it."""
        public = [item for item in self.news if item.published <= instant]
        if not public or (self.outage.kind == "total" and (not self.confirmed or self.withdrawn)):
            return None
        whole = self.outage.kind == "maintenance" or len(public) > 1
        return Outage(self.outage.kind, self.outage.announced, self.outage.begin, self.outage.end if whole else None)


@dataclass
class Life:
    """One seed: what outlives every death of the process."""

    folder: Path
    seed: int
    days: int = DAYS
    rng: random.Random = field(init=False)
    clock: QuickClock = field(init=False)
    gateway: FakeGateway = field(init=False)
    told: list[PlannedOutage] = field(init=False)
    offset: timedelta = timedelta(0)
    """How wrong the till's clock is."""
    polled_at: datetime | None = None
    latarnia_silent: bool = False
    answers: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By key: id, number and hash as the cashier heard them."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, bytes] = field(default_factory=dict)
    """First bytes' hash of each invoice ever seen."""
    papers: list[bytes] = field(default_factory=list)
    keys: int = 0
    deaths: int = 0
    compared: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.start = datetime.combine(STARTS[self.seed % len(STARTS)], time(7), tzinfo=WARSAW).astimezone(UTC)
        self.clock = QuickClock(self.start)
        self.gateway = FakeGateway(self.clock)
        self.told = self._outages()
        self.place: World | None = None
        self.crash_point = CrashPoint(None, after=False)

    # --- the world ----------------------------------------------------------------------------------

    def _outages(self) -> list[PlannedOutage]:
        found: list[PlannedOutage] = []
        for kind, count in (("failure", 3), ("maintenance", 2), ("total", 2)):
            for _ in range(count):
                begin = self.start + timedelta(minutes=self.rng.randrange(self.days * 24 * 60))
                end = begin + timedelta(minutes=self.rng.randrange(60, self.rng.choice([300, 2000, 8000])))
                late = self.rng.choice([0, 5, 40, 600])
                announced = begin + timedelta(minutes=late)
                if kind == "maintenance":
                    announced = begin - timedelta(hours=self.rng.randrange(1, 200))
                outage = Outage(kind, announced, begin, end)
                fate = self.rng.choice(["real", "false", "ignored"])
                found.append(PlannedOutage(outage, news_of(outage, len(found) + 1), fate))
        return found

    def truth(self) -> datetime:
        """What the time really is."""
        return self.clock.now() - self.offset

    def known(self) -> list[Outage]:
        """Return the outages as the till knows them since its last look at Latarnia."""
        assert self.polled_at is not None
        return [outage for told in self.told if (outage := told.known_at(self.polled_at)) is not None]

    async def read_latarnia(self) -> LatarniaReading:
        """StatusSource.read: what is public now."""
        if self.latarnia_silent:
            raise KsefError("Latarnia milczy", outcome=CallOutcome.UNKNOWN, link_down=True)
        now = self.truth()
        public = [item.message for told in self.told for item in told.news if item.published <= now]
        ongoing = {
            told.outage.kind
            for told in self.told
            if told.outage.begin <= now and (told.outage.end is None or now <= told.outage.end)
        }
        words = (("total", "TOTAL_FAILURE"), ("failure", "FAILURE"), ("maintenance", "MAINTENANCE"))
        word = next((word for kind, word in words if kind in ongoing), "AVAILABLE")
        return LatarniaReading(json.dumps({"status": word}), json.dumps(public), self.clock.now())

    # --- life and death -----------------------------------------------------------------------------

    async def live(self, work: Awaitable[T], step: float = 0.25) -> T:
        """Await ``work`` while time passes; Died where the process ends meanwhile."""
        task = asyncio.ensure_future(work)
        for _ in range(100_000):
            await self.clock.quiet()
            if self.crash_point.died.is_set():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Died
            if task.done():
                return task.result()
            await self.clock.advance(step)
        raise AssertionError("it never ends")

    async def run(self) -> None:
        """Live through all days, one process after the other, then heal."""
        end = self.start + timedelta(days=self.days)
        while self.truth() < end:
            at = self.rng.randrange(30, 1500) if self.rng.random() < 0.9 else None
            self.crash_point = CrashPoint(at, after=self.rng.random() < 0.5)
            async with world(self.folder, clock=self.clock, gateway=self.gateway) as place:
                self.place = place
                place.latarnia.read = self.read_latarnia  # type: ignore[method-assign]
                self.crash_point.arm(place)
                try:
                    await self.live(self.look())
                    while self.truth() < end:
                        await self.one_thing()
                except Died:
                    self.deaths += 1
                self.papers += place.printer.papers
            clear(self.gateway)
            await self.check_history()
        await self.heal()

    async def one_thing(self) -> None:
        """Let something happen, then time pass: more by day, less happens at night."""
        hour = self.truth().astimezone(WARSAW).hour
        by_day = 8 <= hour < 21
        await self.rng.choices(self.doings(), [weight for _, weight in WEIGHTS] if by_day else NIGHT)[0]()
        await self.live(self.look())
        minutes = self.rng.randrange(5, 90) if by_day else self.rng.randrange(60, 240)
        await self.clock.advance(minutes * 60.0)
        if self.crash_point.died.is_set():
            raise Died

    async def look(self) -> None:
        """What the schedule does: Latarnia, probe, deadlines, sync, held corrections, reports."""
        place = self.here
        await place.announcements.poll()
        if not self.latarnia_silent:
            self.polled_at = self.truth()
        await self.manager_speaks()
        if await place.connection.probe():
            place.queue.wake()
        await place.deadlines.follow()
        await place.queue.pass_once()
        await place.upos.pass_once()
        await place.pending.issue_ready()
        if self.rng.random() < 0.3:
            await place.problems.refresh()
        if self.rng.random() < 0.3:
            await self.check_deadlines()

    @property
    def here(self) -> World:
        assert self.place is not None
        return self.place

    async def manager_speaks(self) -> None:
        """Confirm a total failure once it is heard of, or take that back; at most one thing a time."""
        now = self.truth()
        for told in self.told:
            outage = told.outage
            heard = self.polled_at is not None and outage.announced <= self.polled_at
            if outage.kind != "total" or told.kind == "ignored" or not heard:
                continue
            total = self.here.timeline.at(self.clock.now()).total_failure
            mine = total is not None and total.id == str(told.news[0].message["eventId"])
            if not mine:
                continue
            if not told.confirmed and now > outage.announced + timedelta(hours=1):
                await self.here.declarations.declare(Mode.TOTAL_FAILURE, "Komunikat w mediach", MANAGER)
                told.confirmed = True
            elif told.confirmed and not told.withdrawn and told.kind == "false":
                with contextlib.suppress(Conflict):
                    await self.here.declarations.withdraw("Fałszywy alarm", MANAGER, false_alarm=True)
                told.withdrawn = True

    # --- what may happen ----------------------------------------------------------------------------

    def doings(self) -> list[Callable[[], Awaitable[None]]]:
        return [getattr(self, name) for name, _ in WEIGHTS]

    async def press(self) -> None:
        """A cashier sells; where no answer comes (the process died), the same key is pressed again later."""
        self.keys += 1
        key = f"sale-{self.keys}"
        buyer = self.rng.choice([None, None, CONSUMER, FOREIGN])
        self.bodies[key] = json.dumps(sale() if buyer is None else sale(buyer=buyer)).encode()
        await self.press_key(key)

    async def press_key(self, key: str) -> None:
        try:
            answer = await self.live(counter.sale(self.here, self.bodies[key], key, CASHIER))
        except Unavailable as error:
            if error.code not in {"clock-wrong", "clock-unconfirmed"}:
                raise
            self.bodies.pop(key)
            return
        self.heard(key, answer)
        record = answer.invoices[0].record
        assert answer.replayed or abs(record.issued_at - self.truth()) <= RIGHTLY_DATED, (self.seed, record.issued_at)
        await self.check_deadline(record)

    def heard(self, key: str, answer: IssueAnswer) -> None:
        """I6: the same key, the same invoice."""
        record = answer.invoices[0].record
        said = (record.id, record.number, record.sha256.hex() if record.version == 1 else "")
        before = self.answers.setdefault(key, said)
        assert before[:2] == said[:2], (key, before, said)

    async def press_together(self) -> None:
        """Three cashiers at once, two of them with the same key."""
        await self.press()
        keys = [f"sale-{self.keys + 1}", f"sale-{self.keys + 2}", f"sale-{self.keys + 1}"]
        self.keys += 2
        for key in keys:
            self.bodies[key] = json.dumps(sale()).encode()

        async def all_of_them() -> list[IssueAnswer | BaseException]:
            presses = (counter.sale(self.here, self.bodies[key], key, CASHIER) for key in keys)
            return await asyncio.gather(*presses, return_exceptions=True)

        for key, answer in zip(keys, await self.live(all_of_them()), strict=True):
            if isinstance(answer, IssueAnswer):
                self.heard(key, answer)
            else:
                assert isinstance(answer, Unavailable), answer
                self.bodies.pop(key, None)

    async def press_again(self) -> None:
        """An old key once more, one without an answer first."""
        unanswered = [key for key in self.bodies if key not in self.answers]
        keys = unanswered or list(self.bodies)
        if keys:
            await self.press_key(self.rng.choice(keys))

    async def line_down(self) -> None:
        self.gateway.up = False

    async def line_up(self) -> None:
        self.gateway.up = True

    async def answers_get_lost(self) -> None:
        self.gateway.lost_answers = self.rng.randrange(1, 4)

    async def sends_fail(self) -> None:
        errors = [
            silence(),
            KsefError("limit", outcome=CallOutcome.REFUSED, code=429, retry_after=float(self.rng.randrange(1, 2000))),
            KsefError("przerwa techniczna", outcome=CallOutcome.NOT_SENT, code=21184),
            None,
        ]
        self.gateway.send_plan.extend(self.rng.choices(errors, k=3))

    async def ksef_refuses(self) -> None:
        self.gateway.verdict_plan.append(Rejected(450, "Błąd semantyki"))

    async def ksef_cancels(self) -> None:
        self.gateway.verdict_plan.append(Rejected(550, "Anulowano", retryable=True))

    async def ksef_is_slow(self) -> None:
        self.gateway.pending_answers = self.rng.choice([0, 0, 3, 30])

    async def printer_trouble(self) -> None:
        self.here.printer.plan.extend(self.rng.choices(list(Outcome), k=3))

    async def clock_steps(self) -> None:
        """Set the clock wrong, by a little or by far, with and without a line."""
        choices = [600.0, -600.0, 600.0, -600.0, 3600.0, -3600.0, 90 * 86400.0, -400 * 86400.0]
        self.set_clock(timedelta(seconds=self.rng.choice(choices)))
        with contextlib.suppress(KsefError):
            await self.live(self.here.connection.probe())

    async def clock_is_set_right(self) -> None:
        if self.offset:
            self.set_clock(timedelta(0))
            await self.live(self.here.connection.probe())

    def set_clock(self, offset: timedelta) -> None:
        self.clock.step(offset - self.offset)
        self.offset = offset
        self.gateway.skew = -offset.total_seconds()

    async def latarnia_falls_silent(self) -> None:
        self.latarnia_silent = True

    async def latarnia_is_back(self) -> None:
        self.latarnia_silent = False

    async def limit_runs_short(self) -> None:
        self.gateway.sends_left = self.rng.choice([0, 180, 180])

    async def reprint(self) -> None:
        if not self.answers:
            return
        invoice_id = self.rng.choice(list(self.answers.values()))[0]
        try:
            await self.live(self.here.reprinting.reprint(invoice_id, CASHIER))
        except Conflict:
            record = await self.live(self.here.store.read(lambda tx: tx.invoices.get(invoice_id)))
            assert record.state is InvoiceState.REJECTED, "no paper only of what is none"
            assert record.mode is Mode.ONLINE or record.copies == 0 or record.closed_at is not None

    async def technical_correction(self) -> None:
        """The manager's way out of a refusal; what KSeF refuses twice has its case closed."""
        for record in await self.live(self.find(InvoiceState.REJECTED)):
            with contextlib.suppress(Conflict):
                if record.version > 1:
                    await self.live(self.here.rejected.close(record.id, "Odrzucona drugi raz", MANAGER))
                else:
                    await self.live(self.here.rejected.correct_technically(record.id, MANAGER))

    async def find(self, *states: InvoiceState) -> list[InvoiceRecord]:
        query = InvoiceFilter(states=frozenset(states) if states else None, limit=100_000)
        return await self.here.store.read(lambda tx: tx.invoices.find(query))

    # --- the end ------------------------------------------------------------------------------------

    async def heal(self) -> None:
        """All faults end; within a day of work every duty must be done (liveness)."""
        self.crash_point = CrashPoint(None, after=False)
        self.set_clock(timedelta(0))
        self.latarnia_silent = False
        gateway = self.gateway
        gateway.up, gateway.sends_left, gateway.pending_answers, gateway.lost_answers = True, 180, 0, 0
        gateway.send_plan.clear()
        gateway.verdict_plan.clear()
        await self.clock.advance(8000 * 60.0)  # every outage is over and its end public
        async with world(self.folder, clock=self.clock, gateway=gateway) as place:
            self.place = place
            place.latarnia.read = self.read_latarnia  # type: ignore[method-assign]
            for key in [key for key in self.bodies if key not in self.answers]:
                await self.press_key(key)
            for _ in range(24 * 6):
                await self.live(self.look())
                await self.technical_correction()
                await self.clock.advance(600.0)
                if await self.all_done():
                    break
            records = await self.find()
            assert await self.all_done(), [(each.number, each.state, each.mode) for each in records if _owed(each)]
            accepted = {each.number: each.sha256 for each in records if each.state is InvoiceState.ACCEPTED}
            ledger = {number: sha256 for (_, _, number), (_, sha256) in gateway.ledger.items()}
            assert ledger == accepted
            for record in records:
                if record.state is InvoiceState.EXEMPT:
                    self.check_exempt(record)
            self.papers += place.printer.papers
        await self.check_history()

    async def all_done(self) -> bool:
        missing = await self.here.store.read(lambda tx: tx.invoices.without_upo(1))
        return not missing and not any(map(_owed, await self.find()))

    def check_exempt(self, record: InvoiceRecord) -> None:
        """Only what was issued in a total failure that a manager confirmed and did not take back."""
        assert record.mode is Mode.TOTAL_FAILURE
        assert oracle("total_failure", record.issued_at, self.known()) == LIFTED

    # --- the checker --------------------------------------------------------------------------------

    async def check_deadlines(self) -> None:
        """I5: by what the till knows, each open duty has the oracle's deadline."""
        if self.polled_at is None:
            return
        for record in await self.here.store.read(lambda tx: tx.invoices.unsent()):
            await self.check_deadline(record)

    async def check_deadline(self, record: InvoiceSummary) -> None:
        if record.state is InvoiceState.ACCEPTED:
            return
        found: date | str | None = record.deadline
        if record.deadline_state != "due":
            found = {"open": OPEN, "lifted": LIFTED}[record.deadline_state]
        expected = oracle(record.mode.value, record.issued_at, self.known())
        assert found == expected, (self.seed, record.number, record.mode, record.issued_at, found, expected)
        self.compared += 1

    async def check_history(self) -> None:
        """Everything a stranger can see of the past, read without the agent's services."""
        path = self.folder / "agent.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]  # I9
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            rows = database.execute(
                "SELECT id, number, series, serial, versions.version, versions.sha256, xml FROM invoices"
                " JOIN versions ON invoice_id = id ORDER BY versions.version"
            ).fetchall()
            events = database.execute("SELECT kind, invoice_id, data FROM events ORDER BY seq").fetchall()
            jobs = {row[0] for row in database.execute("SELECT data FROM print_jobs WHERE data IS NOT NULL")}
        stored = {row[0]: row for row in rows if row[4] == 1}
        assert {said[0]: said[1] for said in self.answers.values()}.items() <= {  # I1
            identity: row[1] for identity, row in stored.items()
        }.items()
        for identity, _, _, _, version, sha256, xml in rows:  # I7
            assert hashlib.sha256(xml).digest() == sha256
            if version == 1:
                assert self.hashes.setdefault(identity, sha256) == sha256
        by_number = {(row[1], row[5]) for row in rows}
        for (_, _, number), (_, sha256) in self.gateway.ledger.items():  # I2
            assert (number, sha256) in by_number
        serials = sorted(row[3] for row in stored.values())  # I4, one series
        assert serials == list(range(1, len(serials) + 1))
        assert all(paper in jobs for paper in self.papers), "I3: a paper without a durable record"
        _check_moves([(kind, identity, json.loads(data)) for kind, identity, data in events])
        _check_papers([(kind, identity, json.loads(data)) for kind, identity, data in events], stored)


WEIGHTS = (
    ("press", 30),
    ("press_together", 4),
    ("press_again", 4),
    ("line_down", 3),
    ("line_up", 6),
    ("answers_get_lost", 3),
    ("sends_fail", 3),
    ("ksef_refuses", 1),
    ("ksef_cancels", 1),
    ("ksef_is_slow", 3),
    ("printer_trouble", 3),
    ("clock_steps", 2),
    ("clock_is_set_right", 12),
    ("latarnia_falls_silent", 1),
    ("latarnia_is_back", 3),
    ("limit_runs_short", 2),
    ("reprint", 3),
    ("technical_correction", 1),
)
NIGHT = [1 if name in {"press", "line_up", "line_down", "latarnia_is_back"} else 0 for name, _ in WEIGHTS]
Line = tuple[str, str | None, dict[str, object]]


def _owed(record: InvoiceRecord) -> bool:
    """An online invoice that KSeF refused, or one whose case is closed, was never issued: nothing is owed for it."""
    if record.state is InvoiceState.REJECTED and (record.mode is Mode.ONLINE or record.closed_at is not None):
        return False
    return record.state not in {InvoiceState.ACCEPTED, InvoiceState.EXEMPT}


def _moved_to(kind: str, data: dict[str, object]) -> InvoiceState | None:
    """Return the state that a line of the log says an invoice went to."""
    if kind == "send_failed" and data["call"] in {"send", "batch"}:
        return InvoiceState.IN_DOUBT if data["outcome"] == "unknown" else InvoiceState.ISSUED
    return {
        "issued": InvoiceState.ISSUED,
        "sending": InvoiceState.SENDING,
        "sent": InvoiceState.SENT,
        "accepted": InvoiceState.ACCEPTED,
        "rejected": InvoiceState.REJECTED,
        "collision": InvoiceState.REJECTED,
        "cancelled_by_ksef": InvoiceState.ISSUED,
        "in_doubt": InvoiceState.IN_DOUBT,
        "doubt_cleared": InvoiceState.ISSUED,
        "not_in_batch": InvoiceState.ISSUED,
        "technical_correction": InvoiceState.ISSUED,
        "exempt": InvoiceState.EXEMPT,
        "duty_back": InvoiceState.ISSUED,
    }.get(kind)


def _check_moves(events: list[Line]) -> None:
    """I8: only legal transitions in the log, from the first line to the last."""
    states: dict[str, InvoiceState] = {}
    for kind, identity, data in events:
        new = _moved_to(kind, data)
        if new is None or identity is None:
            continue
        old = states.get(identity)
        assert (old, new) in INVOICE_MOVES if old is not None else kind == "issued", (identity, old, kind, data)
        states[identity] = new


def _check_papers(events: list[Line], stored: dict[str, tuple[object, ...]]) -> None:
    """I10: each paper is the matrix's for the mode and the number known when its job was made."""
    modes: dict[str, str] = {}
    numbered: set[str] = set()
    for kind, identity, data in events:
        if identity is None:
            continue
        match kind:
            case "issued":
                modes[identity] = str(data["mode"])
            case "mode":
                modes[identity] = str(data["to"])
            case "accepted":
                numbered.add(identity)
            case "print_queued":
                xml = stored[identity][6]
                assert isinstance(xml, bytes)
                domestic = f"<NIP>{BUYER_NIP}</NIP>".encode() in xml
                outside = identity in numbered or modes[identity] in {"failure", "total_failure"} or not domestic
                expected = "invoice" if outside else "transaction_confirmation"
                assert data["document"] == expected, (identity, modes[identity], data)


async def live_through(folder: Path, seed: int, days: int = DAYS) -> Life:
    life = Life(folder, seed, days)
    try:
        await life.run()
    except BaseException as error:
        error.add_note(f"seed {seed}, {life.truth()}, deaths {life.deaths}")
        raise
    assert len(life.answers) > days
    assert life.compared > 3 * days
    return life


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where there is memory to be used as a disk: thousands of commits, and no power cut is played here."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.mark.slow
async def test_ten_days(folder: Path) -> None:
    await live_through(folder, 0, days=10)


@pytest.mark.nightly
async def test_a_seed_is_one_life(folder: Path) -> None:
    """What a failure names can be lived through again: the same things happen in the same order."""
    first, again = (Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
    assert await history(first, 7) == await history(again, 7)


async def history(folder: Path, seed: int) -> list[tuple[str, str, str | None]]:
    """Live three days; return every line of the log with its time and its invoice's number."""
    await live_through(folder, seed, days=3)
    with contextlib.closing(sqlite3.connect(folder / "agent.db")) as database:
        return database.execute(
            "SELECT at, events.kind, number FROM events LEFT JOIN invoices ON id = invoice_id ORDER BY events.seq"
        ).fetchall()


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(100, 300)))
async def test_many_months(folder: Path, seed: int, record_property: Note) -> None:
    life = await live_through(folder, seed)
    record_property("days", DAYS)
    record_property("deaths", life.deaths)
    record_property("sales", len(life.answers))
