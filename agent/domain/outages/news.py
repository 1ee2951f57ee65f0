"""What one poll of Latarnia adds to the timeline: nothing where nothing changed, and never without bound.

Facts stay for ever and all of them are folded at each change, so a source that invents messages at every poll must not
grow the timeline with it. MOST_ANNOUNCEMENTS are taken as they come, then MORE_A_DAY: first ends of events that are
known, then what else is said of these, then new events. So no deadline stays open for want of an end that is told.
A new event that is not taken gives no relief: offline24 rules, whose deadline is the earliest. Latarnia still shows it
on the next day, when there is room again. On words that were not understood no deadline rests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.domain.outages.facts import AnnouncementSeen, StatusSeen, TimelineFact, UnknownSeen
from agent.domain.outages.latarnia import Announcement, MessageType, Parsed, parse
from agent.domain.outages.timeline import Timeline

MOST_ANNOUNCEMENTS = 1000
"""Kept as they come. Latarnia has had some tens in its first year."""
MORE_A_DAY = 20
"""Beyond those, within any 24 hours."""
MOST_UNKNOWN = 1000
"""Things that were not understood, kept as evidence; alarms go by the newest answer alone."""
DAY = timedelta(days=1)


def new_facts(timeline: Timeline, status_text: str, messages_text: str, seen_at: datetime) -> list[TimelineFact]:
    """Return what one poll of Latarnia adds: nothing where nothing changed.

    BadAnswer (latarnia.py) where an answer is not of Latarnia's form.
    """
    return facts_of(timeline, parse(status_text, messages_text), seen_at)


def facts_of(timeline: Timeline, parsed: Parsed, seen_at: datetime) -> list[TimelineFact]:
    """Return what already parsed answers add."""
    known_unknown = set(timeline.unknown())
    added: list[TimelineFact] = [AnnouncementSeen(each, seen_at) for each in _taken(timeline, parsed, seen_at)]
    unknown = [each for each in parsed.unknown if each not in known_unknown]
    added += [UnknownSeen(each, seen_at) for each in unknown[: max(0, MOST_UNKNOWN - len(known_unknown))]]
    if parsed.status is not None and parsed.status is not timeline.at(seen_at).status:
        added.append(StatusSeen(parsed.status, seen_at))
    return added


def left_out(timeline: Timeline, parsed: Parsed) -> bool:
    """Tell whether the timeline lacks some of what Latarnia says, since there was no room."""
    return bool(_unseen(_announcements(timeline), parsed))


def _taken(timeline: Timeline, parsed: Parsed, seen_at: datetime) -> list[Announcement]:
    kept = _announcements(timeline)
    new = _unseen(kept, parsed)
    today = sum(abs(seen_at - fact.seen_at) < DAY for fact in kept)
    room = max(MOST_ANNOUNCEMENTS - len(kept), MORE_A_DAY - today)
    if len(new) <= room:
        return new
    events = {fact.announcement.event_id for fact in kept}
    by_need = sorted(new, key=lambda each: (each.event_id not in events, each.type is not MessageType.FAILURE_END))
    return by_need[: max(0, room)]


def _announcements(timeline: Timeline) -> list[AnnouncementSeen]:
    return [fact for fact in timeline.facts if isinstance(fact, AnnouncementSeen)]


def _unseen(kept: Sequence[AnnouncementSeen], parsed: Parsed) -> list[Announcement]:
    known = {fact.announcement for fact in kept}
    return [each for each in parsed.announcements if each not in known]
