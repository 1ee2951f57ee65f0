"""Which numbers are used up, where a database was restored from a copy: what each witness knows, and what follows.

A copy cannot know the invoices issued after it. Their numbers stand on paper and in KSeF, so they must not be given
again. Others know of them: the database that is replaced, the high-water mark beside it, other copies, KSeF. Each knows
of numbers that were used; some know as well that nothing beyond was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date

from agent.domain.errors import Conflict
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class UsedDocument:
    """An invoice somebody knows of. ``gross``: decimal text. None: this witness does not know."""

    number: str
    kind: str | None = None
    issued_on: date | None = None
    gross: str | None = None
    currency: str | None = None
    ksef_number: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """What one source knows of the numbers, by series."""

    name: str
    """Polish, for people."""
    least: Mapping[str, int] = field(default_factory=dict)
    """Numbers up to these were used."""
    most: Mapping[str, int] | None = None
    """No number beyond these was used, nor any of a series that is not named. None: it cannot know."""
    documents: tuple[UsedDocument, ...] = ()
    trouble: str | None = None
    """Polish: why it knows less than it should."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the series go on. ``unknown``: series in use of which nobody knows where they end."""

    after: Mapping[str, int]
    unknown: tuple[str, ...]


def plan(
    copy: Mapping[str, int], witnesses: Iterable[Witness], *, active: Iterable[str], ordered: Mapping[str, int]
) -> Plan:
    """Return the last number used of each series.

    ``copy``: the last numbers the copy holds. ``active``: series that will be used next. ``ordered``: last numbers a
    person gave; Conflict "series-ahead" where one of them is used already. Whoever gave one has looked: a series that
    nobody has ever seen is taken for unused then.
    """
    known = list(witnesses)
    in_use = set(active)
    seen = set(copy).union(*(each.least for each in known), *(each.most or () for each in known))
    after: dict[str, int] = {}
    unknown = []
    named = [series for each in known for series in (*each.least, *(each.most or ()))]
    for series in sorted({*in_use, *copy, *ordered, *named}):
        floor = max([copy.get(series, 0), *(each.least.get(series, 0) for each in known)])
        bounds = [each.most.get(series, 0) for each in known if each.most is not None]
        possible = [bound for bound in bounds if bound >= floor]
        if series in ordered:
            _require_forward(series, ordered[series], floor, known)
            after[series] = ordered[series]
        elif possible:
            after[series] = min(possible)
        else:
            after[series] = floor
            if series in in_use and (series in seen or not ordered):
                unknown.append(series)
    return Plan(after, tuple(unknown))


def _require_forward(series: str, last: int, floor: int, witnesses: Sequence[Witness]) -> None:
    if last < floor:
        names = [each.name for each in witnesses if each.least.get(series, 0) > last] or ["kopia"]
        raise Conflict(
            f"Seria {series} doszła już do numeru {floor} ({', '.join(names)}); nie można jej kontynuować po {last}.",
            code="series-ahead",
        )


def lacking(held: Iterable[str], witnesses: Iterable[Witness]) -> tuple[UsedDocument, ...]:
    """Return the invoices the copy lacks, by number, each with what the witnesses know of it together.

    ``held``: the numbers in the copy.
    """
    there = set(held)
    found: dict[str, UsedDocument] = {}
    for witness in witnesses:
        for document in witness.documents:
            if document.number not in there:
                known = found.get(document.number)
                found[document.number] = document if known is None else _together(known, document)
    return tuple(found[number] for number in sorted(found))


def _together(one: UsedDocument, other: UsedDocument) -> UsedDocument:
    return UsedDocument(
        one.number,
        one.kind or other.kind,
        one.issued_on or other.issued_on,
        one.gross or other.gross,
        one.currency or other.currency,
        one.ksef_number or other.ksef_number,
    )
