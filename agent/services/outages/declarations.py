"""What a manager declares and withdraws: offline24, a total failure. Each word is a fact of the timeline."""

from __future__ import annotations

import asyncio
from datetime import datetime

from agent.domain.callers import Caller
from agent.domain.errors import Conflict
from agent.domain.invoice import Mode
from agent.domain.outages.events import Outage
from agent.domain.outages.timeline import Declaration, DeclarationKind, Declared
from agent.services.background import BackgroundTasks
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.outages.mode import CurrentMode, ModeAnswer
from agent.services.outages.recorded_facts import RecordedFacts
from agent.services.outages.trusted_time import TrustedTime

MODE_REFUSED = "trybu nie zmieniono"


class Declarations:
    """Takes a manager's word. Who is one is checked where the request comes in (web/security.py)."""

    def __init__(
        self,
        *,
        trusted_time: TrustedTime,
        timeline: KnownTimeline,
        facts: RecordedFacts,
        deadlines: DeadlineUpdater,
        mode: CurrentMode,
        tasks: BackgroundTasks,
        queue_wake: asyncio.Event,
    ) -> None:
        self._trusted_time = trusted_time
        self._timeline = timeline
        self._facts = facts
        self._deadlines = deadlines
        self._mode = mode
        self._tasks = tasks
        self._queue_wake = queue_wake

    async def declare(self, mode: Mode, reason: str, caller: Caller) -> ModeAnswer:
        """Declare offline24, or confirm that a total failure was announced in mass media; Conflict for other modes."""
        kinds = {
            Mode.OFFLINE24: DeclarationKind.OFFLINE24_DECLARED,
            Mode.TOTAL_FAILURE: DeclarationKind.TOTAL_FAILURE_CONFIRMED,
        }
        kind = kinds.get(mode)
        if kind is None:
            raise Conflict(
                "Awarię i niedostępność KSeF ogłasza Ministerstwo Finansów; w sklepie można włączyć tylko "
                "tryb offline24 albo potwierdzić awarię całkowitą.",
                code="mode-not-declarable",
            )
        now = await self._trusted_time.undated(MODE_REFUSED)
        await self._record_declaration(kind, reason, caller.name, self._timeline.at(now).total_failure, now)
        return self._mode.current()

    async def withdraw(self, reason: str, caller: Caller, *, false_alarm: bool = False) -> ModeAnswer:
        """Withdraw what is declared now; Conflict where nothing is.

        ``false_alarm``: the total failure, confirmed or only announced, never was; all duties are back.
        """
        now = await self._trusted_time.undated(MODE_REFUSED)
        situation = self._timeline.at(now)
        total = situation.total_failure
        if total is not None and (total.confirmed or false_alarm):
            kind = DeclarationKind.TOTAL_FAILURE_WITHDRAWN if false_alarm else DeclarationKind.TOTAL_FAILURE_ENDED
        elif false_alarm and (past := self._deadlines.revocable) is not None:
            kind, total = DeclarationKind.TOTAL_FAILURE_WITHDRAWN, past
        elif false_alarm:
            raise Conflict("Nie ma awarii całkowitej, którą można by uznać za fałszywy alarm.", code="nothing-declared")
        elif situation.offline24 is not None:
            kind = DeclarationKind.OFFLINE24_WITHDRAWN
        else:
            raise Conflict("Nie ma nic do odwołania: żaden tryb nie jest włączony ręcznie.", code="nothing-declared")
        await self._record_declaration(kind, reason, caller.name, total, now)
        self._queue_wake.set()
        return self._mode.current()

    async def _record_declaration(
        self, kind: DeclarationKind, reason: str, by: str, total: Outage | None, now: datetime
    ) -> None:
        of_total = kind not in {DeclarationKind.OFFLINE24_DECLARED, DeclarationKind.OFFLINE24_WITHDRAWN}
        event_id = total.id if of_total and total is not None else None
        declared = Declared(Declaration(kind, reason, by, now, event_id=event_id))
        await self._tasks.run("declaration", self._facts.record([declared]))
