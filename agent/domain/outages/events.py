"""Events out of communiqués: what the newest versions of all messages of one eventId say (docs/protocol.md, section 7).

The rules for what Latarnia may get wrong are listed in timeline.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from agent.domain.outages.facts import AnnouncementSeen
from agent.domain.outages.latarnia import Announcement, Category, MessageType
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage as the newest communiqués describe it. Instants are UTC.

    announced      when the start was made public; None where only later communiqués are known
    known_by       the latest instant at which it can have been announced
    end            None: not ended, or not said
    end_announced  when the end was made public; None where it was not
    confirmed      total failure only: True confirmed, False withdrawn, None no manager spoke
    """

    id: str
    category: Category
    begin: datetime
    announced: datetime | None
    known_by: datetime
    end: datetime | None = None
    end_announced: datetime | None = None
    confirmed: bool | None = None
    messages: tuple[str, ...] = ()

    def covers(self, instant: datetime) -> bool:
        """Tell whether ``instant`` lies within what the communiqués name, both ends included.

        Between the named end and its publication nothing is covered: the earlier limit is never too late.
        """
        return self.begin <= instant and (self.end is None or instant <= self.end)


def events_of_one_id(seen: Sequence[AnnouncementSeen]) -> list[Outage]:
    """Return the events behind one eventId: usually one; two where an awaria became total (LAT#7)."""
    newest: dict[tuple[str, MessageType], Announcement] = {}
    for announcement in sorted((fact.announcement for fact in seen), key=_rank):
        newest[announcement.id, announcement.type] = announcement
    current = [_with_time(announcement, seen) for announcement in newest.values()]
    standing = {announcement.category for announcement in current}
    events = []
    for category in Category:
        own = [fact for fact in seen if fact.announcement.category is category]
        event = _event(own, current) if own else None
        if event is None:
            continue
        if category in standing:
            events.append(event)
        elif category is Category.TOTAL_FAILURE:
            events.append(replace(event, confirmed=False, end=event.begin, end_announced=_corrected(own, current)))
        elif category is Category.FAILURE and Category.TOTAL_FAILURE in standing:
            events.append(event)  # what was announced as awaria stays announced as that, too
    return events


def _rank(announcement: Announcement) -> tuple[int, float, float, str]:
    """Order versions of a message: higher version, later publication; then, of equals, the earlier end wins."""
    published = announcement.published.timestamp() if announcement.published else 0.0
    end = announcement.end.timestamp() if announcement.end else float("inf")
    return (announcement.version, published, -end, repr(announcement))


def _event(own: Sequence[AnnouncementSeen], current: Sequence[Announcement]) -> Outage | None:
    """Return the event of one category. ``own``: all versions in that category; ``current``: the newest of all."""
    category = own[0].announcement.category
    is_maintenance = category is Category.MAINTENANCE
    family = [message for message in current if (message.category is Category.MAINTENANCE) == is_maintenance]
    family = family or [fact.announcement for fact in own]
    ends = [message for message in family if message.type is MessageType.FAILURE_END]
    openings = [message for message in family if message.type is not MessageType.FAILURE_END]
    published = [_published(fact) for fact in own if fact.announcement.type is not MessageType.FAILURE_END]
    announced = min(published, default=None)
    begin = _first(message.start for message in (openings or ends)) or announced
    if begin is None:
        return None  # an end that names no begin says nothing about any invoice
    end, end_announced = _end(openings, ends)
    return Outage(
        id=own[0].announcement.event_id,
        category=category,
        begin=begin,
        announced=announced,
        known_by=announced or min(_published(fact) for fact in own),
        end=end,
        end_announced=end_announced,
        messages=tuple(sorted({message.id for message in family})),
    )


def _end(openings: Sequence[Announcement], ends: Sequence[Announcement]) -> tuple[datetime | None, datetime | None]:
    """Return the end and when it was made public.

    The end communiqué counts; where it names no instant, the end cannot be later than its publication.
    Without one, what the start communiqué says of the end.
    """
    foreseen = max(openings, key=_recency).end if openings else None
    if not ends:
        return foreseen, None
    last = max(ends, key=_recency)
    return last.end or _first((foreseen, last.published)), last.published


def _with_time(announcement: Announcement, seen: Sequence[AnnouncementSeen]) -> Announcement:
    """Return an end that names no time as made public when it was first seen: it cannot have come later."""
    silent = announcement.end is None and announcement.published is None
    if announcement.type is not MessageType.FAILURE_END or not silent:
        return announcement
    return replace(announcement, published=min(fact.seen_at for fact in seen if fact.announcement == announcement))


def _recency(announcement: Announcement) -> tuple[float, int, float, str]:
    version, published, end, text = _rank(announcement)
    return (published, version, end, text)


def _published(fact: AnnouncementSeen) -> datetime:
    """Return when a message was made public; where it does not say: when it begins, else when it was seen."""
    return fact.announcement.published or fact.announcement.start or fact.seen_at


def _corrected(own: Sequence[AnnouncementSeen], current: Sequence[Announcement]) -> datetime:
    """Return when the versions in ``own`` were replaced by others of another category."""
    ids = {fact.announcement.id for fact in own}
    later = _first(message.published for message in current if message.id in ids)
    return later or max(_published(fact) for fact in own)


def _first(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)
