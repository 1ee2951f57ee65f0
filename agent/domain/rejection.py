"""What becomes of an invoice that KSeF refused: technical correction, the same bytes again, or nothing.

A technical correction (docs/law.md, section 4) goes in an interactive session with offlineMode and
hashOfCorrectedInvoice = SHA-256 of the refused file, once; its bytes are made by fa3/technical_correction.py.
"""

from __future__ import annotations

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState

PERMISSION_CODES = frozenset({410, 415})
"""Refusals for missing rights or features: new bytes can not mend them."""
NUMBER_TAKEN = 440
"""By another document: the agent adopts the number of its own bytes."""
MISSING_RIGHTS = "KSeF odrzucił fakturę z powodu uprawnień. Nadaj je w KSeF i prześlij ponownie ten sam plik (resend)."
BEYOND_NEW_BYTES = dict.fromkeys(PERMISSION_CODES, MISSING_RIGHTS) | {
    NUMBER_TAKEN: (
        "Numer tej faktury zajmuje w KSeF inny dokument, więc KSeF odrzuci ją znowu. "
        "Wystaw sprzedaż ponownie: dostanie nowy numer."
    )
}
"""Refusals that no technical correction can mend, and what can."""
TAKEN_OTHERWISE, NOT_CORRECTABLE = 21166, 21167
CLOSED = "Sprawa tej faktury została zamknięta: sprzedaż ma inny dokument."
NO_CORRECTION = {
    TAKEN_OTHERWISE: "KSeF przyjął już inną korektę techniczną tej faktury. Sprawdź w KSeF, pod jakim numerem.",
    NOT_CORRECTABLE: (
        "KSeF nie dopuszcza korekty technicznej tej faktury: przyjął jej pierwszy plik albo odrzucił go z powodu, "
        "którego taka korekta nie usuwa. Sprawdź fakturę w KSeF."
    ),
}
"""Codes with which KSeF refuses to take a technical correction, for good: what a manager should know."""


def refusal(record: InvoiceRecord) -> str | None:
    """Return why a technical correction is not allowed, as a Polish sentence; None where it is."""
    if record.state is not InvoiceState.REJECTED:
        return "Korektę techniczną można przesłać tylko do faktury odrzuconej przez KSeF."
    if record.closed_at is not None:
        return CLOSED
    if record.mode is Mode.ONLINE:
        return "Korekta techniczna dotyczy tylko faktur wystawionych w trybie offline. Wystaw nową fakturę."
    if record.version > 1:
        return "Korekta techniczna tej faktury była już przesłana. Drugiej KSeF nie przyjmie."
    return BEYOND_NEW_BYTES.get(rejection_code(record))


def resend_refusal(record: InvoiceRecord) -> str | None:
    """Return why the same bytes may not go again, None where they may: after a refusal for missing permissions."""
    if record.state is not InvoiceState.REJECTED:
        return "Ponownie przesłać można tylko fakturę odrzuconą przez KSeF."
    if record.closed_at is not None:
        return CLOSED
    if rejection_code(record) not in PERMISSION_CODES:
        return "KSeF odrzuciłby ten sam plik znowu: ponownie przesyła się tylko po odrzuceniu z powodu uprawnień."
    return None


def abandoned(record: InvoiceRecord) -> bool:
    """Whether KSeF refused the invoice and nothing can bring it there any more: for the books it never was.

    A refusal for missing permissions can be mended by granting them, and after 21166 or 21167 KSeF has the
    document as another file, so these do not count unless a manager closed the case.
    """
    if record.state is not InvoiceState.REJECTED:
        return False
    if record.closed_at is not None:
        return True
    return refusal(record) is not None and rejection_code(record) not in PERMISSION_CODES | NO_CORRECTION.keys()


def rejection_code(record: InvoiceRecord) -> int:
    """Return KSeF's status code at the front of the stored rejection, 0 where there is none."""
    head = (record.rejection or "").partition(":")[0]
    return int(head) if head.isdigit() else 0
