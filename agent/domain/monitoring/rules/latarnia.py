"""Problems with what Latarnia says of KSeF, or does not say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.domain.calendar import local_time
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity
from agent.domain.monitoring.facts import NAMED, AlertFacts
from agent.domain.monitoring.policy import Policy
from agent.domain.outages.latarnia import Category

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


def latarnia_alerts(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    """Yield what holds of the announcements and the status."""
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
