"""Alerts: told once when they start and once when they end, and durable in between.

What is active is kept in the notebook, so that a restart neither forgets nor repeats an alert. The start and the
end are events; the webhook reads them from the log (webhooks.py), so none is lost while the line is down.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

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
        self._active: dict[ActiveAlert, datetime] | None = None

    async def update(
        self, current: frozenset[ActiveAlert], not_known: frozenset[Code] = frozenset()
    ) -> tuple[Problem, ...]:
        """Compare with what was active, record starts and ends, and return all problems with since when.

        ``not_known``: codes nothing was heard about since start; what was active of them stays so.
        """
        before = await self._load()
        now = self._clock.now()
        current |= {alert for alert in before if alert.code in not_known}
        change = diff(before, current)
        after = {alert: before.get(alert, now) for alert in current}
        if change.started or change.ended:
            await self._store.write(partial(_note_change, change, before, after))
            for alert in change.started:
                level = logging.ERROR if alert.severity is Severity.CRITICAL else logging.WARNING
                LOG.log(level, "alert %s started: %s", alert.code.value, alert.message, extra=_fields(alert, "started"))
            for alert in change.ended:
                LOG.info("alert %s ended: %s", alert.code.value, alert.message, extra=_fields(alert, "ended"))
            self._changed.set()
        self._active = after
        problems = [  # not after now: the clock was set back
            Problem(alert.code.value, alert.message, min(since, now), alert.severity) for alert, since in after.items()
        ]
        return tuple(sorted(problems, key=lambda each: (each.severity, each.since, each.code, each.message)))

    async def _load(self) -> dict[ActiveAlert, datetime]:
        if self._active is None:
            kept = await self._store.read(lambda tx: tx.key_values.get(ACTIVE))
            entries = kept if isinstance(kept, list) else []
            self._active = dict(_read(entry) for entry in entries if isinstance(entry, Mapping))
        return self._active


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
