"""Alerts: told once when they start and once when they end, and durable in between.

What is active is kept in the notebook, so that a restart neither forgets nor repeats an alert. The start and the
end are events; the webhook reads them from the log (webhooks.py), so none is lost while the line is down.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from agent.domain.errors import Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.monitoring.alert import OTHERS, ActiveAlert, AlertDiff, Severity, diff
from agent.domain.monitoring.alert import AlertCode as Code
from agent.domain.values import dataclass
from agent.ports import Clock, Json, Store, Transaction
from agent.services.signals import Signal
from agent.system import journal

LOG = logging.getLogger("agent.alerts")
ACTIVE = "alerts"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem HQ should see. ``code`` is stable."""

    code: str
    message: str
    since: datetime
    severity: str = "warning"
    """warning (degraded) or critical."""


class Alerting:
    """Holds what is active, with since when."""

    def __init__(self, store: Store, clock: Clock, changed: Signal) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._recorded: dict[ActiveAlert, datetime] | None = None
        self._told: dict[ActiveAlert, datetime] = {}
        """What holds, recorded or not: a full disk lets nobody record that it is full."""
        self._refused = False

    async def update(
        self, current: frozenset[ActiveAlert], not_known: frozenset[Code] = frozenset()
    ) -> tuple[Problem, ...]:
        """Compare with what was active, record starts and ends, and return all problems with since when.

        ``not_known``: codes nothing was heard about since start; what was active of them stays so. What cannot be
        recorded now is told all the same, and recorded with the next look that can.
        """
        recorded = await self._load()
        now = self._clock.now()
        current |= {alert for alert in self._told if alert.code in not_known}
        after = {alert: self._told.get(alert, now) for alert in current}
        self._tell(diff(self._told, current))
        self._told = after
        change = diff(recorded, current)
        if change.started or change.ended:
            await self._record(change, recorded, after)
        problems = [  # not after now: the clock was set back
            Problem(alert.code.value, alert.message, min(since, now), alert.severity) for alert, since in after.items()
        ]
        return tuple(sorted(problems, key=lambda each: (each.severity, each.since, each.code, each.message)))

    def _tell(self, change: AlertDiff) -> None:
        """Tell the journal and the screens."""
        for alert in change.started:
            level = logging.ERROR if alert.severity is Severity.CRITICAL else logging.WARNING
            LOG.log(level, "alert %s started: %s", alert.code.value, alert.message, extra=_fields(alert, "started"))
        for alert in change.ended:
            LOG.info("alert %s ended: %s", alert.code.value, alert.message, extra=_fields(alert, "ended"))
        if change.started or change.ended:
            self._changed.set()

    async def _record(
        self, change: AlertDiff, before: Mapping[ActiveAlert, datetime], after: dict[ActiveAlert, datetime]
    ) -> None:
        try:
            await self._store.write(partial(_note_change, change, before, after))
        except Unavailable as error:
            if not self._refused:
                LOG.error("alerts cannot be recorded: %s", error.detail)  # noqa: TRY400 - the sentence says it all
            self._refused = True
        else:
            self._recorded = after
            self._refused = False

    async def _load(self) -> dict[ActiveAlert, datetime]:
        if self._recorded is None:
            kept = await self._store.read(lambda tx: tx.key_values.get(ACTIVE))
            entries = kept if isinstance(kept, list) else []
            self._recorded = dict(_read(entry) for entry in entries if isinstance(entry, Mapping))
            self._told = dict(self._recorded)
        return self._recorded


def _fields(alert: ActiveAlert, state: str) -> dict[str, dict[str, str]]:
    return journal.fields(problem=alert.code.value, severity=alert.severity.value, state=state)


async def _note_change(
    change: AlertDiff, before: Mapping[ActiveAlert, datetime], after: Mapping[ActiveAlert, datetime], tx: Transaction
) -> None:
    for alert in change.started:
        await tx.events.append(EventKind.ALERT_STARTED, _to_json(alert, after[alert]), _invoice(alert))
    for alert in change.ended:
        await tx.events.append(EventKind.ALERT_ENDED, _to_json(alert, before[alert]), _invoice(alert))
    await tx.key_values.put(ACTIVE, [_to_json(alert, since) for alert, since in after.items()])


def _to_json(alert: ActiveAlert, since: datetime) -> dict[str, Json]:
    return {
        "code": alert.code.value,
        "message": alert.message,
        "severity": alert.severity.value,
        "subject": alert.subject,
        "since": since.isoformat(),
    }


def _read(entry: Mapping[str, Json]) -> tuple[ActiveAlert, datetime]:
    alert = ActiveAlert(
        Code(str(entry["code"])), str(entry["message"]), Severity(str(entry["severity"])), str(entry["subject"])
    )
    return alert, datetime.fromisoformat(str(entry["since"]))


INVOICE_CODES = frozenset(
    {
        Code.DEADLINE_NEAR,
        Code.OVERDUE,
        Code.REJECTED,
        Code.IN_DOUBT,
        Code.SERIES_COLLISION,
        Code.PAPER_CONTRADICTS,
    }
)


def _invoice(alert: ActiveAlert) -> str | None:
    named = alert.code in INVOICE_CODES and not alert.subject.startswith(OTHERS)
    return alert.subject if named else None
