"""What a till may hand over: its own seller's invoices, of its own series, with the bytes it names."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

from agent.domain.errors import BadInput, FieldError, NotPermitted
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Mode
from agent.hub.domain.records import Base, Offer, Till
from agent.hub_contract.offers import Claims
from agent.hub_contract.reading import LATEST

MOST_URGENT_SECONDS = 30.0
"""No customer is waited for longer, whatever a till says."""
MOST_BYTES = 1_000_000
"""KSeF takes no larger file."""
MOST_GROUP = 100


def read_offer(till: Till, sha256: bytes, xml: bytes, claims: Claims, now: datetime) -> Offer:
    """Return the invoice, or refuse it.

    BadInput: other bytes than named, not FA(3), a field that is too long, a deadline that no till can mean.
    NotPermitted "other-seller", "other-series": nothing that is not this till's.
    """
    if not hmac.compare_digest(hashlib.sha256(xml).digest(), sha256):
        raise BadInput("Treść faktury nie zgadza się ze skrótem SHA-256 w adresie.", code="hash-differs")
    if len(xml) > MOST_BYTES:
        raise BadInput("Plik faktury jest większy niż 1 MB; KSeF go nie przyjmie.", code="xml-too-large")
    if not 0 < len(claims.group) <= MOST_GROUP:
        error = FieldError("?group", f"Od 1 do {MOST_GROUP} znaków.", "bad-query")
        raise BadInput("Nie podano grupy (group).", code="bad-query", errors=(error,))
    if claims.deadline is not None and claims.deadline > LATEST:
        raise BadInput(
            f"Termin przesłania {claims.deadline.isoformat()} (deadline) jest zbyt odległy. Sprawdź zegar kasy.",
            code="bad-query",
        )
    view = read(xml)
    if view.seller.nip != till.nip:
        raise NotPermitted(
            f"Kasa „{till.name}” należy do sprzedawcy {till.nip}, a fakturę wystawił {view.seller.nip}.",
            code="other-seller",
        )
    if till.series and not any(of_series(view.number, series) for series in till.series):
        raise NotPermitted(
            f"Numer {view.number} nie należy do serii kasy „{till.name}” ({', '.join(till.series)}).",
            code="other-series",
        )
    buyer = view.buyer.as_buyer()
    urgent = min(claims.urgent, MOST_URGENT_SECONDS)
    bases = view.correction.bases if view.correction is not None else ()
    return Offer(
        sha256=sha256,
        xml=xml,
        nip=till.nip,
        kind=view.kind.value,
        number=view.number,
        issued_on=view.issued_on,
        gross=view.gross,
        currency=view.currency,
        buyer_identifier=buyer.identifier,
        buyer_name=buyer.name,
        offline=claims.offline,
        group=claims.group,
        bases=tuple(Base(base.number, base.ksef_number) for base in bases),
        version=claims.version,
        corrects=claims.corrects,
        deadline=claims.deadline,
        urgent_until=now + timedelta(seconds=urgent) if urgent > 0 else None,
        mode=claims.mode if claims.mode in MODES else "",
    )


MODES = frozenset(mode.value for mode in Mode)


def of_series(number: str, series: str) -> bool:
    """Whether the name of a series stands in a number as a whole: FV-1 is not in FV-10/2026/11/000001."""
    return re.search(rf"(?<!\w){re.escape(series)}(?!\w)", number) is not None
