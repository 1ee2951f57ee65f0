"""Which problems people must hear of: a pure policy over facts."""

from __future__ import annotations

from agent.domain.calendar import BusinessCalendar
from agent.domain.monitoring.alert import ActiveAlert
from agent.domain.monitoring.facts import AlertFacts
from agent.domain.monitoring.policy import Policy
from agent.domain.monitoring.rules.certificates import certificate_alerts
from agent.domain.monitoring.rules.invoices import invoice_alerts
from agent.domain.monitoring.rules.ksef import ksef_alerts
from agent.domain.monitoring.rules.latarnia import latarnia_alerts
from agent.domain.monitoring.rules.machine import machine_alerts


def alerts(facts: AlertFacts, policy: Policy, calendar: BusinessCalendar) -> frozenset[ActiveAlert]:
    """Return every problem that holds at ``facts.at``."""
    return frozenset(
        (
            *invoice_alerts(facts, policy, calendar),
            *certificate_alerts(facts, policy),
            *ksef_alerts(facts),
            *machine_alerts(facts, policy),
            *latarnia_alerts(facts, policy),
        )
    )
