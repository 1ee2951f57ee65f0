"""Which paper a customer gets, and what stands on it (DESIGN.md section 5; DOMAIN 2).

``choose`` is the matrix: a total function of a few plain facts. ``compose`` turns the stored FA(3) bytes, as a
FaView, into a printable Receipt; paper_parties, paper_lines and paper_invoice hold its parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from agent.domain import paper_invoice as parts
from agent.domain.fa3_view_types import FaView, Kind, PartyView
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.paper_lines import lines, rate_table
from agent.domain.paper_parties import party, seller_head, third_parties
from agent.domain.paper_words import amount
from agent.domain.receipt import Align, Element, Pair, Qr, Receipt, Rule, Text


class Document(StrEnum):
    """What kind of paper it is (``paper.document`` of the API)."""

    INVOICE = "invoice"
    CONFIRMATION = "transaction_confirmation"
    """Potwierdzenie transakcji: not an invoice (DOMAIN 2.4)."""


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
"""The words before the number in the label; for a sale exactly those of DESIGN.md section 5."""

MODE_WORDS: dict[Mode, str] = {
    Mode.ONLINE: "wystawiona w trybie online (art. 106gb)",
    Mode.OFFLINE24: "wystawiona w trybie offline24 (art. 106nda)",
    Mode.UNAVAILABILITY: "wystawiona w trybie offline – niedostępność KSeF (art. 106nh)",
    Mode.FAILURE: "wystawiona w trybie offline – awaria KSeF (art. 106nf)",
    Mode.TOTAL_FAILURE: "wystawiona w trybie awarii całkowitej KSeF (art. 106ng)",
}

CAPTION_OFFLINE = "OFFLINE"
CAPTION_CERTIFICATE = "CERTYFIKAT"
CAPTION_CHECK_INVOICE = "Sprawdź fakturę w KSeF"
CAPTION_CHECK_ISSUER = "Zweryfikuj wystawcę faktury"

AWAITS_NUMBER = "Faktura nr {number} została przekazana do KSeF i oczekuje na numer KSeF."
CERTIFICATE_MISSING = (
    "Na tym wydruku brak kodu potwierdzającego tożsamość wystawcy. "
    "Po nadaniu numeru KSeF sprzedawca wyda na życzenie nowy wydruk."
)


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """What the matrix depends on, at the moment of printing.

    ``mode`` ONLINE without a ``ksef_number`` means that KSeF took the bytes (202) and has not decided; an invoice
    that may not have left the till is OFFLINE24 before anything is printed.
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


@dataclass(frozen=True, slots=True)
class PaperChoice:
    """One cell of the matrix."""

    document: Document
    label: str
    """Stands on the paper, word for word."""
    mode: Mode
    """The mode as which the paper was issued. OFFLINE24 where the facts said ONLINE: record it as a fact."""
    caption_invoice: str | None
    """Under KOD I; None: no code."""
    caption_certificate: str | None
    """Under KOD II; None: no code."""
    mode_note: str | None = None
    """Under the label of a potwierdzenie: how its invoice was issued."""
    notice: str | None = None
    """A sentence for the customer."""
    problem: str | None = None
    """Stable code for an alert."""


def choose(facts: PaperFacts) -> PaperChoice:
    """Return the paper for these facts. Total: every combination has an answer."""
    number_known = facts.ksef_number is not None
    if number_known:
        return PaperChoice(
            document=Document.INVOICE,
            label=invoice_label(facts.kind, facts.number, facts.mode),
            mode=facts.mode,
            caption_invoice=facts.ksef_number,
            caption_certificate=None,
        )
    if facts.mode is Mode.TOTAL_FAILURE:
        return PaperChoice(
            document=Document.INVOICE,
            label=invoice_label(facts.kind, facts.number, facts.mode),
            mode=facts.mode,
            caption_invoice=None,
            caption_certificate=None,
        )
    if _gets_confirmation(facts):
        return _confirmation(facts)
    return _offline_invoice(facts)


def invoice_label(kind: str, number: str, mode: Mode) -> str:
    """Return the label of an invoice: its kind, number and mode."""
    return f"{INVOICE_WORDS[Kind(kind)]} nr {number} {MODE_WORDS[mode]}"


def _gets_confirmation(facts: PaperFacts) -> bool:
    """A domestic buyer with NIP receives an invoice without number in KSeF only (DOMAIN 2.1).

    Not in a failure (106nf): there the invoice itself is handed over.
    """
    if facts.buyer is not BuyerKind.NIP or facts.mode is Mode.FAILURE:
        return False
    return facts.mode is Mode.ONLINE or facts.offline_domestic != Document.INVOICE.value


def _confirmation(facts: PaperFacts) -> PaperChoice:
    if facts.mode is Mode.ONLINE:
        # Whether it was issued online is known only with the number: past midnight it is offline24 (106nda ust. 16).
        mode_note = AWAITS_NUMBER.format(number=facts.number)
    else:
        mode_note = invoice_label(facts.kind, facts.number, facts.mode)
    return PaperChoice(
        document=Document.CONFIRMATION,
        label=f"Potwierdzenie transakcji nr {facts.number}",
        mode=facts.mode,
        caption_invoice=CAPTION_CHECK_INVOICE,
        caption_certificate=CAPTION_CHECK_ISSUER if facts.certificate_link else None,
        mode_note=mode_note,
        notice=None if facts.certificate_link else CERTIFICATE_MISSING,
        problem=None if facts.certificate_link else NO_CERTIFICATE,
    )


def _offline_invoice(facts: PaperFacts) -> PaperChoice:
    mode = Mode.OFFLINE24 if facts.mode is Mode.ONLINE else facts.mode
    return PaperChoice(
        document=Document.INVOICE,
        label=invoice_label(facts.kind, facts.number, mode),
        mode=mode,
        caption_invoice=CAPTION_OFFLINE,
        caption_certificate=CAPTION_CERTIFICATE if facts.certificate_link else None,
        notice=None if facts.certificate_link else CERTIFICATE_MISSING,
        problem=None if facts.certificate_link else NO_CERTIFICATE,
    )


def compose(
    view: FaView,
    choice: PaperChoice,
    *,
    link_invoice: str,
    link_certificate: str | None = None,
    copy: int = 1,
    footer: tuple[str, ...] = (),
    open_drawer: bool = False,
) -> Receipt:
    """Compose the paper. ``copy`` counts from 1; every further one is marked and never opens the drawer.

    link_invoice      KOD I, printed where the choice has a caption for it
    link_certificate  KOD II, likewise; ValueError where the choice wants it and it is None
    footer            setting ``paper.footer``
    """
    sections: list[list[Element]] = [
        seller_head(view.seller),
        _title(choice, copy),
        *(_confirmation_sections(view) if choice.document is Document.CONFIRMATION else _invoice_sections(view)),
        [Text(line, Align.CENTER) for line in footer],
        _codes(choice, link_invoice, link_certificate),
    ]
    return Receipt(title=choice.label, elements=_ruled(sections), open_drawer=open_drawer and copy == 1)


def _title(choice: PaperChoice, copy: int) -> list[Element]:
    elements: list[Element] = [Text(choice.label, Align.CENTER, bold=True)]
    if choice.mode_note is not None:
        elements.append(Text(choice.mode_note, Align.CENTER))
    elements += copy_mark(copy)
    if choice.notice is not None:
        elements.append(Text(choice.notice))
    return elements


def copy_mark(copy: int) -> list[Element]:
    """Return the mark of every print after the first. "Duplikat" has a meaning of its own (art. 106l)."""
    return [Text(f"WYDRUK PONOWNY nr {copy}", Align.CENTER, bold=True)] if copy > 1 else []


def _invoice_sections(view: FaView) -> list[list[Element]]:
    return [
        parts.dates(view),
        parts.correction(view.correction) if view.correction is not None else [],
        party("Nabywca", view.buyer) + third_parties(view),
        parts.advances(view),
        lines(view),
        rate_table(view),
        parts.totals(view) + parts.payment(view.payment),
        parts.legal_words(view),
        parts.notes(view) + parts.terms(view),
        parts.attachment(view.attachment),
        parts.closing(view),
    ]


def _confirmation_sections(view: FaView) -> list[list[Element]]:
    """No lines, no VAT; number, buyer and total are the access data of MF's page (DOMAIN 2.4)."""
    return [
        party("Nabywca", view.buyer),
        [
            Text(f"Numer faktury: {view.number}"),
            Pair("Data wystawienia", view.issued_on.isoformat()),
            Pair("Kwota należności ogółem", f"{amount(view.gross)} {view.currency}", bold=True),
        ],
        [Text("To potwierdzenie nie jest fakturą. Fakturę otrzymają Państwo w KSeF.")],
    ]


def _codes(choice: PaperChoice, link_invoice: str, link_certificate: str | None) -> list[Element]:
    elements: list[Element] = []
    if choice.caption_invoice is not None:
        elements.append(Qr(link_invoice, choice.caption_invoice))
    if choice.caption_certificate is not None:
        if link_certificate is None:
            raise ValueError("the choice wants KOD II, but there is no link: choose() was told of one")
        elements.append(Qr(link_certificate, choice.caption_certificate))
    return elements


def _ruled(sections: Iterable[list[Element]]) -> tuple[Element, ...]:
    """Join the sections that are not empty by rules."""
    elements: list[Element] = []
    for section in sections:
        if section and elements:
            elements.append(Rule())
        elements += section
    return tuple(elements)


@dataclass(frozen=True, slots=True)
class HeldCorrection:
    """A correction that waits for the KSeF number of its base; it has no FA(3) yet, since that has to name it."""

    seller: PartyView
    buyer: PartyView
    base_number: str
    base_issued_on: date
    accepted_on: date
    """The day on which the shop took the return."""
    reason: str
    difference: Decimal
    """Of P_15, negative for a return."""
    currency: str = "PLN"


def compose_held_correction(held: HeldCorrection, *, copy: int = 1, footer: tuple[str, ...] = ()) -> Receipt:
    """Compose the slip that tells the customer that a correction is queued. It is not an invoice: no codes."""
    title = f"Przyjęto korektę do faktury nr {held.base_number}"
    sections: list[list[Element]] = [
        seller_head(held.seller),
        [Text(title, Align.CENTER, bold=True), *copy_mark(copy)],
        party("Nabywca", held.buyer),
        [
            Pair("Data przyjęcia", held.accepted_on.isoformat()),
            Pair("Faktura z dnia", held.base_issued_on.isoformat()),
            Text(f"Przyczyna: {held.reason}"),
            Pair("Kwota korekty", f"{amount(held.difference)} {held.currency}", bold=True),
        ],
        [
            Text(
                "To nie jest faktura. Fakturę korygującą wystawimy, gdy korygowana faktura otrzyma numer KSeF; "
                "nie trzeba w tym celu przychodzić ponownie."
            )
        ],
        [Text(line, Align.CENTER) for line in footer],
    ]
    return Receipt(title=title, elements=_ruled(sections))
