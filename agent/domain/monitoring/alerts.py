"""Which problems people must hear of: a pure policy over facts, and what started or ended between two looks.

Codes are stable (health, metrics, webhook); messages are Polish. An alert is told apart by code and subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache

from agent.domain.calendar import WARSAW, BusinessCalendar, local_date, local_time, start_of_day
from agent.domain.clock_check import ClockState, Verdict
from agent.domain.lifecycle import UNSENT, InvoiceState
from agent.domain.outages.latarnia import Category

AHEAD = timedelta(hours=1)
"""A copy that is further ahead of now was dated by a clock that was wrong: nobody knows how old it is."""
SIGN_IN_LATE = timedelta(hours=1)
"""So long KSeF may answer and give no session to send in before people hear of it."""
UPO_LATE = timedelta(days=1)
"""So long after its number an invoice may be without UPO before people hear of it."""
OTHERS = "others"
"""Subject, or how it begins, of an alert about invoices that are counted and not named."""
FAR = timedelta(days=366)
"""No deadline that lies further off is near: a clock of 1970 would have twenty thousand days counted."""


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
    BATCHES_FAILING = "ksef-batches-failing"
    UPO_MISSING = "upo-missing"
    DATABASE = "database"
    DROP_FOLDER = "drop-folder"
    HUB = "hub"
    BACKUP_FAILED = "backup-failed"
    BACKUP_OLD = "backup-old"


Window = tuple[datetime, datetime | None]
"""Begin and end; None: the end is not known."""


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
    printers: Mapping[str, str | None] = field(default_factory=dict)
    """Name -> Polish problem, None where it is well."""
    undelivered: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """Webhook subscribers that refuse: name -> (with what, since when)."""
    login_refused: str | None = None
    """Why KSeF does not take our certificate or token, for a technician."""
    sign_in_failing: tuple[str, datetime] | None = None
    """Why KSeF, which answers, gives no session to send in or takes nothing, and since when."""
    without_upo: tuple[str, ...] = ()
    """Numbers of the first invoices that KSeF accepted at least UPO_LATE ago and gave no UPO for."""
    batches_failing: tuple[str, datetime] | None = None
    """Why batches fail, one after the other, and since when."""
    database_problem: str | None = None
    """Polish: what the daily look at the whole file found."""
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
    falsely_exempt: tuple[str, ...] = ()
    """Numbers of invoices that are exempt by a total failure which Latarnia took back."""
    falsely_exempt_archived: int = 0
    """How many of them are in an archive already."""


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


def alerts(facts: AlertFacts, policy: Policy, calendar: BusinessCalendar) -> frozenset[ActiveAlert]:
    """Return every problem that holds at ``facts.at``."""
    found: list[ActiveAlert] = []

    @cache
    def near(deadline: date) -> bool:  # ten thousand invoices of an outage share a few deadlines
        return bool(pressing([deadline], facts.at, policy, calendar, facts.maintenance))

    for invoice in facts.invoices:
        if invoice.state in UNSENT:
            found += _of_state(invoice, facts.at, policy)
            found += _of_deadline(invoice, facts, near)
    found += _of_others(facts, near, doubt_told=any(alert.code is AlertCode.IN_DOUBT for alert in found))
    for held_id, number, problem in facts.refused_corrections:
        text = f"Korekty faktury {number} nie można wystawić. {problem} Decyduje kierownik (zakładka „Kolejka”)."
        found.append(ActiveAlert(AlertCode.CORRECTION_REFUSED, text, Severity.CRITICAL, held_id))
    for invoice_id, number, online in facts.contradicted_papers:
        text = (
            f"Faktura {number}: KSeF zapisał ją jako przesłaną {'online' if online else 'offline'}, a na wydanym "
            "papierze jest inaczej. Księgi podają tryb z KSeF. Wydrukuj ją ponownie i wymień klientowi papier."
        )
        found.append(ActiveAlert(AlertCode.PAPER_CONTRADICTS, text, Severity.WARNING, invoice_id))
    found += _of_certificates(facts, policy)
    if facts.login_refused is not None:
        found.append(ActiveAlert(AlertCode.LOGIN_REFUSED, facts.login_refused, Severity.CRITICAL))
    elif facts.sign_in_failing is not None and facts.at - facts.sign_in_failing[1] >= SIGN_IN_LATE:
        problem, since = facts.sign_in_failing
        text = (
            f"Od {local_time(since):%d.%m.%Y %H:%M} KSeF odpowiada, ale nie udaje się zalogować, otworzyć sesji "
            f"albo wysłać faktury. {problem}"
        )
        found.append(ActiveAlert(AlertCode.SIGN_IN_FAILING, text, Severity.CRITICAL))
    if facts.batches_failing is not None:
        problem, since = facts.batches_failing
        text = (
            f"Od {local_time(since):%d.%m.%Y %H:%M} nie udaje się wysłać do KSeF paczki faktur: czekające idą "
            f"pojedynczo, od najpilniejszej. {problem}"
        )
        found.append(ActiveAlert(AlertCode.BATCHES_FAILING, text, Severity.WARNING))
    if facts.without_upo:
        named = ", ".join(facts.without_upo[:NAMED]) + (" i dalsze" if len(facts.without_upo) > NAMED else "")
        text = (
            f"KSeF przyjął ponad dobę temu, a nie dał właściwego UPO: {named}. Faktury są w KSeF, kasa pyta dalej; "
            "jeśli to trwa, trzeba zgłosić to do KSeF."
        )
        found.append(ActiveAlert(AlertCode.UPO_MISSING, text, Severity.WARNING))
    found += _of_machine(facts, policy)
    found += _of_latarnia(facts, policy)
    return frozenset(found)


def pressing(
    days: Iterable[date],
    now: datetime,
    policy: Policy,
    calendar: BusinessCalendar,
    maintenance: Sequence[Window] = (),
) -> frozenset[date]:
    """Return which of these deadlines are near or over."""
    today, limit = local_date(now), timedelta(hours=policy.deadline_hours)
    return frozenset(
        day for day in days if day < today or opening_time_left(now, day, policy, calendar, maintenance) <= limit
    )


def diff(before: Iterable[ActiveAlert], after: Iterable[ActiveAlert]) -> AlertDiff:
    """Return what started and what ended between two looks, in a stable order."""
    old, new = frozenset(before), frozenset(after)
    return AlertDiff(started=_ordered(new - old), ended=_ordered(old - new))


def opening_time_left(
    now: datetime, last_day: date, policy: Policy, calendar: BusinessCalendar, without: Sequence[Window] = ()
) -> timedelta:
    """Return how much opening time is left from ``now`` to the end of ``last_day`` (Polish civil day).

    ``without``: times that do not count, since KSeF announced that it will not be there. ``timedelta.max`` where the
    day lies further off than FAR: whoever said such a day, nobody counts up to it.
    """
    left = timedelta(0)
    clock = local_time(now)
    day = clock.date()
    if last_day - day > FAR:
        return timedelta.max
    while day <= last_day:
        if not policy.business_days_only or calendar.is_business_day(day):
            for begin, end in _open_on(day, policy):
                for free_begin, free_end in outside(max(begin, clock), end, without):
                    left += free_end - free_begin
        day += timedelta(days=1)
    return left


def outside(begin: datetime, end: datetime, windows: Sequence[Window]) -> list[tuple[datetime, datetime]]:
    """Return what is left of a time outside these windows."""
    pieces = [(begin, end)] if begin < end else []
    for closed, reopened in windows:
        kept: list[tuple[datetime, datetime]] = []
        for first, last in pieces:
            kept.append((first, min(last, closed)))
            if reopened is not None:
                kept.append((max(first, reopened), last))
        pieces = [(first, last) for first, last in kept if first < last]
    return pieces


def _open_on(day: date, policy: Policy) -> Iterator[tuple[datetime, datetime]]:
    """Yield the opening times within one civil day; a shop that closes past midnight has two."""
    midnight = start_of_day(day + timedelta(days=1))
    opens, closes = (datetime.combine(day, clock, tzinfo=WARSAW) for clock in (policy.opens, policy.closes))
    if opens < closes:
        yield opens, closes
    else:
        yield start_of_day(day), closes
        yield opens, midnight


def _of_state(invoice: InvoiceFacts, now: datetime, policy: Policy) -> Iterator[ActiveAlert]:
    name = f"Faktura {invoice.number}"
    if invoice.collision:
        known = invoice.state is InvoiceState.REJECTED
        text = (
            f"{name}: w KSeF jest już inny dokument o tym numerze. Potrzebna decyzja kierownika."
            if known
            else f"{name}: w KSeF jest już dokument o tym numerze, a nie można sprawdzić, czy to ten. "
            "Nie wolno jej wydać; poszukaj drugiej kasy o tym samym numerze."
        )
        yield ActiveAlert(AlertCode.SERIES_COLLISION, text, Severity.CRITICAL, invoice.id)
    elif invoice.state is InvoiceState.REJECTED:
        text = f"{name} została odrzucona przez KSeF: {invoice.rejection or 'bez podania przyczyny'}."
        yield ActiveAlert(AlertCode.REJECTED, text, Severity.CRITICAL, invoice.id)
    doubt = now - invoice.state_since
    if (
        invoice.state is InvoiceState.IN_DOUBT
        and not invoice.collision
        and doubt >= timedelta(minutes=policy.in_doubt_minutes)
    ):
        text = f"{name}: od {int(doubt.total_seconds() // 60)} min nie wiadomo, czy KSeF ją przyjął."
        yield ActiveAlert(AlertCode.IN_DOUBT, text, Severity.WARNING, invoice.id)


def _of_deadline(invoice: InvoiceFacts, facts: AlertFacts, near: Callable[[date], bool]) -> Iterator[ActiveAlert]:
    if invoice.deadline is None:
        return
    name = f"Faktura {invoice.number}"
    if local_date(facts.at) > invoice.deadline:
        text = f"{name}: termin przesłania do KSeF minął {invoice.deadline:%d.%m.%Y}. Trzeba ją przesłać niezwłocznie."
        yield ActiveAlert(AlertCode.OVERDUE, text, Severity.CRITICAL, invoice.id)
    elif near(invoice.deadline):
        text = f"{name}: termin przesłania do KSeF upływa {invoice.deadline:%d.%m.%Y}."
        before = [begin for begin, _ in facts.maintenance if facts.at < begin and local_date(begin) <= invoice.deadline]
        if before:
            text += f" KSeF zapowiedział niedostępność od {local_time(min(before)):%d.%m.%Y %H:%M}: prześlij wcześniej."
        yield ActiveAlert(AlertCode.DEADLINE_NEAR, text, Severity.CRITICAL, invoice.id)


def _of_others(facts: AlertFacts, near: Callable[[date], bool], *, doubt_told: bool) -> Iterator[ActiveAlert]:
    """One alert for all that share a deadline or a fate, beside those that are named."""
    others = facts.others
    if others.rejected > 0:
        text = f"Dalsze faktury odrzucone przez KSeF: {others.rejected}."
        yield ActiveAlert(AlertCode.REJECTED, text, Severity.CRITICAL, OTHERS)
    if others.in_doubt > 0 and doubt_told:
        text = f"Dalsze faktury, o których nie wiadomo, czy KSeF je przyjął: {others.in_doubt}."
        yield ActiveAlert(AlertCode.IN_DOUBT, text, Severity.WARNING, OTHERS)
    for day, count in others.deadlines.items():
        subject = f"{OTHERS}-{day.isoformat()}"
        if local_date(facts.at) > day:
            text = f"Dalsze faktury, których termin przesłania do KSeF minął {day:%d.%m.%Y}: {count}."
            yield ActiveAlert(AlertCode.OVERDUE, text, Severity.CRITICAL, subject)
        elif near(day):
            text = f"Dalsze faktury, których termin przesłania do KSeF upływa {day:%d.%m.%Y}: {count}."
            yield ActiveAlert(AlertCode.DEADLINE_NEAR, text, Severity.CRITICAL, subject)


def _of_certificates(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    for name, expires in facts.certificates.items():
        if expires is None:
            text = f"Brak certyfikatu KSeF „{name}”."
            yield ActiveAlert(AlertCode.CERTIFICATE_MISSING, text, Severity.CRITICAL, name)
        elif expires <= facts.at:
            text = f"Certyfikat KSeF „{name}” stracił ważność {local_time(expires):%d.%m.%Y}."
            yield ActiveAlert(AlertCode.CERTIFICATE_EXPIRED, text, Severity.CRITICAL, name)
        elif expires - facts.at <= timedelta(days=policy.certificate_days):
            text = f"Certyfikat KSeF „{name}” traci ważność {local_time(expires):%d.%m.%Y}."
            if failed := facts.failed_renewals.get(name):
                text += f" Odnowienie nie udało się {local_time(failed[0]):%d.%m.%Y %H:%M}: {failed[1]}"
            yield ActiveAlert(AlertCode.CERTIFICATE_EXPIRES, text, Severity.WARNING, name)
    for name, start in facts.certificate_starts.items():
        if start > facts.at:
            text = f"Certyfikat KSeF „{name}” będzie ważny dopiero od {local_time(start):%d.%m.%Y %H:%M}."
            yield ActiveAlert(AlertCode.CERTIFICATE_NOT_YET_VALID, text, Severity.CRITICAL, name)
    for name, nip in facts.foreign_certificates.items():
        text = f"Certyfikat KSeF „{name}” ma inny podmiot (NIP {nip}) niż sprzedawca w ustawieniach."
        yield ActiveAlert(AlertCode.CERTIFICATE_OF_ANOTHER, text, Severity.WARNING, name)
    for name, problem in facts.certificate_files.items():
        text = f"Pliki certyfikatu KSeF „{name}” nie nadają się do użycia. {problem} Kasa używa starych do restartu."
        yield ActiveAlert(AlertCode.CERTIFICATE_FILES, text, Severity.CRITICAL, name)


def _of_machine(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
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
    if facts.disk_free_mb is not None and facts.disk_free_mb < policy.disk_free_mb:
        text = f"Na dysku zostało {facts.disk_free_mb} MB wolnego miejsca."
        yield ActiveAlert(AlertCode.DISK, text, Severity.CRITICAL)
    if facts.database_problem is not None:
        yield ActiveAlert(AlertCode.DATABASE, facts.database_problem, Severity.CRITICAL)
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


def _of_latarnia(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    since = facts.latarnia_unreachable_since
    if since is not None and facts.at - since >= timedelta(minutes=policy.latarnia_minutes):
        text = f"Latarnia KSeF nie odpowiada od {local_time(since):%d.%m.%Y %H:%M}: komunikaty mogą być nieznane."
        yield ActiveAlert(AlertCode.LATARNIA_UNREACHABLE, text, Severity.WARNING)
    for where, value in facts.latarnia_unknown:
        text = (
            f"Latarnia KSeF podała nieznane słowo ({where}): {value}. Niczego to nie zmienia; trzeba sprawdzić BIP MF."
        )
        yield ActiveAlert(AlertCode.LATARNIA_UNKNOWN, text, Severity.WARNING, f"{where}: {value}")
    if facts.status_unannounced is not None:
        status = facts.status_unannounced
        text = f"Latarnia KSeF podaje status {status} bez obowiązującego komunikatu. Trzeba sprawdzić BIP MF."
        yield ActiveAlert(AlertCode.STATUS_UNANNOUNCED, text, Severity.WARNING)
    for category in facts.status_contradicts:
        text = f"{_CONTRADICTIONS[category]} Trzeba sprawdzić BIP MF."
        yield ActiveAlert(AlertCode.STATUS_CONTRADICTS, text, Severity.WARNING, category.value)
    if facts.falsely_exempt:
        yield _falsely_exempt(facts)
    if facts.total_failure_unconfirmed is not None:
        text = "Ogłoszono awarię całkowitą KSeF. Kierownik musi ją potwierdzić albo odrzucić (zakładka „Kierownik”)."
        yield ActiveAlert(AlertCode.TOTAL_FAILURE_UNCONFIRMED, text, Severity.CRITICAL, facts.total_failure_unconfirmed)


_CONTRADICTIONS = {
    Category.FAILURE: (
        "Komunikat mówi o awarii KSeF, a Latarnia podaje, że KSeF jest dostępny: kasa wystawia online, "
        "a gdy to się nie uda, w trybie offline24."
    ),
    Category.MAINTENANCE: (
        "Komunikat mówi o niedostępności KSeF, a Latarnia podaje, że KSeF jest dostępny: "
        "kasa wystawia w trybie niedostępności."
    ),
    Category.TOTAL_FAILURE: (
        "Obowiązuje potwierdzona awaria całkowita KSeF, a Latarnia podaje, że KSeF jest dostępny: kasa niczego "
        "nie przesyła. Jeśli awaria się skończyła, kierownik powinien ją odwołać."
    ),
}
NAMED = 5
"""Invoices that one message names; the rest are counted."""


def _falsely_exempt(facts: AlertFacts) -> ActiveAlert:
    """What was thought to be art. 106ng was not: the duty to send is back, once a manager says so."""
    numbers = ", ".join(facts.falsely_exempt[:NAMED])
    more = len(facts.falsely_exempt) - NAMED
    listed = f"{numbers} i jeszcze {more}" if more > 0 else numbers
    text = (
        f"Latarnia odwołała awarię całkowitą KSeF, w której wystawiono faktury nieprzesłane do KSeF "
        f"(razem {len(facts.falsely_exempt)}: {listed}). Kierownik powinien sprawdzić BIP MF i, jeśli awarii nie było, "
        "uznać ją za fałszywy alarm: faktury zostaną wtedy przesłane do KSeF."
    )
    if facts.falsely_exempt_archived:
        text += f" Te, które są już w archiwum ({facts.falsely_exempt_archived}), trzeba przesłać z systemu księgowego."
    return ActiveAlert(AlertCode.TOTAL_FAILURE_FALSE, text, Severity.CRITICAL)


def _ordered(items: Iterable[ActiveAlert]) -> tuple[ActiveAlert, ...]:
    return tuple(sorted(items, key=lambda alert: (alert.code, alert.message, alert.subject)))
