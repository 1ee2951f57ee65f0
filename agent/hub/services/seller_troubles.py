"""What is wrong between the hub and KSeF for one NIP; codes as on the till where the till has the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.domain.calendar import local_time
from agent.domain.monitoring.alert import AlertCode
from agent.domain.monitoring.facts import first_named
from agent.hub.domain.certificates import FEW_CERTIFICATES, FEW_REQUESTS, CertificateCount
from agent.hub.domain.fleet import Grade, Trouble
from agent.hub.services.overview import SellerState


def troubles_of(seller: SellerState) -> Iterator[Trouble]:
    """Yield the problems of one seller, each as a Polish sentence that names it."""
    name = f"{seller.name} (NIP {seller.nip})"
    if seller.leader is None and (seller.tills or seller.open):
        yield Trouble("no-courier", Grade.WARNING, f"{name}: żaden proces centrali nie wysyła teraz do KSeF.")
    elif seller.ksef == "down":
        text = f"{name}: KSeF nie odpowiada centrali albo nie przyjmuje jej poświadczeń."
        if seller.failing_since is None and seller.failing:
            text = f"{name}: proces centrali nie może wysyłać do KSeF. {seller.failing}"
        yield Trouble("ksef-down", Grade.WARNING, text)
    if seller.failing_since is not None:
        text = (
            f"{name}: od {_minute(seller.failing_since)} KSeF odpowiada, ale centrali nie udaje się zalogować, "
            f"otworzyć sesji albo wysłać faktury. {seller.failing}"
        )
        yield Trouble(AlertCode.SIGN_IN_FAILING, Grade.CRITICAL, text)
    if seller.batches_failing_since is not None:
        text = (
            f"{name}: od {_minute(seller.batches_failing_since)} nie udaje się wysłać do KSeF paczki faktur: czekające "
            f"idą pojedynczo, od najpilniejszej. {seller.batches_failing}"
        )
        yield Trouble(AlertCode.BATCHES_FAILING, Grade.WARNING, text)
    if seller.upo_late:
        text = (
            f"{name}: KSeF przyjął ponad dobę temu, a nie dał właściwego UPO: {first_named(seller.upo_late)}. Faktury "
            "są w KSeF, centrala pyta dalej; jeśli to trwa, trzeba zgłosić to do KSeF."
        )
        yield Trouble(AlertCode.UPO_MISSING, Grade.WARNING, text)
    yield from _of_certificates(name, seller.certificates)


def _minute(instant: str) -> str:
    return f"{local_time(datetime.fromisoformat(instant)):%d.%m.%Y %H:%M}"


def _of_certificates(name: str, count: CertificateCount) -> Iterator[Trouble]:
    if count.trouble is not None:
        yield Trouble("certificates", Grade.WARNING, f"{name}: certyfikaty KSeF: {count.trouble}")
    left, requests = count.certificates_left, count.requests_left
    if left is not None and left < FEW_CERTIFICATES:
        text = f"{name}: w KSeF zostało certyfikatów {left} ze 100; unieważnij niepotrzebne."
        yield Trouble("certificates-few", Grade.WARNING, text)
    if requests is not None and requests < FEW_REQUESTS:
        text = f"{name}: w KSeF zostało wniosków o certyfikat {requests} z 300."
        yield Trouble("certificate-requests-few", Grade.WARNING, text)
