"""Facts of the timeline: what Latarnia published and what managers said, and their form in the store (ports.Fact)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from agent.domain.json_io.canonical import Json
from agent.domain.outages.latarnia import (
    Announcement,
    Status,
    Unknown,
    announcement_from_json,
    announcement_to_json,
    parse_instant,
)
from agent.domain.values import dataclass


class DeclarationKind(StrEnum):
    """What a manager may state, always with a reason."""

    OFFLINE24_DECLARED = "offline24_declared"
    OFFLINE24_WITHDRAWN = "offline24_withdrawn"
    TOTAL_FAILURE_CONFIRMED = "total_failure_confirmed"
    """It was announced in mass media (art. 106ne ust. 3), whether Latarnia says so or not."""
    TOTAL_FAILURE_ENDED = "total_failure_ended"
    """It was real and is over: invoices issued in it stay exempt."""
    TOTAL_FAILURE_WITHDRAWN = "total_failure_withdrawn"
    """It never was: every duty to send is back."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A manager's word.

    since     total failure: when it was announced in the media; None: ``at``
    event_id  total failure: which communiqué is meant; None: those in force, else those nobody answered yet
    """

    kind: DeclarationKind
    reason: str
    by: str
    at: datetime
    since: datetime | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class AnnouncementSeen:
    """A communiqué, or a new version of one."""

    announcement: Announcement
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """Latarnia's status changed."""

    status: Status
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class UnknownSeen:
    """Something in Latarnia's answer was not understood."""

    unknown: Unknown
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Declared:
    """A manager's declaration."""

    declaration: Declaration

    @property
    def seen_at(self) -> datetime:
        """Return when it was made."""
        return self.declaration.at


TimelineFact = AnnouncementSeen | StatusSeen | UnknownSeen | Declared


def fact_to_json(fact: TimelineFact) -> dict[str, Json]:
    """Return the body of a stored fact (ports.Fact); ``seen_at`` is kept beside it."""
    match fact:
        case AnnouncementSeen(announcement):
            return {"fact": "announcement", "message": announcement_to_json(announcement)}
        case StatusSeen(status):
            return {"fact": "status", "status": status.value}
        case UnknownSeen(unknown):
            return {"fact": "unknown", "where": unknown.where, "value": unknown.value, "raw": unknown.raw}
        case Declared(word):
            return {
                "fact": "declaration",
                "kind": word.kind.value,
                "reason": word.reason,
                "by": word.by,
                "since": word.since.isoformat() if word.since else None,
                "event_id": word.event_id,
            }


def fact_from_json(body: Mapping[str, Json], seen_at: datetime) -> TimelineFact:
    """Read a stored fact back. ValueError where it is none of ours."""
    match body.get("fact"):
        case "announcement":
            return AnnouncementSeen(announcement_from_json(body.get("message")), seen_at)
        case "status":
            return StatusSeen(Status(str(body.get("status"))), seen_at)
        case "unknown":
            return UnknownSeen(Unknown(str(body["where"]), str(body["value"]), str(body["raw"])), seen_at)
        case "declaration":
            since, event_id = body.get("since"), body.get("event_id")
            word = Declaration(
                kind=DeclarationKind(str(body.get("kind"))),
                reason=str(body.get("reason", "")),
                by=str(body.get("by", "")),
                at=seen_at,
                since=parse_instant(since) if isinstance(since, str) else None,
                event_id=event_id if isinstance(event_id, str) else None,
            )
            return Declared(word)
        case other:
            raise ValueError(f"not a fact of the timeline: {other}")


def source_of(fact: TimelineFact) -> str:
    """Return ports.Fact.source: manager or latarnia."""
    return "manager" if isinstance(fact, Declared) else "latarnia"
