"""Problems of the till itself: clock, disk, database, copies, printers, what it is connected to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from agent.domain.calendar import local_time
from agent.domain.clock_check import ClockState
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity
from agent.domain.monitoring.facts import AlertFacts, BackupFacts
from agent.domain.monitoring.policy import Policy

AHEAD = timedelta(hours=1)
"""A copy that is further ahead of now was dated by a clock that was wrong: nobody knows how old it is."""

LEAST_FILES = 100
"""Places for files; the agent itself needs a few at a time."""


def machine_alerts(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    """Yield what holds of the machine."""
    skew = facts.clock_skew_seconds
    clock = facts.clock_problem
    if clock is not None:  # told anew: it is another matter than the warning
        text = f"{clock.problem} Kasa nie wystawia faktur. {clock.remedy}."
        wrong = clock.state is ClockState.WRONG
        code, subject = (AlertCode.CLOCK_SKEW, "refuses") if wrong else (AlertCode.CLOCK_UNCONFIRMED, "")
        yield ActiveAlert(code, text, Severity.CRITICAL, subject)
    elif skew is not None and abs(skew) >= policy.clock_skew_seconds:
        text = f"Zegar kasy różni się od właściwego czasu o {abs(skew):.0f} s."
        yield ActiveAlert(AlertCode.CLOCK_SKEW, text, Severity.WARNING)
    yield from _of_room(facts, policy)
    if facts.database_problem is not None:
        yield ActiveAlert(AlertCode.DATABASE, facts.database_problem, Severity.CRITICAL)
    if facts.tokens_problem is not None:
        yield ActiveAlert(AlertCode.TOKENS, facts.tokens_problem, Severity.CRITICAL)
    if facts.backups is not None:
        yield from _of_backups(facts.backups, facts.at, policy)
    if facts.hub_problem is not None:
        text, grave = facts.hub_problem
        yield ActiveAlert(AlertCode.HUB, text, Severity.CRITICAL if grave else Severity.WARNING)
    for subject, (text, all_wait) in facts.drop_folder.items():
        yield ActiveAlert(AlertCode.DROP_FOLDER, text, Severity.CRITICAL if all_wait else Severity.WARNING, subject)
    for name, problem in facts.printers.items():
        if problem is not None:
            yield ActiveAlert(AlertCode.PRINTER, problem, Severity.WARNING, name)
    for name, (problem, since) in facts.undelivered.items():
        if facts.at - since >= timedelta(minutes=policy.outbox_minutes):
            text = (
                f"Odbiorca zdarzeń „{name}” nie przyjmuje ich od {local_time(since):%d.%m.%Y %H:%M} ({problem}). "
                "Zdarzenia czekają i nie zginą."
            )
            yield ActiveAlert(AlertCode.OUTBOX_STUCK, text, Severity.WARNING, name)


def _of_room(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    if facts.disk_free_mb is not None and facts.disk_free_mb < policy.disk_free_mb:
        text = f"Na dysku zostało {facts.disk_free_mb} MB wolnego miejsca."
        yield ActiveAlert(AlertCode.DISK, text, Severity.CRITICAL)
    if facts.disk_free_files is not None and facts.disk_free_files < LEAST_FILES:
        text = f"Na dysku zostało miejsce na {facts.disk_free_files} nowych plików (i-węzłów). Usuń zbędne pliki."
        yield ActiveAlert(AlertCode.DISK, text, Severity.CRITICAL, "files")
    if facts.disk_refused:
        text = "Dysk odmówił zapisu (brak miejsca, także na nowe pliki, albo przydziału). Kasa nie wystawia faktur."
        yield ActiveAlert(AlertCode.DISK, text, Severity.CRITICAL, "refused")


def _of_backups(backups: BackupFacts, now: datetime, policy: Policy) -> Iterator[ActiveAlert]:
    if backups.problem is not None and backups.failed_at is not None:
        text = f"Kopia bazy danych z {local_time(backups.failed_at):%d.%m.%Y %H:%M} się nie udała: {backups.problem}"
        yield ActiveAlert(AlertCode.BACKUP_FAILED, text, Severity.WARNING)
    counted_from = backups.last_at or backups.wanted_since
    if policy.backup_hours == 0 or not backups.due or counted_from is None:
        return
    age = now - counted_from
    if age >= timedelta(hours=policy.backup_hours) or age < -AHEAD:
        newest = "Baza danych nie ma żadnej kopii."
        if backups.last_at is not None:
            newest = f"Ostatnia kopia bazy danych jest z {local_time(backups.last_at):%d.%m.%Y %H:%M}."
        text = f"{newest} Dla serwisu: systemctl enable --now ksef-agent-backup.timer albo ksef-agent backup PLIK."
        yield ActiveAlert(AlertCode.BACKUP_OLD, text, Severity.WARNING)
