"""By when an invoice must be in KSeF (docs/law.md, section 1). All limits are whole Polish civil days.

    online, offline24  106nda ust. 2   first business day after the issue day
    unavailability     106nh ust. 2    first business day after the day the announced maintenance ended
    failure            106nf ust. 4    seventh business day after the day the awaria ended
                                       (an end at 24:00 belongs to the day that ends: calendar.ended_on)
    total failure      106ng           never

While an invoice waits (from its issue to the end of its last day):
    an awaria is announced             106nha, 106nh ust. 3, 106nf ust. 5: seven business days after *its* end
    a total failure is announced       106nha, 106nh ust. 3, 106nf ust. 7: the duty is gone
    maintenance is announced           nothing changes: no provision extends the limit

Where the law or the announcements leave room, the earlier date is given: a mode without its communiqué counts as
offline24; an awaria whose announcement may lie outside the waiting time does not extend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from agent.domain.calendar import BusinessCalendar, end_text, ended_on, local_date, local_time, start_of_day
from agent.domain.invoice import LEGAL_BASIS, Mode
from agent.domain.outages.latarnia import Category
from agent.domain.outages.timeline import Outage, Timeline
from agent.domain.values import dataclass

FAILURE_DAYS = 7
"""Business days after the end of an awaria (106nf ust. 4)."""


class DeadlineState(StrEnum):
    """Whether there is a date."""

    DUE = "due"
    OPEN = "open"
    """The event has not ended, so the days do not count yet."""
    LIFTED = "lifted"
    """Total failure: never to be sent."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day, inclusive; None unless ``state`` is due. ``events``: eventIds it stands on."""

    date: date | None
    state: DeadlineState
    reason: str
    legal_basis: str
    events: tuple[str, ...] = ()


def deadline(
    mode: Mode,
    issued: date | datetime,
    timeline: Timeline,
    calendar: BusinessCalendar,
    *,
    unconfirmed_total_lifts: bool = False,
    reached: datetime | None = None,
) -> Deadline:
    """Return by when an invoice issued so must be in KSeF, by everything the timeline knows.

    ``issued``: an aware instant, or the date of P_1 where no instant is known (then the whole day).
    ``unconfirmed_total_lifts``: take a communiqué of total failure at its word. The agent never does for its own
    queue, where a false one would lose the duty; it does when asked what given announcements mean.
    ``reached``: when KSeF was sent the invoice: it waits no longer, so nothing announced later changes its limit.
    """
    totals = [
        event
        for event in timeline.events
        if event.category is Category.TOTAL_FAILURE
        and (event.confirmed is True or (event.confirmed is None and unconfirmed_total_lifts))
    ]
    span = _issue_span(issued)
    limit = _base(mode, span, timeline.events, totals, calendar)
    if limit.state is DeadlineState.LIFTED:
        return limit
    for event in timeline.events:  # in the order of their announcement, so the waiting time only grows
        if (event.announced or event.begin) < span[0]:
            continue  # announced, or possibly so, before the invoice was issued (106nha)
        if limit.date is not None and local_date(event.known_by) > limit.date:
            break
        if reached is not None and event.known_by > reached:
            break
        if event in totals:
            return _lifted(mode, limit, event)
        if event.category is Category.FAILURE:
            limit = _rebased(mode, limit, event, calendar)
    return limit


Span = tuple[datetime, datetime]


def _issue_span(issued: date | datetime) -> Span:
    """Return the first and last instant at which the invoice can have been issued."""
    if isinstance(issued, datetime):
        return issued, issued
    return start_of_day(issued), start_of_day(issued + timedelta(days=1)) - timedelta(microseconds=1)


def _base(
    mode: Mode, span: Span, events: Iterable[Outage], totals: Iterable[Outage], calendar: BusinessCalendar
) -> Deadline:
    """Return the limit of the mode itself, before anything was announced while waiting."""
    match mode:
        case Mode.TOTAL_FAILURE:
            event = _covering(totals, span)
            if event is not None:
                reason = f"Wystawiona w czasie awarii całkowitej KSeF ({_describe(event)}): nie podlega przesłaniu."
                return Deadline(None, DeadlineState.LIFTED, reason, "art. 106ng", (event.id,))
        case Mode.FAILURE:
            event = _covering(_only(events, Category.FAILURE), span)
            if event is not None:
                return _after_failure(event, "art. 106nf ust. 4", "Wystawiona w czasie awarii KSeF", calendar)
        case Mode.UNAVAILABILITY:
            event = _covering(_only(events, Category.MAINTENANCE), span)
            if event is not None:
                return _after_maintenance(event, calendar)
        case Mode.OUTSIDE_KSEF:
            reason = "Faktura dla osoby prywatnej, wystawiona poza KSeF: nie podlega przesłaniu."
            return Deadline(None, DeadlineState.LIFTED, reason, LEGAL_BASIS[mode], ())
        case Mode.ONLINE | Mode.OFFLINE24:
            pass
    return _next_day(mode, local_date(span[0]), calendar)


@lru_cache(maxsize=64)
def _next_day(mode: Mode, issued_on: date, calendar: BusinessCalendar) -> Deadline:
    day = calendar.next_business_day(issued_on)
    legal_basis = "art. 106nda ust. 2"
    match mode:
        case Mode.OFFLINE24:
            why = f"Faktura offline24 wystawiona {_day(issued_on)}"
        case Mode.ONLINE:
            why = f"Faktura z {_day(issued_on)}, jeśli nie trafi do KSeF tego dnia, staje się fakturą offline24"
            legal_basis = "art. 106nda ust. 2 i 16"
        case _:
            why = f"Żaden znany komunikat nie obejmuje chwili wystawienia ({_day(issued_on)}), więc jak offline24"
    reason = f"{why}: najpóźniej w następnym dniu roboczym, czyli {_named(day)}."
    return Deadline(day, DeadlineState.DUE, reason, legal_basis)


def _after_maintenance(event: Outage, calendar: BusinessCalendar) -> Deadline:
    reason = f"Wystawiona w czasie niedostępności KSeF ({_describe(event)})"
    legal_basis = "art. 106nh ust. 2"
    if event.end is None:
        return Deadline(None, DeadlineState.OPEN, f"{reason}, której koniec nie jest znany.", legal_basis, (event.id,))
    last_day = ended_on(event.end)
    day = calendar.next_business_day(last_day)
    reason += f": następny dzień roboczy po dniu jej zakończenia {_day(last_day)}, czyli {_named(day)}."
    return Deadline(day, DeadlineState.DUE, reason, legal_basis, (event.id,))


def _after_failure(
    event: Outage, legal_basis: str, why: str, calendar: BusinessCalendar, earlier: tuple[str, ...] = ()
) -> Deadline:
    events = (*earlier, event.id)
    if event.end is None:
        reason = f"{why} ({_describe(event)}), której końca nie ogłoszono: termin zacznie biec po jej zakończeniu."
        return Deadline(None, DeadlineState.OPEN, reason, legal_basis, events)
    last_day = ended_on(event.end)
    day = calendar.add_business_days(last_day, FAILURE_DAYS)
    counted = f"siódmy dzień roboczy po dniu jej zakończenia {_day(last_day)}, czyli {_named(day)}"
    reason = f"{why} ({_describe(event)}): {counted}."
    return Deadline(day, DeadlineState.DUE, reason, legal_basis, events)


def _rebased(mode: Mode, limit: Deadline, event: Outage, calendar: BusinessCalendar) -> Deadline:
    """Return the limit after a further awaria; one that ends before does not shorten it."""
    if event.id in limit.events or limit.state is DeadlineState.OPEN:
        return limit
    fresh = _after_failure(
        event, _further(mode, limit, "4"), "W czasie oczekiwania ogłoszono awarię KSeF", calendar, limit.events
    )
    if fresh.date is not None and limit.date is not None and fresh.date <= limit.date:
        return limit
    return fresh


def _lifted(mode: Mode, limit: Deadline, event: Outage) -> Deadline:
    reason = f"W czasie oczekiwania ogłoszono awarię całkowitą KSeF ({_describe(event)}): obowiązek przesłania ustał."
    return Deadline(None, DeadlineState.LIFTED, reason, _further(mode, limit, "7"), (*limit.events, event.id))


def _further(mode: Mode, limit: Deadline, paragraph: str) -> str:
    """Return the provision that a communiqué published while waiting brings into play."""
    if "106nf" in limit.legal_basis:
        return "art. 106nf ust. 7" if paragraph == "7" else "art. 106nf ust. 5"
    bridge = "art. 106nh ust. 3" if mode is Mode.UNAVAILABILITY and "106nh " in limit.legal_basis else "art. 106nha"
    return f"{bridge} w zw. z art. 106nf ust. {paragraph}"


def _covering(events: Iterable[Outage], span: Span) -> Outage | None:
    """Return the event in which the invoice was issued; of several the one that ends first."""
    start, last = span
    found = [
        event
        for event in events
        if event.begin <= last and (event.end is None or start <= event.end) and event.known_by <= last
    ]
    return min(found, key=lambda event: (event.end is None, event.end or event.begin, event.known_by), default=None)


def _only(events: Iterable[Outage], category: Category) -> list[Outage]:
    return [event for event in events if event.category is category]


def _describe(event: Outage) -> str:
    """Name an event: its communiqués, begin and end on the Polish clock."""
    begin = f"od {local_time(event.begin):%d.%m.%Y %H:%M}"
    end = f" do {end_text(event.end)}" if event.end else ""
    names = f"komunikat {', '.join(event.messages)}, " if event.messages else ""
    return f"{names}{begin}{end}"


def _day(day: date) -> str:
    return f"{day:%d.%m.%Y}"


_WEEKDAYS = ("poniedziałek", "wtorek", "środa", "czwartek", "piątek", "sobota", "niedziela")


def _named(day: date) -> str:
    return f"{_WEEKDAYS[day.weekday()]} {_day(day)}"
