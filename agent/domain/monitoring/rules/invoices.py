"""Problems of invoices: deadlines, what KSeF said or did not say, papers that say otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import cache

from agent.domain.calendar import BusinessCalendar, local_date, local_time
from agent.domain.lifecycle import UNSENT, InvoiceState
from agent.domain.monitoring.alert import OTHERS, ActiveAlert, AlertCode, Severity
from agent.domain.monitoring.facts import AlertFacts, InvoiceFacts, first_named
from agent.domain.monitoring.opening_hours import pressing
from agent.domain.monitoring.policy import Policy


def invoice_alerts(facts: AlertFacts, policy: Policy, calendar: BusinessCalendar) -> Iterator[ActiveAlert]:
    """Yield what holds of invoices, of corrections that wait, and of papers."""

    @cache
    def near(deadline: date) -> bool:  # ten thousand invoices of an outage share a few deadlines
        return bool(pressing([deadline], facts.at, policy, calendar, facts.maintenance))

    doubt_named = False
    for invoice in facts.invoices:
        if invoice.state in UNSENT:
            for alert in _of_state(invoice, facts.at, policy):
                doubt_named |= alert.code is AlertCode.IN_DOUBT
                yield alert
            yield from _of_deadline(invoice, facts, near)
    yield from _of_others(facts, near, doubt_named=doubt_named)
    for held_id, number, problem in facts.refused_corrections:
        text = f"Korekty faktury {number} nie można wystawić. {problem} Decyduje kierownik (zakładka „Kolejka”)."
        yield ActiveAlert(AlertCode.CORRECTION_REFUSED, text, Severity.CRITICAL, held_id)
    if facts.corrections_outside:
        named = first_named(facts.corrections_outside)
        text = (
            f"Korekty {named} wystawiła poza KSeF, w awarii całkowitej, starsza wersja programu. Poprawiają faktury, "
            "które są w KSeF, więc tam jest ich miejsce (art. 106j ust. 4), a kasa ich nie prześle. "
            "Przekaż je księgowości: plik FA(3) jest przy każdej z nich."
        )
        yield ActiveAlert(AlertCode.CORRECTION_OUTSIDE, text, Severity.WARNING)
    for invoice_id, number, online in facts.contradicted_papers:
        text = (
            f"Faktura {number}: KSeF zapisał ją jako przesłaną {'online' if online else 'offline'}, a na wydanym "
            "papierze jest inaczej. Księgi podają tryb z KSeF. Wydrukuj ją ponownie i wymień klientowi papier."
        )
        yield ActiveAlert(AlertCode.PAPER_CONTRADICTS, text, Severity.WARNING, invoice_id)
    if facts.without_upo:
        text = (
            f"KSeF przyjął ponad dobę temu, a nie dał właściwego UPO: {first_named(facts.without_upo)}. Faktury są "
            "w KSeF, kasa pyta dalej; jeśli to trwa, trzeba zgłosić to do KSeF."
        )
        yield ActiveAlert(AlertCode.UPO_MISSING, text, Severity.WARNING)


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


def _of_others(facts: AlertFacts, near: Callable[[date], bool], *, doubt_named: bool) -> Iterator[ActiveAlert]:
    """One alert for all that share a deadline or a fate, beside those that are named."""
    others = facts.others
    if others.rejected > 0:
        text = f"Dalsze faktury odrzucone przez KSeF: {others.rejected}."
        yield ActiveAlert(AlertCode.REJECTED, text, Severity.CRITICAL, OTHERS)
    if others.in_doubt > 0 and doubt_named:
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
