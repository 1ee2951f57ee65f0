"""Outage reports for the evidence: announced ones, offline24 by a manager's word, and the line of this shop.

The line's own history is no fact of the timeline; it is read from the log: its changes, and what presses noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from agent.domain.calendar import clock_text, local_time
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.latarnia import Category
from agent.domain.outages.timeline import DeclarationKind, Declared, Outage, Timeline
from agent.domain.records.evidence_files import OutageInvoice, OutageReport
from agent.domain.values import dataclass

_KINDS = {
    Category.FAILURE: "awaria",
    Category.TOTAL_FAILURE: "awaria-calkowita",
    Category.MAINTENANCE: "niedostepnosc",
}


@dataclass(frozen=True, slots=True)
class LineSeen:
    """What the log says of the line at one instant: its state and since when."""

    at: datetime
    state: LinkState
    since: datetime | None


def outage_reports(
    timeline: Timeline,
    invoices: Callable[[], Iterable[OutageInvoice]],
    line: Iterable[LineSeen],
    begin: datetime,
    end: datetime,
) -> Iterator[OutageReport]:
    """Yield a report for every outage that touches ``begin`` to ``end``, with those of the invoices issued in it."""
    for report in outages(timeline, line):
        if report.begin < end and (report.end is None or report.end >= begin):
            yield replace(report, invoices=tuple(each for each in invoices() if within(each.issued_at, report)))


def outages(timeline: Timeline, line: Iterable[LineSeen]) -> list[OutageReport]:
    """Return every outage there ever was, oldest first, without its invoices."""
    found = [*_announced(timeline), *_declared(timeline), *_of_the_line(line)]
    return sorted(found, key=lambda report: (report.begin, report.kind, report.id))


def within(issued_at: datetime, report: OutageReport) -> bool:
    """Tell whether an invoice was issued in an outage."""
    return report.begin <= issued_at and (report.end is None or issued_at <= report.end)


def _announced(timeline: Timeline) -> Iterator[OutageReport]:
    for event in timeline.events:
        yield OutageReport(_KINDS[event.category], event.id, event.begin, event.end, _basis(event))


def _basis(event: Outage) -> str:
    parts = [f"komunikat {', '.join(event.messages)}" if event.messages else "decyzja kierownika"]
    if event.announced:
        parts.append(f"ogłoszono {clock_text(event.announced)}")
    if event.end_announced:
        parts.append(f"koniec ogłoszono {clock_text(event.end_announced)}")
    if event.category is Category.TOTAL_FAILURE:
        words = {True: "potwierdzona przez kierownika", False: "odwołana", None: "niepotwierdzona przez kierownika"}
        parts.append(words[event.confirmed])
    return "; ".join(parts)


def _declared(timeline: Timeline) -> Iterator[OutageReport]:
    words = [fact.declaration for fact in timeline.facts if isinstance(fact, Declared)]
    current: OutageReport | None = None
    for word in sorted(words, key=lambda word: word.at):
        if word.kind is DeclarationKind.OFFLINE24_DECLARED and current is None:
            name = f"{local_time(word.at):%Y%m%d-%H%M%S}"
            current = OutageReport("offline24", name, word.at, None, f"{word.by}: {word.reason}")
        elif word.kind is DeclarationKind.OFFLINE24_WITHDRAWN and current is not None:
            yield replace(current, end=word.at, basis=f"{current.basis}; odwołanie: {word.by}: {word.reason}")
            current = None
    if current is not None:
        yield current


def _of_the_line(line: Iterable[LineSeen]) -> Iterator[OutageReport]:
    current: OutageReport | None = None
    for seen in sorted(line, key=lambda seen: seen.at):
        since = seen.since or seen.at
        if seen.state is not LinkState.CLOSED and current is None:
            name = f"{local_time(since):%Y%m%d-%H%M%S}"
            current = OutageReport("lacze", name, since, None, "stan łącza zapisany w dzienniku zdarzeń")
        elif seen.state is LinkState.CLOSED and current is not None:
            yield replace(current, end=max(since, current.begin))
            current = None
    if current is not None:
        yield current
