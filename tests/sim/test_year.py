"""A simulated year of a shop: random outages, late news, holidays, both DST nights; every deadline equals the oracle's.

The world knows the truth; the agent knows what reached it so far. Modes are decided from that, deadlines follow each
piece of news, and in the end, when all is known, each must be the oracle's. The seed in a failure's name repeats it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pytest

from agent.domain.calendar import BusinessCalendar, local_date
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.deadlines import Deadline, DeadlineState, deadline
from agent.domain.outages.modes import ModeFacts, decide
from agent.domain.outages.timeline import Declaration, DeclarationKind, Declared, Timeline, TimelineFact
from agent.domain.paper.choice import PaperFacts, choose
from tests.fakes.seeds import Note, drawn
from tests.sim.announcing import facts, news_of
from tests.sim.oracle import LIFTED, OPEN, WARSAW, Outage, oracle, polish_day

CALENDAR = BusinessCalendar()
START = date(2026, 11, 1)
DAYS = 14 * 30


@dataclass(frozen=True)
class Arrival:
    """A piece of news reaches the till."""

    at: datetime
    facts: tuple[TimelineFact, ...]


@dataclass
class Sold:
    """An invoice, when and how it was issued, and its deadline as the agent sees it now."""

    issued: datetime
    mode: Mode
    buyer: BuyerKind
    limit: Deadline


@dataclass
class Year:
    """What really happens in one year of a seed."""

    rng: random.Random
    corrected: bool
    outages: list[Outage] = field(default_factory=list)
    confirmed: set[int] = field(default_factory=set)
    """Numbers of the total failures that a manager confirms; the others are false."""

    @classmethod
    def of(cls, seed: int, *, corrected: bool) -> Year:
        year = cls(random.Random(seed), corrected)
        for kind, count in (("failure", 22), ("maintenance", 12), ("total", 4)):
            year.outages += [year._outage(kind) for _ in range(count)]
        totals = [number for number, outage in enumerate(year.outages, 1) if outage.kind == "total"]
        year.confirmed = {number for number in totals if year.rng.random() < 0.5}
        return year

    def _instant(self) -> datetime:
        noon = datetime.combine(START, time(12), tzinfo=UTC)
        return noon + timedelta(minutes=self.rng.randrange(DAYS * 24 * 60))

    def _outage(self, kind: str) -> Outage:
        begin = self._instant()
        hours = self.rng.choice([1, 3, 8, 30, 80, 200])
        end = begin + timedelta(minutes=self.rng.randrange(30, hours * 60))
        if kind == "maintenance":
            return Outage(kind, begin - timedelta(hours=self.rng.randrange(1, 200)), begin, end)
        announced = begin + timedelta(minutes=self.rng.choice([0, 5, 40, 600]))
        return Outage(kind, announced, begin, end if self.rng.random() < 0.95 else None)

    def real(self) -> list[Outage]:
        """Return what counts in law: total failures only where they were true."""
        return [o for number, o in enumerate(self.outages, 1) if o.kind != "total" or number in self.confirmed]

    def arrivals(self) -> list[Arrival]:
        """Return the news in the order in which it reaches the till; some of it days late."""
        found = []
        for number, outage in enumerate(self.outages, 1):
            for item in news_of(outage, number, self.rng if self.corrected else None):
                at = item.published + timedelta(minutes=self.rng.choice([0, 1, 1, 2, 30, 3000]))
                found.append(Arrival(at, tuple(facts([item.message], at))))
            if outage.kind == "total":
                kind = DeclarationKind.TOTAL_FAILURE_WITHDRAWN
                if number in self.confirmed:
                    kind = DeclarationKind.TOTAL_FAILURE_CONFIRMED
                said = outage.announced + timedelta(minutes=self.rng.choice([3010, 4000]))
                word = Declaration(kind, "Radio", "kierownik", said, event_id=str(number))
                found.append(Arrival(said, (Declared(word),)))
        return sorted(found, key=lambda arrival: arrival.at)

    def presses(self) -> list[datetime]:
        """Return when invoices are issued: opening hours, and now and then around midnight and in DST nights."""
        found = []
        for offset in range(DAYS):
            day = START + timedelta(days=offset)
            for _ in range(self.rng.choice([1, 1, 2])):
                moment = time(self.rng.randrange(8, 21), self.rng.randrange(60), self.rng.randrange(60))
                found.append(datetime.combine(day, moment, tzinfo=WARSAW))
            if self.rng.random() < 0.1:
                midnight = datetime.combine(day, time(0), tzinfo=WARSAW).astimezone(UTC)
                found.append(midnight + timedelta(seconds=self.rng.randrange(-2, 3)))
        for night in (date(2027, 3, 28), date(2027, 10, 31)):
            begin = datetime.combine(night, time(0), tzinfo=WARSAW).astimezone(UTC)
            found += [begin + timedelta(minutes=30 * step) for step in range(10)]
        return sorted(instant.astimezone(UTC) for instant in found)


def simulate(seed: int, *, corrected: bool) -> int:
    """Live through a year; return how many invoices were compared."""
    year = Year.of(seed, corrected=corrected)
    arrivals = year.arrivals()
    timeline = Timeline()
    sold: list[Sold] = []
    for press in year.presses():
        news: list[TimelineFact] = []
        while arrivals and arrivals[0].at <= press:
            news += arrivals.pop(0).facts
        if news:
            timeline = timeline.plus(news)
            _follow(sold, timeline, press)
        sold.append(_sell(year, timeline, press))
    timeline = timeline.plus(fact for arrival in arrivals for fact in arrival.facts)
    real = year.real()
    for invoice in sold:
        final = deadline(invoice.mode, invoice.issued, timeline, CALENDAR)
        assert _outcome(final) == oracle(invoice.mode.value, invoice.issued, real), (seed, invoice, final)
    return len(sold)


def _sell(year: Year, timeline: Timeline, press: datetime) -> Sold:
    situation = timeline.at(press)
    link = year.rng.choice([LinkState.CLOSED] * 9 + [LinkState.OPEN])
    decision = decide(ModeFacts(situation, link))
    _check_mode(year, decision.mode, press)
    buyer = year.rng.choice(list(BuyerKind))
    _check_paper(year, decision.mode, buyer)
    return Sold(press, decision.mode, buyer, deadline(decision.mode, press, timeline, CALENDAR))


def _check_mode(year: Year, mode: Mode, press: datetime) -> None:
    """A mode other than online and offline24 stands on something that was really announced before the press."""
    kind = {Mode.FAILURE: "failure", Mode.UNAVAILABILITY: "maintenance", Mode.TOTAL_FAILURE: "total"}.get(mode)
    if kind is None:
        return
    heard = [o for o in year.outages if o.kind == kind and o.announced <= press and o.begin <= press]
    assert heard, (mode, press)
    if mode is Mode.UNAVAILABILITY:
        assert any(o.end is not None and press <= o.end for o in heard)


def _check_paper(year: Year, mode: Mode, buyer: BuyerKind) -> None:
    """The matrix of docs/law.md, section 2, written out once more."""
    number = "5265877635-20261124-0200A0D6723E-C2" if mode is Mode.ONLINE and year.rng.random() < 0.8 else None
    paper = choose(PaperFacts(mode=mode, buyer=buyer, number="FV/1", ksef_number=number))
    if mode is Mode.TOTAL_FAILURE:
        expected: tuple[str, str | None, str | None] = ("invoice", None, None)
    elif number is not None:
        expected = ("invoice", number, None)
    elif mode is Mode.ONLINE or (buyer is BuyerKind.NIP and mode is not Mode.FAILURE):
        expected = ("transaction_confirmation", "OFFLINE", "CERTYFIKAT")
    else:
        expected = ("invoice", "OFFLINE", "CERTYFIKAT")
    assert (paper.document.value, paper.caption_invoice, paper.caption_certificate) == expected


def _follow(sold: list[Sold], timeline: Timeline, now: datetime) -> None:
    """Count the deadlines of what still waits anew, as the agent does at each new fact."""
    for invoice in sold:
        limit = invoice.limit
        if limit.state is DeadlineState.LIFTED or (limit.date and limit.date < local_date(now)):
            continue
        invoice.limit = deadline(invoice.mode, invoice.issued, timeline, CALENDAR)
        assert invoice.limit.date is None or invoice.limit.date > polish_day(invoice.issued)


def _outcome(limit: Deadline) -> date | str:
    if limit.state is DeadlineState.LIFTED:
        return LIFTED
    return OPEN if limit.date is None else limit.date


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("corrected", [False, True])
def test_every_deadline_of_a_year_equals_the_oracles(seed: int, *, corrected: bool) -> None:
    assert simulate(seed, corrected=corrected) > 550


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(100, 400)))
def test_many_years(seed: int, record_property: Note) -> None:
    record_property("deadlines", simulate(seed, corrected=seed % 2 == 0))
