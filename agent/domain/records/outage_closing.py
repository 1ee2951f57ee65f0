"""The closing report of an outage: what it stands on, what was issued in it, what is late and why, what follows.

For the file of whoever answers for the shop's invoices; outage_closing_paper.py puts it on paper. It holds what the
till knows as of one instant; conclusions of people and signatures are left room for. The law asks for no such paper
(offline24 needs no proof, art. 106nda); it is what an explanation of a late invoice stands on (art. 106ni).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from agent.domain.calendar import local_date
from agent.domain.invoice import InvoiceSummary, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.evidence_files import OUTAGE_KINDS, OutageReport
from agent.domain.records.outage_reports import within
from agent.domain.records.register import Marker, RegisterRow, rows
from agent.domain.values import dataclass


class OutageSource(StrEnum):
    """Who says that there was an outage."""

    LATARNIA = "latarnia"
    """A communiqué of the Ministry, read from Latarnia."""
    MANAGER = "manager"
    """A manager's word: BIP, mass media, or the shop's own choice of offline24."""
    TILL = "till"
    """The till's own observation of its line."""


@dataclass(frozen=True, slots=True)
class OutageValue:
    """Sums of the invoices of one currency."""

    currency: str
    invoices: int
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class OutageCounts:
    """How many invoices; ``issued`` is the sum of the five that follow."""

    issued: int
    """Issued in the outage."""
    in_ksef: int
    waiting: int
    """To be sent, or sent and not decided."""
    rejected: int
    exempt: int
    """Never to be sent (art. 106ng, 106ga)."""
    late: int
    """Reached KSeF after their deadline, or have not and it has passed; also of those that waited from before."""
    waited_from_before: int
    """Issued earlier and not in KSeF when it began."""


@dataclass(frozen=True, slots=True)
class UnsettledInvoice:
    """An invoice that is late, or that KSeF has given no number to."""

    number: str
    issued_on: date
    mode: Mode
    deadline: date | None
    reached_on: date | None
    """Polish civil day of sending; null: KSeF does not have it."""
    days_late: int
    state: str
    why: str
    """Polish."""


@dataclass(frozen=True, slots=True)
class ClosingReport:
    """One outage, as it stands at ``as_of``."""

    id: str
    kind: str
    title: str
    """Polish, with the article."""
    begin: datetime
    end: datetime | None
    source: OutageSource
    basis: str
    """Polish: communiqués, or who declared it and why."""
    as_of: datetime
    seller: str
    nip: str
    till: str
    counts: OutageCounts
    by_mode: Mapping[Mode, int]
    values: tuple[OutageValue, ...]
    next_deadline: date | None
    """Nearest deadline of what waits."""
    late: tuple[UnsettledInvoice, ...]
    without_number: tuple[UnsettledInvoice, ...]
    """Not late, and not in KSeF yet."""
    conclusions: tuple[str, ...]
    """Polish."""


def touches(record: InvoiceSummary, outage: OutageReport) -> bool:
    """Tell whether a closing report tells of an invoice: issued in the outage, or waiting when it began."""
    return within(record.issued_at, outage) or _waited(record, outage)


def closing_report(
    outage: OutageReport,
    records: Sequence[InvoiceSummary],
    failures: Mapping[str, str],
    *,
    seller: str,
    nip: str,
    till: str,
    as_of: datetime,
) -> ClosingReport:
    """Return the report.

    ``records``: those that touches() names; ``failures``: by id what the last failed send said.
    """
    by_id = {record.id: record for record in records}
    register = rows(by_id.values(), as_of=local_date(as_of))
    inside = [row for row in register if within(by_id[row.id].issued_at, outage)]
    before = [row for row in register if not within(by_id[row.id].issued_at, outage)]
    told = {row.id: _unsettled(row, by_id[row.id], failures.get(row.id), outage) for row in register}
    late = tuple(told[row.id] for row in register if row.days_late)
    open_rows = [row for row in register if not row.days_late and _state(row) in {_WAITING, _REJECTED}]
    counts = OutageCounts(
        issued=len(inside),
        in_ksef=sum(_state(row) == _IN_KSEF for row in inside),
        waiting=sum(_state(row) == _WAITING for row in inside),
        rejected=sum(_state(row) == _REJECTED for row in inside),
        exempt=sum(_state(row) == _EXEMPT for row in inside),
        late=len(late),
        waited_from_before=len(before),
    )
    report = ClosingReport(
        id=outage.name,
        kind=outage.kind,
        title=OUTAGE_KINDS.get(outage.kind, outage.kind),
        begin=outage.begin,
        end=outage.end,
        source=_source(outage),
        basis=outage.basis,
        as_of=as_of,
        seller=seller,
        nip=nip,
        till=till,
        counts=counts,
        by_mode={mode: count for mode in Mode if (count := sum(row.mode is mode for row in inside))},
        values=_values(inside),
        next_deadline=min((row.deadline for row in open_rows if row.deadline is not None), default=None),
        late=late,
        without_number=tuple(told[row.id] for row in open_rows),
        conclusions=(),
    )
    days_late = max((row.days_late for row in register), default=0)
    return replace(report, conclusions=tuple(_conclusions(report, days_late, {row.marker for row in inside})))


_IN_KSEF, _WAITING, _REJECTED, _EXEMPT = "in_ksef", "waiting", "rejected", "exempt"


def _state(row: RegisterRow) -> str:
    if row.ksef_number is not None:
        return _IN_KSEF
    if row.state == InvoiceState.EXEMPT:
        return _EXEMPT
    return _REJECTED if row.state == InvoiceState.REJECTED else _WAITING


def _waited(record: InvoiceSummary, outage: OutageReport) -> bool:
    if record.issued_at >= outage.begin or record.state is InvoiceState.EXEMPT:
        return False
    reached = record.sent_at or record.accepted_at
    return reached is None or reached > outage.begin


def _source(outage: OutageReport) -> OutageSource:
    if outage.kind == "lacze":
        return OutageSource.TILL
    announced = outage.kind != "offline24" and outage.basis.startswith("komunikat")
    return OutageSource.LATARNIA if announced else OutageSource.MANAGER


def _values(register: Sequence[RegisterRow]) -> tuple[OutageValue, ...]:
    found: dict[str, list[RegisterRow]] = defaultdict(list)
    for row in register:
        found[row.currency].append(row)
    return tuple(
        OutageValue(
            currency,
            len(each),
            sum((row.net for row in each), Decimal(0)),
            sum((row.tax for row in each), Decimal(0)),
            sum((row.gross for row in each), Decimal(0)),
        )
        for currency, each in sorted(found.items())
    )


def _unsettled(row: RegisterRow, record: InvoiceSummary, failure: str | None, outage: OutageReport) -> UnsettledInvoice:
    reached = (record.sent_at or record.accepted_at) if row.ksef_number is not None else None
    return UnsettledInvoice(
        number=row.number,
        issued_on=row.issued_on,
        mode=row.mode,
        deadline=row.deadline,
        reached_on=None if reached is None else local_date(reached),
        days_late=row.days_late,
        state=row.state,
        why=_why(record, failure, outage),
    )


def _why(record: InvoiceSummary, failure: str | None, outage: OutageReport) -> str:
    tried = f"ostatnia nieudana próba: {failure}" if failure else _without_failure(record, outage)
    match record.state:
        case InvoiceState.REJECTED:
            return f"odrzucona przez KSeF: {record.rejection or 'bez podania przyczyny'}"
        case InvoiceState.IN_DOUBT:
            return f"nie wiadomo, czy KSeF ją przyjął; {tried}"
        case InvoiceState.SENT:
            return "przesłana, KSeF nie nadał jeszcze numeru"
        case InvoiceState.ACCEPTED:
            return f"przesłana; {tried}"
        case _:
            return f"nieprzesłana; {tried}"


def _without_failure(record: InvoiceSummary, outage: OutageReport) -> str:
    """While the line is known to be down, or sending is stopped, nothing is tried."""
    over = None if outage.end is None else local_date(outage.end)
    if record.deadline is not None and (over is None or over > record.deadline):
        return "w czasie przerwy nie próbowano"
    return "nie zapisano nieudanej próby"


def _conclusions(report: ClosingReport, days_late: int, marks: Collection[Marker]) -> Iterator[str]:
    """``marks``: those of the JPK of what was issued in the outage."""
    counts = report.counts
    if report.end is None:
        yield "Przerwa trwa. Raport pokazuje stan z chwili sporządzenia; po jej zakończeniu sporządź go ponownie."
    if report.source is OutageSource.LATARNIA:
        yield "Komunikaty odczytano z Latarni KSeF. Porównaj je z BIP Ministerstwa Finansów i dołącz wydruk."
    if not counts.issued and not counts.waited_from_before:
        yield "Żadnej faktury ta przerwa nie dotyczy."
        return
    settled = counts.in_ksef + counts.exempt == counts.issued and not report.without_number
    if settled and not counts.late:
        yield "Wszystkie faktury, które miały trafić do KSeF, dotarły tam w terminie."
    if report.without_number:
        due = f"; najbliższy termin: {report.next_deadline:%d.%m.%Y}" if report.next_deadline else ""
        yield f"Jeszcze bez numeru KSeF, przed terminem: {len(report.without_number)}{due}."
    if counts.late:
        yield (
            f"Po terminie: {counts.late}, najwięcej o dni: {days_late}. Przyczyny podano wyżej; "
            "skutki ustal z księgowością (art. 106ni ustawy o VAT)."
        )
    if counts.rejected:
        yield f"Odrzucone przez KSeF: {counts.rejected}. Sprawę każdej z nich zamyka kierownik."
    if counts.exempt:
        own_mark = "; w JPK_V7M oznaczenie BFK" if Marker.BFK in marks else ""
        yield f"Nie podlegają przesłaniu: {counts.exempt}. Przechowuje je sprzedawca{own_mark}."
    if Marker.OFF in marks:
        yield "Faktury wystawione w awarii (art. 106nf) i jeszcze bez numeru mają w JPK_V7M oznaczenie OFF."
