"""The slips: invoice, potwierdzenie transakcji, held correction (docs/law.md, section 2; docs/printing.md, section 5).

``compose`` turns the stored FA(3) bytes, as a FaView, into a printable Receipt; paper_parties, paper_lines and
paper_invoice hold its parts, paper_choice the matrix that says which paper it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.fa3.view.document import FaView, Heading
from agent.domain.fa3.view.parties import PartyView
from agent.domain.invoice import Deposit
from agent.domain.paper import sections as parts
from agent.domain.paper.choice import (
    CODE_WORDS,
    NO_CERTIFICATE,
    Document,
    PaperChoice,
    PaperFacts,
    choose,
    invoice_label,
)
from agent.domain.paper.lines import lines, rate_table
from agent.domain.paper.parties import party, seller_head, third_parties
from agent.domain.paper.receipt import Align, Blank, Element, Pair, Qr, Receipt, Rule, Text
from agent.domain.values import dataclass

__all__ = [
    "NO_CERTIFICATE",
    "Document",
    "PaperChoice",
    "PaperFacts",
    "PendingSlip",
    "choose",
    "compose",
    "compose_pending_slip",
    "invoice_label",
]


def compose(
    view: Heading,
    choice: PaperChoice,
    *,
    link_invoice: str,
    link_certificate: str | None = None,
    copy: int = 1,
    reissued_on: date | None = None,
    footer: tuple[str, ...] = (),
    open_drawer: bool = False,
) -> Receipt:
    """Compose the paper. ``copy`` counts from 1; every further one is marked and never opens the drawer.

    view              a whole FaView, but for a potwierdzenie
    link_invoice      KOD I, printed where the choice has a caption for it
    link_certificate  KOD II, likewise; ValueError where the choice wants it and it is None
    reissued_on       the day, where an invoice of a total failure is issued again (art. 106l ust. 3)
    footer            setting ``paper.footer``
    """
    sections: list[list[Element]] = [
        copy_mark(copy) + ([] if reissued_on is None else parts.reissue(reissued_on)),
        seller_head(view.seller),
        title(choice.label, view.number),
        *(_confirmation(view, choice) if choice.document is Document.CONFIRMATION else _invoice(view, choice)),
        [Text(line, Align.CENTER) for line in footer],
        [*code_words(choice), *codes(choice, link_invoice, link_certificate)],
    ]
    return Receipt(title=choice.label, elements=_ruled(sections), open_drawer=open_drawer and copy == 1)


def title(label: str, number: str) -> list[Element]:
    """The label word for word, its number in the largest letters that the paper has room for."""
    words, _, manner = label.partition(f" nr {number}")
    elements: list[Element] = [
        Text(f"{words} nr", Align.CENTER, bold=True),
        Text(number, Align.CENTER, bold=True, large=True, tall=True, unbroken=True),
    ]
    if manner:
        elements += [Blank(), Text(manner.strip(), Align.CENTER)]
    return elements


def under_title(choice: PaperChoice) -> list[Element]:
    """How the invoice of a potwierdzenie was issued, and what the customer must know."""
    elements: list[Element] = []
    if choice.mode_note is not None:
        elements.append(Text(choice.mode_note, Align.CENTER))
    if choice.notice is not None:
        elements.append(Text(choice.notice))
    return elements


def copy_mark(copy: int) -> list[Element]:
    """Return the mark of every print after the first. "Duplikat" has a meaning of its own (art. 106l)."""
    return [Text(f"WYDRUK PONOWNY nr {copy}", Align.CENTER, bold=True)] if copy > 1 else []


def _confirmation(view: Heading, choice: PaperChoice) -> list[list[Element]]:
    return [under_title(choice), *confirmation(view, choice)]


def _invoice(view: Heading, choice: PaperChoice) -> list[list[Element]]:
    if not isinstance(view, FaView):
        raise TypeError("an invoice on paper shows more than its heading")
    return [
        under_title(choice) + parts.dates(view),
        parts.correction(view.correction) if view.correction is not None else [],
        party("Nabywca", view.buyer),
        *third_parties(view),
        parts.advances(view),
        lines(view),
        rate_table(view),
        parts.totals(view) + parts.payment(view),
        parts.legal_words(view) + parts.notes(view),
        parts.terms(view),
        parts.attachment(view.attachment),
        parts.closing(view),
    ]


MOST_NAMED = 20
"""Further invoices that the slip of a collective correction names."""
NO_INVOICE = "To potwierdzenie nie jest fakturą."


def confirmation(view: Heading, choice: PaperChoice) -> list[list[Element]]:
    """No lines, no VAT; number, buyer and total are the access data of the Ministry's page (POD2 5.5).

    An invoice in KSeF is promised only to whom the choice promises it (art. 106gb ust. 4).
    """
    total = "Kwota korekty" if view.kind.corrects else "Kwota należności ogółem"
    return [
        party("Nabywca", view.buyer),
        [
            Pair("Numer faktury", view.number),
            Pair("Data wystawienia", view.issued_on.isoformat()),
            Pair(total, f"{amount(view.gross)} {view.currency}", bold=True, large=True),
            *_with_deposits(view),
        ],
        [Text(" ".join(sentence for sentence in (NO_INVOICE, choice.promise) if sentence is not None))],
    ]


def _with_deposits(view: Heading) -> list[Pair]:
    """What changes hands where it is not the total: in normal letters, since the Ministry's page asks for the total."""
    what = view.settlement
    sums = () if what is None else ((parts.TO_PAY, what.to_pay), (parts.word_to_settle(view), what.to_settle))
    return [Pair(word, f"{amount(value)} {view.currency}") for word, value in sums if value is not None]


def code_words(choice: PaperChoice) -> list[Text]:
    """Say beside the Ministry's captions what the codes are for."""
    captions = (choice.caption_invoice, choice.caption_certificate)
    words = [CODE_WORDS[caption] for caption in captions if caption in CODE_WORDS]
    return [Text("Kod " + ", ".join(words), Align.CENTER)] if words else []


def codes(choice: PaperChoice, link_invoice: str, link_certificate: str | None) -> list[Qr]:
    """KOD I and KOD II, as the choice wants them."""
    elements: list[Qr] = []
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
class PendingSlip:
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
    deposits: tuple[Deposit, ...] = ()
    """Beside the difference; negative where they go back with the goods."""
    due: Decimal | None = None
    """What changes hands, where deposits or a new invoice make it another amount than the difference."""
    in_ksef: bool = True
    """The buyer gets the correction in KSeF only."""
    in_total_failure: bool = False
    """It waits for the end of a total failure, not for the number of its base."""
    others: tuple[str, ...] = ()
    """Numbers of the further invoices that a collective correction corrects."""


def _settled(held: PendingSlip) -> list[Element]:
    """The deposits, which are no part of the difference (art. 29a ust. 11), and what changes hands in the end."""
    elements: list[Element] = [Pair(each.name, amount(each.amount)) for each in held.deposits]
    if held.due is None or held.due == held.difference:
        return elements
    if not held.due:
        return [*elements, Text("Korektę rozlicza nowa faktura.")]
    word = "Razem do zwrotu" if held.due < 0 else "Razem do dopłaty"
    return [*elements, Pair(word, f"{amount(abs(held.due))} {held.currency}", bold=True)]


def _other_bases(held: PendingSlip) -> list[Text]:
    """A collective correction may name thousands; the document itself will name all."""
    if not held.others:
        return []
    more = len(held.others) - MOST_NAMED
    tail = f" i {more} innych" if more > 0 else ""
    return [Text(f"Korekta dotyczy też faktur: {', '.join(held.others[:MOST_NAMED])}{tail}")]


def compose_pending_slip(held: PendingSlip, *, copy: int = 1, footer: tuple[str, ...] = ()) -> Receipt:
    """Compose the slip that tells the customer that a correction is queued. It is not an invoice: no codes."""
    label = f"Przyjęto korektę do faktury nr {held.base_number}"
    how = "otrzymają ją Państwo w KSeF" if held.in_ksef else "przekażemy ją w uzgodniony sposób"
    when = f"gdy {'korygowane faktury otrzymają numery' if held.others else 'korygowana faktura otrzyma numer'} KSeF"
    if held.in_total_failure:
        when = "gdy skończy się awaria całkowita KSeF"
    sections: list[list[Element]] = [
        copy_mark(copy),
        seller_head(held.seller),
        title(label, held.base_number),
        party("Nabywca", held.buyer),
        [
            Pair("Data przyjęcia", held.accepted_on.isoformat()),
            Pair("Faktura z dnia", held.base_issued_on.isoformat()),
            *_other_bases(held),
            Text(f"Przyczyna: {held.reason}"),
            Pair("Kwota korekty", f"{amount(held.difference)} {held.currency}", bold=True),
            *_settled(held),
        ],
        [
            Text(f"To nie jest faktura. Fakturę korygującą wystawimy, {when}; {how}."),
        ],
        [Text(line, Align.CENTER) for line in footer],
    ]
    return Receipt(title=label, elements=_ruled(sections))
