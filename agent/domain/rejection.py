"""What becomes of an invoice that KSeF refused: technical correction, the same bytes again, or nothing.

A technical correction (docs/law.md, section 4) goes in an interactive session with offlineMode and
hashOfCorrectedInvoice = SHA-256 of the refused file, once; its bytes are made by fa3/technical_correction.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from agent.domain.errors import Conflict
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord, InvoiceSummary, Mode
from agent.domain.lifecycle import UNSENT, InvoiceState

PERMISSION_CODES = frozenset({410, 415})
"""Refusals for missing rights or features: new bytes cannot mend them."""
NUMBER_TAKEN = 440
"""By another document: the agent adopts the number of its own bytes."""
MISSING_RIGHTS = "KSeF odrzucił fakturę z powodu uprawnień. Nadaj je w KSeF i prześlij ponownie ten sam plik (resend)."
UNCORRECTABLE = dict.fromkeys(PERMISSION_CODES, MISSING_RIGHTS) | {
    NUMBER_TAKEN: (
        "Numer tej faktury zajmuje w KSeF inny dokument, więc KSeF odrzuci ją znowu. "
        "Wystaw sprzedaż ponownie: dostanie nowy numer."
    )
}
"""Refusals that no technical correction can mend, and what can."""
NOT_TAKEN = frozenset({EventKind.NOT_IN_BATCH, EventKind.REJECTED, EventKind.COLLISION})
"""Events by which KSeF said that an attempt left nothing behind. A cancelled one may have: a hub that lost its memory
calls so what it does not know."""
SURELY_NOT_LEFT = frozenset({"not_sent", "answered"})
"""Outcomes of a failed send after which KSeF has nothing of it."""

OTHER_CORRECTION_ACCEPTED, NOT_CORRECTABLE = 21166, 21167
CLOSED = "Sprawa tej faktury została zamknięta: sprzedaż ma inny dokument."
NO_CORRECTION = {
    OTHER_CORRECTION_ACCEPTED: (
        "KSeF przyjął już inną korektę techniczną tej faktury. Sprawdź w KSeF, pod jakim numerem."
    ),
    NOT_CORRECTABLE: (
        "KSeF nie dopuszcza korekty technicznej tej faktury: przyjął jej pierwszy plik albo odrzucił go z powodu, "
        "którego taka korekta nie usuwa. Sprawdź fakturę w KSeF."
    ),
}
"""Codes with which KSeF refuses to take a technical correction, for good: what a manager should know."""


class Refusable(Protocol):
    """What KSeF may have said no to."""

    @property
    def state(self) -> InvoiceState: ...

    @property
    def rejection_code(self) -> int:
        """KSeF's status code, 0 where there is none."""
        ...


def refusal(record: InvoiceSummary) -> str | None:
    """Return why a technical correction is not allowed, as a Polish sentence; None where it is."""
    if record.state is not InvoiceState.REJECTED:
        return "Korektę techniczną można przesłać tylko do faktury odrzuconej przez KSeF."
    if record.closed_at is not None:
        return CLOSED
    if record.mode is Mode.ONLINE:
        return "Korekta techniczna dotyczy tylko faktur wystawionych w trybie offline. Wystaw nową fakturę."
    if record.version > 1:
        return "Korekta techniczna tej faktury była już przesłana. Drugiej KSeF nie przyjmie."
    return UNCORRECTABLE.get(record.rejection_code)


def resend_refusal(record: InvoiceSummary) -> str | None:
    """Return why the same bytes may not go again, None where they may: after a refusal for missing permissions."""
    if record.state is not InvoiceState.REJECTED:
        return "Ponownie przesłać można tylko fakturę odrzuconą przez KSeF."
    if record.closed_at is not None:
        return CLOSED
    if record.rejection_code not in PERMISSION_CODES:
        return "KSeF odrzuciłby ten sam plik znowu: ponownie przesyła się tylko po odrzuceniu z powodu uprawnień."
    return None


def abandoned(record: InvoiceSummary) -> bool:
    """Whether KSeF refused the invoice and nothing can bring it there any more: for the books it never was.

    A refusal for missing permissions can be mended by granting them, and after 21166 or 21167 KSeF has the
    document as another file, so these do not count unless a manager closed the case.
    """
    if record.state is not InvoiceState.REJECTED:
        return False
    if record.closed_at is not None:
        return True
    return refusal(record) is not None and record.rejection_code not in PERMISSION_CODES | NO_CORRECTION.keys()


def number_taken(invoice: Refusable) -> bool:
    """Whether KSeF has the number from another document, or may have (440 at a first attempt): nothing may be printed.

    Also of what was handed out before KSeF said so: no further paper may call it an invoice.
    """
    return invoice.state in UNSENT and invoice.rejection_code == NUMBER_TAKEN


def paper_refusal(record: InvoiceRecord) -> Conflict | None:
    """Return why an invoice may not be handed out, None where it may: number_taken, or a manager closed its case."""
    if record.state is InvoiceState.REJECTED and record.closed_at is not None:
        return Conflict(f"{CLOSED} Tej nie wydaje się już klientowi.")
    if not number_taken(record):
        return None
    return Conflict(
        f"W KSeF jest już inny dokument o numerze {record.number} albo nie wiadomo, czy to ten: nie wolno go wydać. "
        "Zawołaj kierownika.",
        code="number-taken-in-ksef",
    )


def sent_before(log: Iterable[tuple[str, Mapping[str, object]]]) -> bool:
    """Whether an attempt before the newest one may have brought the bytes to KSeF.

    ``log``: kind and data of the invoice's events, oldest first. Then KSeF may know the number from this very invoice;
    else a 440 can only be about another document.
    """
    open_attempts = 0
    for kind, data in log:
        if kind == EventKind.SENDING:
            open_attempts += 1
        elif kind in NOT_TAKEN or (
            kind == EventKind.SEND_FAILED and data.get("call") != "session" and data.get("outcome") in SURELY_NOT_LEFT
        ):
            open_attempts = max(0, open_attempts - 1)
    return open_attempts > 1
