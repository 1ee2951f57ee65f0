"""Problems of the certificates of KSeF."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.domain.calendar import local_time
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity
from agent.domain.monitoring.facts import AlertFacts
from agent.domain.monitoring.policy import Policy


def certificate_alerts(facts: AlertFacts, policy: Policy) -> Iterator[ActiveAlert]:
    """Yield what holds of the certificates."""
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
