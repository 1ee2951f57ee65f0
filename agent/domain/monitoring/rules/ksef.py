"""Problems with a KSeF that answers: signing in, sending, batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.domain.calendar import local_time
from agent.domain.lifecycle import UNSENT, InvoiceState
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity
from agent.domain.monitoring.facts import AlertFacts

SIGN_IN_LATE = timedelta(hours=1)
"""So long KSeF may answer and give no session to send in before people hear of it."""
UNREACHABLE_LATE = timedelta(hours=1)
"""So long a line may be down while invoices wait for it before people hear of it: a firewall can last for days."""


def ksef_alerts(facts: AlertFacts) -> Iterator[ActiveAlert]:
    """Yield what keeps invoices from a KSeF that is there."""
    if facts.login_refused is not None:
        yield ActiveAlert(AlertCode.LOGIN_REFUSED, facts.login_refused, Severity.CRITICAL)
    elif facts.sign_in_failing is not None and facts.at - facts.sign_in_failing[1] >= SIGN_IN_LATE:
        problem, since = facts.sign_in_failing
        text = (
            f"Od {local_time(since):%d.%m.%Y %H:%M} KSeF odpowiada, ale nie udaje się zalogować, otworzyć sesji "
            f"albo wysłać faktury. {problem}"
        )
        yield ActiveAlert(AlertCode.SIGN_IN_FAILING, text, Severity.CRITICAL)
    if facts.unreachable is not None and facts.at - facts.unreachable[1] >= UNREACHABLE_LATE and _waiting(facts):
        problem, since = facts.unreachable
        text = (
            f"Od {local_time(since):%d.%m.%Y %H:%M} kasa nie ma łączności z KSeF, a awarii nie ogłoszono. Sprzedaż "
            f"trwa w trybie offline24, faktury czekają na wysłanie. Sprawdź łącze i zaporę sieciową. {problem}"
        )
        yield ActiveAlert(AlertCode.UNREACHABLE, text.strip(), Severity.WARNING)
    if facts.batches_failing is not None:
        problem, since = facts.batches_failing
        text = (
            f"Od {local_time(since):%d.%m.%Y %H:%M} nie udaje się wysłać do KSeF paczki faktur: czekające idą "
            f"pojedynczo, od najpilniejszej. {problem}"
        )
        yield ActiveAlert(AlertCode.BATCHES_FAILING, text, Severity.WARNING)


def _waiting(facts: AlertFacts) -> bool:
    """Tell whether an invoice waits to be sent: nobody is called for the line of a shop that is closed."""
    return bool(facts.others.deadlines) or any(
        each.state in UNSENT and each.state is not InvoiceState.REJECTED for each in facts.invoices
    )
