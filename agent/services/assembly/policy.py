"""Which problems people hear of, as the settings say."""

from __future__ import annotations

from agent.domain.monitoring.policy import Policy
from agent.settings.model import Settings


def alert_policy(settings: Settings) -> Policy:
    """Return the policy of [alerts] and [issue]."""
    chosen = settings.alerts
    return Policy(
        deadline_hours=chosen.deadline_hours,
        opens=chosen.opens,
        closes=chosen.closes,
        in_doubt_minutes=chosen.in_doubt_minutes,
        latarnia_minutes=chosen.latarnia_minutes,
        certificate_days=chosen.certificate_days,
        disk_free_mb=chosen.disk_free_mb,
        backup_hours=chosen.backup_hours,
        clock_skew_seconds=settings.issue.clock_skew_alarm_seconds,
    )
