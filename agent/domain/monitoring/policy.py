"""When a fact becomes an alert, as the settings say."""

from __future__ import annotations

from datetime import time

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings [alerts] and [issue]; hours are Polish clock hours of the shop."""

    deadline_hours: float = 4.0
    opens: time = time(8, 0)
    closes: time = time(21, 0)
    business_days_only: bool = False
    """Count opening hours on business days only; False: the shop opens every day."""
    in_doubt_minutes: float = 30.0
    latarnia_minutes: float = 30.0
    outbox_minutes: float = 30.0
    certificate_days: int = 30
    disk_free_mb: int = 200
    backup_hours: float = 48.0
    """0: copies are made by other means."""
    clock_skew_seconds: float = 60.0
