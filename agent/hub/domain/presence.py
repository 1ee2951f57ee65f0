"""Whether a heartbeat comes from the till that has the name, or from a second one.

A second till under one name counts its own series from 1: numbers would collide. Copied disks carry the same
database, so the run of the program tells them apart, and the machine where it can.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from agent.domain.values import dataclass
from agent.hub_contract.heartbeat import Heartbeat

ALIVE = timedelta(seconds=90)
"""A till that was heard within this time is running; it beats every 15 to 30 seconds.

It is counted both ways: a clock that was set back leaves a last sign of life in the future, which says nothing.
"""


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of the till that has the name. ``superseded``: the run before this one."""

    database: str
    process: str
    machine: str
    superseded: str | None
    seen_at: datetime


def presence_after(known: Presence | None, beat: Heartbeat, now: datetime) -> Presence | None:
    """Return what is known after this heartbeat; None where it comes from a second till.

    another database      a second till, or a new one in place of the old: headquarters says which (hub till adopt)
    another machine       a second till while the first is alive; else it was moved
    another run           the program was started again; two runs that take turns while the other is alive are two tills
    """
    if known is None or beat.process == known.process:
        superseded = None if known is None else known.superseded
        same = known is None or beat.database == known.database
        return Presence(beat.database, beat.process, beat.machine, superseded, now) if same else None
    other = beat.machine != known.machine or beat.process == known.superseded
    if beat.database != known.database or (other and _is_alive(known, now)):
        return None
    return Presence(beat.database, beat.process, beat.machine, known.process, now)


def is_second(
    known: Presence, database: str | None, process: str | None, refused: Collection[str], now: datetime
) -> bool:
    """Whether what hands something over is a second till of the name. None: it does not say, as a till of 0.2.

    ``refused``: the runs whose signs of life were refused. A run that was not heard yet is the till, started again.
    So is any other once the run that has the name is silent: a copy that ran for a minute must not lock the till out.
    """
    if database is not None and database != known.database:
        return True
    if process is None or process == known.process:
        return False
    return _is_alive(known, now) and (process == known.superseded or process in refused)


def _is_alive(known: Presence, now: datetime) -> bool:
    return abs(now - known.seen_at) < ALIVE
