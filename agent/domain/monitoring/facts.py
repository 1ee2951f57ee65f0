"""Everything that alerts are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date, datetime, timedelta

from agent.domain.clock_check import Verdict
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.opening_hours import Window
from agent.domain.outages.latarnia import Category
from agent.domain.values import dataclass

UPO_LATE = timedelta(days=1)
"""So long after its number an invoice may be without UPO before people hear of it."""
NAMED = 5
"""Invoices that one message names; the rest are counted, or said to be there."""


def first_named(numbers: Sequence[str]) -> str:
    """Return the first few of many, as a sentence names them."""
    return ", ".join(numbers[:NAMED]) + (" i dalsze" if len(numbers) > NAMED else "")


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """An invoice that KSeF does not have yet. ``deadline`` None: open or lifted."""

    id: str
    number: str
    state: InvoiceState
    deadline: date | None
    state_since: datetime
    rejection: str | None = None
    collision: bool = False
    """440 with a foreign hash, or at a first attempt: the number is taken by another document, or may be."""


@dataclass(frozen=True, slots=True)
class Others:
    """How many more invoices there are than the facts name singly."""

    deadlines: Mapping[date, int] = field(default_factory=dict)
    rejected: int = 0
    in_doubt: int = 0


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """What is known of the copies of the database."""

    last_at: datetime | None
    """When the newest one was made; None: there is none."""
    wanted_since: datetime | None
    """The first event of the log; None: nothing there to copy."""
    problem: str | None = None
    """Polish: why the newest try made none."""
    failed_at: datetime | None = None
    due: bool = True
    """False in the first hours after a start: a till that was off makes its missed copy first."""


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Everything the policy looks at, read at ``at``. None: not known, no alert."""

    at: datetime
    invoices: tuple[InvoiceFacts, ...] = ()
    """The oldest and most urgent ones; an outage leaves too many to name each."""
    others: Others = field(default_factory=Others)
    refused_corrections: tuple[tuple[str, str, str], ...] = ()
    """(id, number of the base, Polish problem) of corrections that can never be issued and whose case nobody closed."""
    contradicted_papers: tuple[tuple[str, str, bool], ...] = ()
    """(id, number, whether KSeF has it as online) of invoices whose paper says the opposite."""
    certificates: Mapping[str, datetime | None] = field(default_factory=dict)
    """Name (offline, authentication) -> end of validity; None: configured nowhere or unreadable."""
    certificate_starts: Mapping[str, datetime] = field(default_factory=dict)
    """Name -> beginning of validity."""
    foreign_certificates: Mapping[str, str] = field(default_factory=dict)
    """Name -> NIP of a subject that the settings do not name."""
    certificate_files: Mapping[str, str] = field(default_factory=dict)
    """Name -> Polish: why the files that lie there now could not be loaded."""
    failed_renewals: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    """Name -> when the last attempt to renew it failed, and why, in Polish."""
    clock_skew_seconds: float | None = None
    clock_problem: Verdict | None = None
    """Why the clock dates no document; None where it does."""
    disk_free_mb: int | None = None
    disk_free_files: int | None = None
    """Files that still have a place on the disk of the database."""
    disk_refused: bool = False
    """The newest attempt to store something found no room."""
    printers: Mapping[str, str | None] = field(default_factory=dict)
    """Name -> Polish problem, None where it is well."""
    undelivered: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """Webhook subscribers that refuse: name -> (with what, since when)."""
    login_refused: str | None = None
    """Why KSeF does not take our certificate or token, for a technician."""
    sign_in_failing: tuple[str, datetime] | None = None
    """Why KSeF, which answers, gives no session to send in or takes nothing, and since when."""
    unreachable: tuple[str, datetime] | None = None
    """Why nothing answers at KSeF's address, or something else does, and since when; None while that is announced."""
    without_upo: tuple[str, ...] = ()
    """Numbers of the first invoices that KSeF accepted at least UPO_LATE ago and gave no UPO for."""
    batches_failing: tuple[str, datetime] | None = None
    """Why batches fail, one after the other, and since when."""
    database_problem: str | None = None
    """Polish: what the daily look at the whole file found."""
    tokens_problem: str | None = None
    """Polish: why nobody's token is known."""
    backups: BackupFacts | None = None
    hub_problem: tuple[str, bool] | None = None
    """What is wrong between this till and its hub, and whether that is critical."""
    drop_folder: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    """What keeps files of the drop folder: subject -> (Polish sentence, whether it keeps them all)."""
    latarnia_unreachable_since: datetime | None = None
    latarnia_unknown: tuple[tuple[str, str], ...] = ()
    """(where, value) of words in the newest answer that were not understood."""
    maintenance: tuple[Window, ...] = ()
    """When KSeF said it would not be there, or is not there: no time to send in (docs/law.md, wait-maintenance)."""
    status_unannounced: str | None = None
    status_contradicts: tuple[Category, ...] = ()
    """Outages in force by their communiqués (total failure: by a manager's word) while the status is AVAILABLE."""
    total_failure_unconfirmed: str | None = None
    """eventId of a total failure that no manager confirmed or withdrew."""
    corrections_outside: tuple[str, ...] = ()
    """Numbers of corrections of what is in KSeF that an older version issued outside it."""
    falsely_exempt: tuple[str, ...] = ()
    """Numbers of invoices that are exempt by a total failure which Latarnia took back."""
    falsely_exempt_archived: int = 0
    """How many of them are in an archive already."""
