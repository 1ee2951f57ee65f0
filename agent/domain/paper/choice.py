"""The matrix: which paper a customer gets (docs/law.md, section 2). A total function of a few plain facts."""

from __future__ import annotations

from enum import StrEnum

from agent.domain.fa3.view.document import Kind
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.values import dataclass


class Document(StrEnum):
    """What kind of paper it is (``paper.document`` of the API)."""

    INVOICE = "invoice"
    CONFIRMATION = "transaction_confirmation"
    """Potwierdzenie transakcji: not an invoice (POD2 1.6.6)."""


NO_CERTIFICATE = "no-offline-certificate"
"""PaperChoice.problem: the paper goes out without KOD II, and somebody has to be told."""

INVOICE_WORDS: dict[Kind, str] = {
    Kind.VAT: "Faktura VAT",
    Kind.KOR: "Faktura korygująca",
    Kind.ZAL: "Faktura zaliczkowa",
    Kind.ROZ: "Faktura rozliczeniowa",
    Kind.UPR: "Faktura uproszczona",
    Kind.KOR_ZAL: "Faktura korygująca fakturę zaliczkową",
    Kind.KOR_ROZ: "Faktura korygująca fakturę rozliczeniową",
}
"""The words before the number in the label; for a sale exactly those of docs/law.md, section 2."""

MODE_WORDS: dict[Mode, str] = {
    Mode.ONLINE: "wystawiona w trybie online (art. 106gb)",
    Mode.OFFLINE24: "wystawiona w trybie offline24 (art. 106nda)",
    Mode.UNAVAILABILITY: "wystawiona w trybie offline – niedostępność KSeF (art. 106nh)",
    Mode.FAILURE: "wystawiona w trybie offline – awaria KSeF (art. 106nf)",
    Mode.TOTAL_FAILURE: "wystawiona w trybie awarii całkowitej KSeF (art. 106ng)",
    Mode.OUTSIDE_KSEF: "wystawiona poza KSeF (art. 106ga ust. 2 pkt 4)",
}

CAPTION_OFFLINE = "OFFLINE"
CAPTION_CERTIFICATE = "CERTYFIKAT"
CODE_WORDS = {
    CAPTION_OFFLINE: "OFFLINE: sprawdź fakturę w KSeF",
    CAPTION_CERTIFICATE: "CERTYFIKAT: zweryfikuj wystawcę faktury",
}
"""What each code is for; beside the captions, which are the Ministry's (KD kody-qr.md)."""

AWAITS_NUMBER = "Faktura nr {number} jest przekazywana do KSeF i oczekuje na numer KSeF."
NO_INVOICE_YET = "To nie jest faktura. Sprzedawca wyda ją, gdy KSeF nada jej numer."
"""To whom the invoice itself is handed over (art. 106gb ust. 4)."""
IN_KSEF = "Fakturę otrzymają Państwo w KSeF."
CERTIFICATE_MISSING = "Na tym wydruku brak kodu potwierdzającego tożsamość wystawcy."


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """What the matrix depends on, at the moment of printing.

    ``mode`` ONLINE without a ``ksef_number`` means that KSeF has, or may have, the file as an online one; what surely
    did not leave in time is OFFLINE24 before anything is printed.
    """

    mode: Mode
    buyer: BuyerKind
    number: str
    """P_2."""
    kind: str = "VAT"
    """RodzajFaktury."""
    ksef_number: str | None = None
    offline_domestic: str = Document.CONFIRMATION.value
    """Setting ``paper.offline_domestic``: "transaction_confirmation" or "invoice"."""
    certificate_link: bool = True
    """KOD II is there."""
    supplied_abroad: bool = False
    """np I or np II: such a buyer is one of art. 106gb ust. 4 whatever his number."""


@dataclass(frozen=True, slots=True)
class PaperChoice:
    """One cell of the matrix."""

    document: Document
    label: str
    """Stands on the paper, word for word."""
    caption_invoice: str | None
    """Under KOD I; None: no code."""
    caption_certificate: str | None
    """Under KOD II; None: no code."""
    mode_note: str | None = None
    """Under the label of a potwierdzenie: how its invoice was issued."""
    notice: str | None = None
    """A sentence for the customer."""
    promise: str | None = None
    """On a potwierdzenie: where its invoice is received, for a buyer who receives it in KSeF."""
    problem: str | None = None
    """Stable code for an alert."""


def choose(facts: PaperFacts) -> PaperChoice:
    """Return the paper for these facts. Total: every combination has an answer."""
    number_known = facts.ksef_number is not None
    if number_known:
        return PaperChoice(
            document=Document.INVOICE,
            label=invoice_label(facts.kind, facts.number, facts.mode),
            caption_invoice=facts.ksef_number,
            caption_certificate=None,
        )
    if facts.mode in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF}:
        return PaperChoice(
            document=Document.INVOICE,
            label=invoice_label(facts.kind, facts.number, facts.mode),
            caption_invoice=None,
            caption_certificate=None,
        )
    if _gets_confirmation(facts):
        return _confirmation(facts)
    return PaperChoice(
        document=Document.INVOICE,
        label=invoice_label(facts.kind, facts.number, facts.mode),
        caption_invoice=CAPTION_OFFLINE,
        caption_certificate=CAPTION_CERTIFICATE,
    )


def invoice_label(kind: str, number: str, mode: Mode) -> str:
    """Return the label of an invoice: its kind, number and mode."""
    return f"{INVOICE_WORDS[Kind(kind)]} nr {number} {MODE_WORDS[mode]}"


def names_other_way(label: str, mode: Mode) -> bool:
    """Whether a paper with this label says online where the mode is an offline one, or the other way round."""
    said = next((each for each, words in MODE_WORDS.items() if label.endswith(words)), mode)
    return (said is Mode.ONLINE) != (mode is Mode.ONLINE)


def _gets_confirmation(facts: PaperFacts) -> bool:
    """Whether the invoice itself has to wait for its number.

    Without KOD II it may not be handed over (art. 106nda ust. 6), nor as an offline one where KSeF may have it as
    online. A domestic buyer with NIP receives it in KSeF only (art. 106nda ust. 3), but for a failure (106nf).
    """
    if facts.mode is Mode.ONLINE or not facts.certificate_link:
        return True
    if not _receives_in_ksef(facts):
        return False
    return facts.offline_domestic != Document.INVOICE.value


def _receives_in_ksef(facts: PaperFacts) -> bool:
    return facts.buyer is BuyerKind.NIP and not facts.supplied_abroad and facts.mode is not Mode.FAILURE


def _confirmation(facts: PaperFacts) -> PaperChoice:
    if facts.mode is Mode.ONLINE:
        # Whether it was issued online is known only with the number (UPO): sent past midnight it is offline24.
        mode_note = AWAITS_NUMBER.format(number=facts.number)
    else:
        mode_note = invoice_label(facts.kind, facts.number, facts.mode)
    received_in_ksef = _receives_in_ksef(facts)
    notices = (
        None if received_in_ksef else NO_INVOICE_YET,
        None if facts.certificate_link else CERTIFICATE_MISSING,
    )
    return PaperChoice(
        document=Document.CONFIRMATION,
        label=f"Potwierdzenie transakcji nr {facts.number}",
        caption_invoice=CAPTION_OFFLINE,
        caption_certificate=CAPTION_CERTIFICATE if facts.certificate_link else None,
        mode_note=mode_note,
        notice=" ".join(notice for notice in notices if notice is not None) or None,
        promise=IN_KSEF if received_in_ksef else None,
        problem=None if facts.certificate_link else NO_CERTIFICATE,
    )
