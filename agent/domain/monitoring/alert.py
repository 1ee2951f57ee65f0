"""An alert that holds, and what started or ended between two looks.

Codes are stable (health, metrics, webhook); messages are Polish. An alert is told apart by code and subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum

from agent.domain.values import dataclass

OTHERS = "others"
"""Subject, or how it begins, of an alert about invoices that are counted and not named."""


class Severity(StrEnum):
    """How loud."""

    WARNING = "warning"
    CRITICAL = "critical"


class AlertCode(StrEnum):
    """Stable names."""

    DEADLINE_NEAR = "deadline-near"
    OVERDUE = "overdue"
    REJECTED = "rejected"
    IN_DOUBT = "in-doubt"
    SERIES_COLLISION = "series-collision"
    CORRECTION_REFUSED = "correction-refused"
    CORRECTION_OUTSIDE = "correction-outside-ksef"
    PAPER_CONTRADICTS = "paper-contradicts-ksef"
    CERTIFICATE_EXPIRES = "certificate-expires"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    CERTIFICATE_OF_ANOTHER = "certificate-of-another"
    CERTIFICATE_MISSING = "certificate-missing"
    CERTIFICATE_FILES = "certificate-files"
    CLOCK_SKEW = "clock-skew"
    CLOCK_UNCONFIRMED = "clock-unconfirmed"
    DISK = "disk"
    PRINTER = "printer"
    LATARNIA_UNREACHABLE = "latarnia-unreachable"
    LATARNIA_UNKNOWN = "latarnia-unknown"
    STATUS_UNANNOUNCED = "status-unannounced"
    STATUS_CONTRADICTS = "status-contradicts"
    TOTAL_FAILURE_UNCONFIRMED = "total-failure-unconfirmed"
    TOTAL_FAILURE_FALSE = "total-failure-false"
    OUTBOX_STUCK = "outbox-stuck"
    LOGIN_REFUSED = "ksef-login-refused"
    SIGN_IN_FAILING = "ksef-sign-in-failing"
    UNREACHABLE = "ksef-unreachable"
    BATCHES_FAILING = "ksef-batches-failing"
    UPO_MISSING = "upo-missing"
    DATABASE = "database"
    TOKENS = "tokens-unreadable"
    DROP_FOLDER = "drop-folder"
    HUB = "hub"
    BACKUP_FAILED = "backup-failed"
    BACKUP_OLD = "backup-old"


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """One problem that holds now."""

    code: AlertCode
    message: str = field(compare=False)
    severity: Severity = field(compare=False)
    subject: str = ""


@dataclass(frozen=True, slots=True)
class AlertDiff:
    """What to tell: each start once, each end once."""

    started: tuple[ActiveAlert, ...]
    ended: tuple[ActiveAlert, ...]


def diff(before: Iterable[ActiveAlert], after: Iterable[ActiveAlert]) -> AlertDiff:
    """Return what started and what ended between two looks, in a stable order."""
    old, new = frozenset(before), frozenset(after)
    return AlertDiff(started=_ordered(new - old), ended=_ordered(old - new))


def _ordered(items: Iterable[ActiveAlert]) -> tuple[ActiveAlert, ...]:
    return tuple(sorted(items, key=lambda alert: (alert.code, alert.message, alert.subject)))
