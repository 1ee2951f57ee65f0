"""The closing report of an outage on paper: A4, for the file of whoever answers for the shop's invoices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from agent.domain.amounts import amount
from agent.domain.calendar import clock_text, local_date
from agent.domain.invoice import LEGAL_BASIS, Mode
from agent.domain.records.outage_closing import ClosingReport, OutageSource, UnsettledInvoice
from agent.domain.report import Block, Facts, Heading, Paragraph, Report, Room, Signatures, Table, Together

LISTED = 200
"""Invoices that a table of the report lists; the register has them all."""
_SOURCES = {
    OutageSource.LATARNIA: "komunikat Ministerstwa Finansów odczytany z Latarni KSeF",
    OutageSource.MANAGER: "decyzja kierownika (BIP, środki masowego przekazu albo własny wybór)",
    OutageSource.TILL: "własne ustalenie: stan łącza zapisany przez kasę",
}
_MODES = {
    Mode.ONLINE: "online",
    Mode.OFFLINE24: "offline24",
    Mode.UNAVAILABILITY: "niedostępność KSeF",
    Mode.FAILURE: "awaria KSeF",
    Mode.TOTAL_FAILURE: "awaria całkowita KSeF",
    Mode.OUTSIDE_KSEF: "poza KSeF (osoby prywatne)",
}
_BLANK = "." * 60


def paper_of(report: ClosingReport) -> Report:
    """Return the report on paper, with room for people's conclusions and signatures."""
    return Report(
        title=f"Raport zamknięcia: {report.title}",
        under_title=(
            f"{report.seller}, NIP {report.nip}, kasa {report.till}. "
            f"Sporządzono {clock_text(report.as_of)} z danych kasy."
        ),
        day=local_date(report.as_of),
        blocks=tuple(_blocks(report)),
    )


def _blocks(report: ClosingReport) -> Iterator[Block]:
    counts = report.counts
    yield Heading("1. Przerwa")
    yield Facts(
        (
            ("Początek", clock_text(report.begin)),
            ("Koniec", "trwa" if report.end is None else clock_text(report.end)),
            ("Czas trwania", _length((report.end or report.as_of) - report.begin)),
            ("Kto ją stwierdził", _SOURCES[report.source]),
            ("Podstawa", report.basis),
            *([("Sprawdzono w BIP MF", f"{_BLANK} (data, podpis)")] if report.source is not OutageSource.TILL else []),
        )
    )
    yield Heading("2. Faktury")
    modes = [(f"– {_MODES[mode]} ({LEGAL_BASIS[mode]})", str(count)) for mode, count in report.by_mode.items()]
    yield Facts(
        (
            ("Wystawione w czasie przerwy", str(counts.issued)),
            *modes,
            ("W KSeF, z numerem", str(counts.in_ksef)),
            ("Czekają na KSeF", str(counts.waiting)),
            ("Odrzucone przez KSeF", str(counts.rejected)),
            ("Nie podlegają przesłaniu", str(counts.exempt)),
            ("Czekały już przed przerwą", str(counts.waited_from_before)),
            ("Po terminie (łącznie)", str(counts.late)),
        )
    )
    if report.values:
        yield Heading("3. Wartość faktur wystawionych w czasie przerwy")
        money = [
            (each.currency, str(each.invoices), amount(each.net), amount(each.tax), amount(each.gross))
            for each in report.values
        ]
        yield Table(
            ("Waluta", "Faktur", "Netto", "VAT", "Brutto"), tuple(money), (2, 2, 3, 3, 3), frozenset({1, 2, 3, 4})
        )
    yield Heading("4. Po terminie i dlaczego")
    yield from _listed(report.late, "Żadna faktura nie dotarła do KSeF po terminie.", late=True)
    yield Heading("5. Przed terminem, jeszcze bez numeru KSeF")
    yield from _listed(report.without_number, "Nie ma takich faktur.", late=False)
    yield Heading("6. Wnioski")
    for sentence in report.conclusions:
        yield Paragraph(sentence, item=True)
    names = ("sporządził(a): imię i nazwisko, data, podpis", "zatwierdził(a): imię i nazwisko, data, podpis")
    yield Together((Paragraph("Wnioski osób odpowiedzialnych i działania naprawcze:"), Room(4), Signatures(names)))


def _listed(found: Sequence[UnsettledInvoice], nothing: str, *, late: bool) -> Iterator[Block]:
    if not found:
        yield Paragraph(nothing)
        return
    table = [
        (each.number, _day(each.issued_on), _day(each.deadline), _reached(each), each.why) for each in found[:LISTED]
    ]
    header = ("Numer", "Wystawiona", "Termin", "W KSeF (dni po terminie)" if late else "W KSeF", "Przyczyna, stan")
    yield Table(header, tuple(table), (5, 3, 3, 3.4, 8))
    if len(found) > LISTED:
        yield Paragraph(f"Pokazano {LISTED} z {len(found)}; pozostałe są w rejestrze faktur.")


def _reached(invoice: UnsettledInvoice) -> str:
    day = "brak" if invoice.reached_on is None else _day(invoice.reached_on)
    return f"{day} (+{invoice.days_late})" if invoice.days_late else day


def _day(day: date | None) -> str:
    return "nie biegnie" if day is None else f"{day:%d.%m.%Y}"


def _length(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    parts = [f"{days} d" if days else "", f"{hours} godz." if hours else "", f"{left} min"]
    return " ".join(part for part in parts if part)
