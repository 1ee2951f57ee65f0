"""A till's sign of life, and the news that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub_contract.reading import LATEST, ContractError, Members

MOST_INVOICES = 10**9
"""More no till says that it has: a gauge of it is a number that monitoring can hold."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a till says of itself.

    ``database``  identifies the till's database: made once, kept with it
    ``process``   identifies this run of the agent
    ``machine``   identifies the computer (a hash, nothing that can be read back)
    ``started_at``  when this run began, by the till's clock
    ``unsent``    invoices without KSeF's number, ``next_deadline`` the nearest of their days
    ``offline_serial``  serial of the Offline certificate in use
    ``health``    the till's whole /health
    ``alone``     of the unsent those that, as far as the till knows, neither the hub nor KSeF has, ``alone_deadline``
                  the nearest of their days; None from tills that do not say
    """

    database: str
    process: str
    machine: str
    started_at: datetime
    version: str
    series: tuple[str, ...]
    unsent: int
    next_deadline: date | None
    offline_serial: str | None = None
    health: Mapping[str, Json] = field(default_factory=dict)
    alone: int | None = None
    alone_deadline: date | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What KSeF's limits leave for presses of this NIP now. ``wait``: seconds until one more is allowed."""

    left_hour: int
    left_minute: int
    wait: float


@dataclass(frozen=True, slots=True)
class LatarniaNews:
    """What Latarnia said, as received; the till reads it by the same rules as if it had asked itself."""

    status: str
    messages: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """What the hub tells a till.

    ``now``       the hub's clock
    ``ksef``      up or down, as the hub sees it
    ``budget``    None where nobody talks to KSeF for this NIP right now
    ``offline_serial``  the Offline certificate this till shall use, None where the hub hands out none
    """

    now: datetime
    version: str
    ksef: str
    budget: Budget | None = None
    latarnia: LatarniaNews | None = None
    offline_serial: str | None = None


def heartbeat_to_json(beat: Heartbeat) -> dict[str, Json]:
    """Return the JSON of a heartbeat."""
    return {
        "database": beat.database,
        "process": beat.process,
        "machine": beat.machine,
        "started_at": beat.started_at.isoformat(),
        "version": beat.version,
        "series": list(beat.series),
        "unsent": beat.unsent,
        "next_deadline": None if beat.next_deadline is None else beat.next_deadline.isoformat(),
        "offline_serial": beat.offline_serial,
        "health": beat.health,
        "alone": beat.alone,
        "alone_deadline": None if beat.alone_deadline is None else beat.alone_deadline.isoformat(),
    }


def heartbeat_from_json(value: object) -> Heartbeat:
    """Read a heartbeat; ContractError where it is none."""
    members = Members(value, "heartbeat")
    health = members.json("health")
    return Heartbeat(
        database=members.text("database"),
        process=members.text("process"),
        machine=members.text_or_none("machine") or "",
        started_at=members.instant("started_at"),
        version=members.text("version"),
        series=members.texts("series"),
        unsent=members.whole("unsent"),
        next_deadline=members.day_or_none("next_deadline"),
        offline_serial=members.text_or_none("offline_serial"),
        health=health if isinstance(health, Mapping) else {},
        alone=None if members.json("alone") is None else members.whole("alone"),
        alone_deadline=members.day_or_none("alone_deadline"),
    )


def require_plausible(beat: Heartbeat) -> None:
    """Refuse what no till can mean: ContractError names the field. What was stored before stays readable."""
    for name, count in (("unsent", beat.unsent), ("alone", beat.alone)):
        if count is not None and not 0 <= count <= MOST_INVOICES:
            raise ContractError(f"„heartbeat.{name}” nie jest liczbą od 0 do {MOST_INVOICES}")
    for name, day in (("next_deadline", beat.next_deadline), ("alone_deadline", beat.alone_deadline)):
        if day is not None and day > LATEST:
            raise ContractError(f"„heartbeat.{name}” jest później niż {LATEST}")


def news_to_json(news: News) -> dict[str, Json]:
    """Return the JSON of the news."""
    budget, latarnia = news.budget, news.latarnia
    return {
        "now": news.now.isoformat(),
        "version": news.version,
        "ksef": news.ksef,
        "budget": None
        if budget is None
        else {"left_hour": budget.left_hour, "left_minute": budget.left_minute, "wait": budget.wait},
        "latarnia": None
        if latarnia is None
        else {"status": latarnia.status, "messages": latarnia.messages, "seen_at": latarnia.seen_at.isoformat()},
        "offline_serial": news.offline_serial,
    }


def news_from_json(value: object) -> News:
    """Read the news; ContractError where they are none."""
    members = Members(value, "news")
    budget, latarnia = members.member_or_none("budget"), members.member_or_none("latarnia")
    return News(
        now=members.instant("now"),
        version=members.text_or_none("version") or "",
        ksef=members.text_or_none("ksef") or "down",
        budget=None
        if budget is None
        else Budget(budget.whole("left_hour"), budget.whole("left_minute"), budget.number("wait")),
        latarnia=None
        if latarnia is None
        else LatarniaNews(latarnia.text("status"), latarnia.text("messages"), latarnia.instant("seen_at")),
        offline_serial=members.text_or_none("offline_serial"),
    )
