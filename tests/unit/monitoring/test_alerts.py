"""Which problems hold, and that each is told once when it starts and once when it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from agent.domain.calendar import BusinessCalendar
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity, diff
from agent.domain.monitoring.alerts import alerts
from agent.domain.monitoring.facts import AlertFacts, InvoiceFacts, Others
from agent.domain.monitoring.opening_hours import opening_time_left
from agent.domain.monitoring.policy import Policy
from tests.fakes.clock import at

CALENDAR = BusinessCalendar()
POLICY = Policy()
NOW = at("2026-11-24 12:00")  # Tuesday
INVOICE = InvoiceFacts("a1", "FV-1/2026/11/000001", InvoiceState.ISSUED, date(2026, 11, 25), NOW)


def codes(facts: AlertFacts, policy: Policy = POLICY) -> list[str]:
    return sorted(alert.code for alert in alerts(facts, policy, CALENDAR))


def of(now: datetime = NOW, **changes: object) -> list[str]:
    return codes(AlertFacts(now, invoices=(replace(INVOICE, **changes),)))  # type: ignore[arg-type]


def test_nothing_known_nothing_wrong() -> None:
    assert codes(AlertFacts(NOW)) == []
    assert of() == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-25 16:59", []),
        ("2026-11-25 17:00", ["deadline-near"]),
        ("2026-11-25 23:59", ["deadline-near"]),
        ("2026-11-26 00:00", ["overdue"]),
    ],
)
def test_deadline_near_four_opening_hours_before(now: str, expected: list[str]) -> None:
    assert of(at(now)) == expected


@pytest.mark.parametrize(
    ("now", "last_day", "hours"),
    [
        ("2026-11-25 12:00", "2026-11-25", 9),
        ("2026-11-25 07:00", "2026-11-25", 13),
        ("2026-11-25 22:00", "2026-11-25", 0),
        ("2026-11-24 20:00", "2026-11-25", 14),
        ("2026-11-26 09:00", "2026-11-25", 0),
        ("2026-11-27 20:00", "2026-11-30", 1 + 13 + 13 + 13),
    ],
)
def test_opening_time(now: str, last_day: str, hours: int) -> None:
    left = opening_time_left(at(now), date.fromisoformat(last_day), POLICY, CALENDAR)
    assert left == timedelta(hours=hours)


def test_opening_time_of_a_shop_that_rests_at_weekends() -> None:
    policy = Policy(business_days_only=True)
    assert opening_time_left(at("2026-11-27 20:00"), date(2026, 11, 30), policy, CALENDAR) == timedelta(hours=1 + 13)


def test_opening_time_past_midnight_and_round_the_clock() -> None:
    late = Policy(opens=time(18), closes=time(2))
    assert opening_time_left(at("2026-11-25 01:00"), date(2026, 11, 25), late, CALENDAR) == timedelta(hours=1 + 6)
    always = Policy(opens=time(0), closes=time(0))
    assert opening_time_left(at("2026-11-25 06:00"), date(2026, 11, 25), always, CALENDAR) == timedelta(hours=18)


@pytest.mark.parametrize(
    ("now", "closures", "expected"),
    [
        ("2026-11-25 13:59", [("2026-11-25 18:00", "2026-11-26 00:00")], []),
        ("2026-11-25 14:00", [("2026-11-25 18:00", "2026-11-26 00:00")], ["deadline-near"]),
        ("2026-11-25 12:59", [("2026-11-25 17:00", "2026-11-25 18:00"), ("2026-11-25 18:00", "2026-11-26 06:00")], []),
        ("2026-11-25 13:00", [("2026-11-25 17:00", "2026-11-25 19:00"), ("2026-11-25 18:00", None)], ["deadline-near"]),
        ("2026-11-25 15:59", [("2026-11-25 18:00", "2026-11-25 19:00")], []),
        ("2026-11-25 16:00", [("2026-11-25 18:00", "2026-11-25 19:00")], ["deadline-near"]),
        ("2026-11-25 16:59", [("2026-11-26 18:00", None), ("2026-11-24 18:00", "2026-11-25 06:00")], []),
        ("2026-11-24 20:00", [("2026-11-25 06:00", "2026-11-26 00:00")], ["deadline-near"]),
    ],
)
def test_announced_maintenance_takes_its_hours_from_the_deadline(
    now: str, closures: list[tuple[str, str | None]], expected: list[str]
) -> None:
    """Example 20 of docs/law.md: the date stands, so what is left ends when the maintenance begins."""
    windows = tuple((at(begin), None if end is None else at(end)) for begin, end in closures)
    facts = AlertFacts(at(now), invoices=(INVOICE,), maintenance=windows)
    assert codes(facts) == expected
    if expected:
        (alert,) = alerts(facts, POLICY, CALENDAR)
        assert ("niedostępność" in alert.message) == any(begin > at(now) for begin, _ in windows)


def test_without_a_date_nothing_is_near() -> None:
    assert of(at("2026-12-25 12:00"), deadline=None) == []


@pytest.mark.parametrize("state", [InvoiceState.ACCEPTED, InvoiceState.EXEMPT])
def test_a_finished_invoice_never_alarms(state: InvoiceState) -> None:
    assert of(at("2026-12-25 12:00"), state=state, collision=True) == []


def test_rejected_and_collision() -> None:
    assert of(state=InvoiceState.REJECTED, rejection="450 błąd semantyczny") == ["rejected"]
    assert of(state=InvoiceState.REJECTED, collision=True) == ["series-collision"]


@pytest.mark.parametrize(("minutes", "expected"), [(29, []), (30, ["in-doubt"]), (500, ["in-doubt"])])
def test_in_doubt_for_long(minutes: int, expected: list[str]) -> None:
    assert of(state=InvoiceState.IN_DOUBT, state_since=NOW - timedelta(minutes=minutes)) == expected


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        (None, ["certificate-missing"]),
        (NOW - timedelta(seconds=1), ["certificate-expired"]),
        (NOW + timedelta(days=30), ["certificate-expires"]),
        (NOW + timedelta(days=30, seconds=1), []),
    ],
)
def test_certificates(expires: datetime | None, expected: list[str]) -> None:
    assert codes(AlertFacts(NOW, certificates={"offline": expires})) == expected


def test_a_certificate_that_expires_says_why_it_was_not_renewed() -> None:
    ends = {"offline": NOW + timedelta(days=9)}
    failed = {"offline": (NOW, "Limit wniosków o certyfikat jest wyczerpany.")}
    (alert,) = alerts(AlertFacts(NOW, certificates=ends, failed_renewals=failed), POLICY, CALENDAR)
    assert alert.message.endswith("Limit wniosków o certyfikat jest wyczerpany.")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (AlertFacts(NOW, certificate_starts={"offline": NOW}), []),
        (AlertFacts(NOW, certificate_starts={"offline": NOW + timedelta(seconds=1)}), ["certificate-not-yet-valid"]),
        (AlertFacts(NOW, foreign_certificates={"authentication": "1111111111"}), ["certificate-of-another"]),
        (AlertFacts(NOW, certificate_files={"offline": "Klucz nie pasuje."}), ["certificate-files"]),
        (AlertFacts(NOW, clock_skew_seconds=59.9), []),
        (AlertFacts(NOW, clock_skew_seconds=-60), ["clock-skew"]),
        (AlertFacts(NOW, disk_free_mb=200), []),
        (AlertFacts(NOW, disk_free_mb=199), ["disk"]),
        (AlertFacts(NOW, disk_free_files=100), []),
        (AlertFacts(NOW, disk_free_files=99), ["disk"]),
        (AlertFacts(NOW, disk_free_mb=199, disk_free_files=99, disk_refused=True), ["disk", "disk", "disk"]),
        (AlertFacts(NOW, printers={"paragon": None}), []),
        (AlertFacts(NOW, printers={"paragon": "Brak papieru.", "zaplecze": None}), ["printer"]),
        (AlertFacts(NOW, latarnia_unreachable_since=NOW - timedelta(minutes=29)), []),
        (AlertFacts(NOW, latarnia_unreachable_since=NOW - timedelta(minutes=30)), ["latarnia-unreachable"]),
        (AlertFacts(NOW, latarnia_unknown=(("status", "METEOR"),)), ["latarnia-unknown"]),
        (AlertFacts(NOW, status_unannounced="FAILURE"), ["status-unannounced"]),
        (AlertFacts(NOW, total_failure_unconfirmed="3"), ["total-failure-unconfirmed"]),
    ],
)
def test_machine_and_latarnia(facts: AlertFacts, expected: list[str]) -> None:
    assert codes(facts) == expected


def test_each_alert_starts_once_and_ends_once() -> None:
    def look(minutes: int) -> frozenset[ActiveAlert]:
        doubtful = replace(INVOICE, state=InvoiceState.IN_DOUBT, state_since=NOW)
        return alerts(AlertFacts(NOW + timedelta(minutes=minutes), invoices=(doubtful,)), POLICY, CALENDAR)

    first = diff([], look(31))
    assert [(alert.code, alert.subject) for alert in first.started] == [(AlertCode.IN_DOUBT, "a1")]
    again = diff(look(31), look(32))  # the minutes in the message changed, the alert did not
    assert (again.started, again.ended) == ((), ())
    over = diff(look(32), [])
    assert [alert.code for alert in over.ended] == [AlertCode.IN_DOUBT]


def test_two_of_a_kind_are_two() -> None:
    facts = AlertFacts(NOW, printers={"paragon": "Brak papieru.", "zaplecze": "Otwarta pokrywa."})
    assert len(alerts(facts, POLICY, CALENDAR)) == 2


def test_messages_are_polish_sentences() -> None:
    late = AlertFacts(at("2026-11-26 08:00"), invoices=(INVOICE,))
    (alert,) = alerts(late, POLICY, CALENDAR)
    assert alert.severity is Severity.CRITICAL
    assert alert.message == (
        "Faktura FV-1/2026/11/000001: termin przesłania do KSeF minął 25.11.2026. Trzeba ją przesłać niezwłocznie."
    )


def test_those_that_are_not_named_are_counted_by_deadline() -> None:
    days = {date(2026, 11, 23): 2, date(2026, 11, 24): 9_900, date(2026, 12, 4): 7}
    facts = AlertFacts(at("2026-11-24 18:00"), (INVOICE,), others=Others(deadlines=days, rejected=3, in_doubt=5))
    found = alerts(facts, POLICY, CALENDAR)
    assert {(alert.code, alert.message) for alert in found} == {
        (AlertCode.OVERDUE, "Dalsze faktury, których termin przesłania do KSeF minął 23.11.2026: 2."),
        (AlertCode.DEADLINE_NEAR, "Dalsze faktury, których termin przesłania do KSeF upływa 24.11.2026: 9900."),
        (AlertCode.REJECTED, "Dalsze faktury odrzucone przez KSeF: 3."),
    }
    doubt = replace(INVOICE, state=InvoiceState.IN_DOUBT, state_since=at("2026-11-24 12:00"))
    assert AlertCode.IN_DOUBT in {
        alert.code for alert in alerts(replace(facts, invoices=(doubt,)), POLICY, CALENDAR) if alert.subject == "others"
    }


def test_nobody_counts_the_opening_time_up_to_a_day_that_lies_ages_off() -> None:
    """Three million days at once would stop a till, or the hub of all tills."""
    for far in (date(2028, 1, 1), date.max):
        assert opening_time_left(at("2026-11-25 12:00"), far, POLICY, CALENDAR) == timedelta.max
    year = opening_time_left(at("2026-11-25 12:00"), date(2027, 11, 26), POLICY, CALENDAR)
    assert year == timedelta(hours=9 + 366 * 13)
