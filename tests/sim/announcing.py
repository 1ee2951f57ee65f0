"""Turns outages that really happened into what Latarnia would have published, message by message."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.domain.json_io.canonical import Json
from agent.domain.outages.latarnia import parse_messages
from agent.domain.outages.news import facts_of
from agent.domain.outages.timeline import Timeline, TimelineFact
from tests.sim.oracle import WARSAW, Outage

CATEGORY = {"failure": "FAILURE", "total": "TOTAL_FAILURE", "maintenance": "MAINTENANCE"}


@dataclass(frozen=True)
class News:
    """One message and when it becomes public."""

    published: datetime
    message: dict[str, Json]


def written(instant: datetime | None, how: int = 0) -> str | None:
    """Write an instant in one of the forms that Latarnia may use."""
    if instant is None:
        return None
    local = instant.astimezone(WARSAW)
    if how == 1:
        return local.isoformat()
    # The hour that the clock shows twice needs its offset.
    if how == 2 and local.replace(tzinfo=None, fold=0) == local.replace(tzinfo=None) and local.fold == 0:
        return local.replace(tzinfo=None).isoformat()
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def message(outage: Outage, number: int, *, kind: str, published: datetime, **changes: Json) -> dict[str, Json]:
    """Return one message as the API gives it."""
    text: dict[str, Json] = {
        "id": f"K/2026/{outage.kind[:3].upper()}/{number:02}/{kind[-5:]}",
        "eventId": number,
        "category": CATEGORY[outage.kind],
        "type": kind,
        "title": "Komunikat",
        "text": "Treść",
        "start": written(outage.begin, number % 3),
        "end": written(outage.end, (number + 1) % 3),
        "version": 1,
        "published": written(published, (number + 2) % 3),
    }
    return text | changes


def news_of(outage: Outage, number: int, rng: random.Random | None = None) -> list[News]:
    """Return the messages of one outage; with ``rng`` some are corrected later."""
    if outage.kind == "maintenance":
        first = message(outage, number, kind="MAINTENANCE_ANNOUNCEMENT", published=outage.announced)
    else:
        first = message(outage, number, kind="FAILURE_START", published=outage.announced, end=None)
    news = [News(outage.announced, first)]
    if outage.end is not None and outage.kind != "maintenance":
        public = max(outage.end, outage.announced) + timedelta(minutes=10)
        news.append(News(public, message(outage, number, kind="FAILURE_END", published=public)))
    if rng is not None and rng.random() < 0.4:
        news = [corrected for item in news for corrected in _with_correction(item, rng)]
    return news


def _with_correction(item: News, rng: random.Random) -> list[News]:
    """First a wrong version (where a wrong one can be told apart), then the right one."""
    end = item.message["end"]
    if item.message["type"] == "FAILURE_START" or not isinstance(end, str):
        title: dict[str, Json] = {"title": "Komunikat (sprostowany)", "version": 2}
        later = item.published + timedelta(minutes=rng.randrange(1, 300))
        return [item, News(later, item.message | title | {"published": written(later)})]
    wrong = item.message | {"end": None} if item.message["type"] == "FAILURE_END" else item.message
    later = item.published + timedelta(minutes=1)
    return [News(item.published, wrong), News(later, item.message | {"version": 2, "published": written(later)})]


def facts(messages: Iterable[dict[str, Json]], seen_at: datetime) -> list[TimelineFact]:
    """Return the facts of messages, through the real parser."""
    parsed = parse_messages(json.loads(json.dumps(list(messages))))
    assert not parsed.unknown, parsed.unknown
    return facts_of(Timeline(), parsed, seen_at)


def timeline_of(outages: Iterable[Outage], rng: random.Random | None = None) -> Timeline:
    """Return the timeline when everything is published."""
    return Timeline.of(
        fact
        for number, outage in enumerate(outages, 1)
        for item in news_of(outage, number, rng)
        for fact in facts([item.message], item.published)
    )
