"""Papers and the register against the tables of docs/law.md, read from the document; every day of ten years."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.domain.invoice import BuyerKind, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.deadlines import deadline
from agent.domain.paper.choice import Document, PaperChoice, PaperFacts, choose
from agent.domain.records.register import Marker, MonthCounting, marker, rows
from tests.fakes.filed import group
from tests.sim.announcing import timeline_of
from tests.sim.oracle import oracle, working
from tests.unit.outages.test_deadlines import CALENDAR
from tests.unit.records.test_register import ACCEPTED, BASE, NUMBER

LAW = (Path(__file__).parents[2] / "docs" / "law.md").read_text("utf-8")
WARSAW = ZoneInfo("Europe/Warsaw")
MODES = {
    "online": {Mode.ONLINE},
    "offline24, unavailability": {Mode.OFFLINE24, Mode.UNAVAILABILITY},
    "failure": {Mode.FAILURE},
    "total failure": {Mode.TOTAL_FAILURE},
    "outside KSeF": {Mode.OUTSIDE_KSEF},
    "any": set(Mode),
}


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    below = LAW.split(f"{heading}\n", 1)[1].splitlines()
    lines = itertools.takewhile(
        lambda line: line.startswith("|"), itertools.dropwhile(lambda x: not x.startswith("|"), below)
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][2:]


PAPERS = table("### Which paper")


def in_table(facts: PaperFacts) -> tuple[str, str] | None:
    """Paper and codes of the row that these facts meet; None where the table has none."""
    handed_over = facts.buyer is not BuyerKind.NIP or facts.supplied_abroad  # a buyer of art. 106gb ust. 4
    for modes, number, buyer, paper, codes in PAPERS:
        if facts.mode not in MODES[modes] or (number == "known") != (facts.ksef_number is not None):
            continue
        if buyer == "any" or modes == "outside KSeF" or (buyer == "with Polish NIP") != handed_over:
            return paper, codes
    return None


def as_told(choice: PaperChoice) -> tuple[str, str]:
    """The choice in the words of the table."""
    captions = choice.caption_invoice, choice.caption_certificate
    match captions:
        case (None, None):
            codes = "none"
        case ("OFFLINE", "CERTYFIKAT"):
            codes = "KOD I and KOD II"
        case (str(number), None) if number != "OFFLINE":
            codes = "KOD I, under it the KSeF number"
        case _:
            codes = f"{captions}"
    return ("potwierdzenie transakcji" if choice.document is Document.CONFIRMATION else "invoice"), codes


def combinations() -> Iterator[PaperFacts]:
    for mode, buyer, number, abroad in itertools.product(Mode, BuyerKind, (None, NUMBER), (False, True)):
        yield PaperFacts(mode, buyer, "F/1", ksef_number=number, supplied_abroad=abroad)


def test_every_paper_is_that_of_the_table() -> None:
    met: set[str] = set()
    for facts in combinations():
        expected = in_table(facts)
        if expected is None:  # online, a buyer of 106gb ust. 4, no number yet: the invoice waits for it
            assert (facts.mode, facts.ksef_number) == (Mode.ONLINE, None)
            assert choose(facts).document is Document.CONFIRMATION
            continue
        paper, codes = as_told(choose(facts))
        met.add(expected[1])
        assert expected[0].startswith(("the ", "an ordinary ") if paper == "invoice" else "potwierdzenie"), facts
        assert codes == expected[1].replace("KOD I `OFFLINE`, KOD II `CERTYFIKAT`", "KOD I and KOD II"), facts
    assert met == {row[4] for row in PAPERS}


def test_without_a_certificate_no_offline_invoice_is_handed_over() -> None:
    """Rule paper-one-code: the counter gives a potwierdzenie, the invoice follows (106nda ust. 6)."""
    for facts in combinations():
        choice = choose(replace(facts, certificate_link=False))
        outside = facts.mode in (Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF)
        expected = Document.INVOICE if facts.ksef_number or outside else Document.CONFIRMATION
        assert choice.document is expected, facts
        assert choice.caption_certificate is None


# --- register -----------------------------------------------------------------------------------------------

MARKERS = {row[0].split(" (")[0]: row[1] for row in table("## 5. JPK_V7M(3): markers and rows")}
FILING = date(2026, 12, 20)


def told(mode: Mode, state: InvoiceState) -> str:
    """The marker of a document without a number, from the table's words."""
    if mode is Mode.FAILURE:
        row = "issued by 106nf"
    elif mode in (Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF) or state is InvoiceState.EXEMPT:
        row = "outside KSeF"
    else:
        row = "offline24, unavailability, online that missed its day"
    return MARKERS[row].split("`")[1]


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=WARSAW).astimezone(UTC)


@pytest.mark.parametrize("mode", Mode)
def test_markers_are_those_of_the_table(mode: Mode) -> None:
    for state, days in itertools.product(InvoiceState, (None, -1, 0, 1)):
        got = None if days is None else FILING + timedelta(days=days)
        number = None if got is None else NUMBER
        record = replace(
            BASE, mode=mode, state=state, ksef_number=number, accepted_at=None if got is None else noon(got)
        )
        expected = "NrKSeF" if got is not None and got <= FILING else told(mode, state)
        assert marker(record, FILING) is Marker(expected), (state, days)


def test_days_late_counted_on_the_fingers() -> None:
    """Every day of two months as the day of sending, every third one as deadline."""
    first = date(2026, 11, 1)
    for due in range(0, 60, 3):
        for sent in range(60):
            last, day = first + timedelta(days=due), first + timedelta(days=sent)
            record = replace(ACCEPTED, deadline=last, sent_at=noon(day), accepted_at=noon(day))
            (row,) = rows([record], as_of=FILING)
            late, walking = 0, last
            while walking < min(day, FILING):
                walking += timedelta(days=1)
                late += 1
            assert row.days_late == late


def test_counts_of_a_month_are_those_of_its_rows() -> None:
    at = noon(date(2026, 11, 25))
    records = [
        replace(
            BASE, id=f"{place}", number=f"F/{place}", mode=mode, ksef_number=number, accepted_at=at if number else None
        )
        for place, (mode, number) in enumerate(itertools.product(Mode, (None, NUMBER)))
    ]
    listed = rows(records, as_of=FILING)
    counting = MonthCounting("2026-11", FILING)
    for record in records:
        counting.add(group(record))
    count = counting.count()
    assert count.invoices == len(listed) == len(records)
    assert count.by_mode == dict.fromkeys(Mode, 2)
    assert count.offline == sum(row.mode is not Mode.ONLINE for row in listed)
    assert count.unnumbered == sum(row.marker is not Marker.NUMBER for row in listed)
    assert count.late == sum(row.days_late > 0 for row in listed)


# --- deadlines: every day of ten years ------------------------------------------------------------------------


@pytest.mark.parametrize("year", range(2026, 2036))
def test_offline24_of_every_day_of_a_year(year: int) -> None:
    nothing = timeline_of(())
    day = date(year, 1, 1)
    while day.year == year:
        walking = day + timedelta(days=1)
        while not working(walking):
            walking += timedelta(days=1)
        assert deadline(Mode.OFFLINE24, day, nothing, CALENDAR, unconfirmed_total_lifts=True).date == walking
        day += timedelta(days=1)
    evening = datetime(year, 12, 23, 23, 59, 59, tzinfo=WARSAW)
    answer = deadline(Mode.OFFLINE24, evening, nothing, CALENDAR, unconfirmed_total_lifts=True)
    assert answer.date == oracle("offline24", evening, ())
