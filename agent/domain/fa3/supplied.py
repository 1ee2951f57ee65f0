"""Ready FA(3) documents from the shop's own system: checked as strictly as our own, bytes kept to the last one.

First the strict XML rules and the official schema (fa3_schema), then what neither can know: whose invoice it is, when
it was issued, whether it contradicts itself. Pointers are XPaths of local names, as in schema mistakes.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import field
from datetime import date

from agent.domain.buyer_identity import other_number_sentence, same_identity
from agent.domain.characters import first_misleading, is_visible
from agent.domain.errors import BadInput, FieldError
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.contradictions.places import PREDECESSOR
from agent.domain.fa3.elements import RECEIPT_NIP_KEY
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.supplied_parties import buyer_mistakes, seller_mistakes
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.fiscal_receipt import RULE, moves_receipt, receipt_mistake
from agent.domain.invoice import Buyer, CorrectedBase, Totals
from agent.domain.values import dataclass

FA = "/Faktura/Fa"
BUYER = "/Faktura/Podmiot2/DaneIdentyfikacyjne"
RECEIPT_NIP = "?receipt_nip"
"""Pointer of what is said beside the document: a query parameter, as in web/request_query.py."""


@dataclass(frozen=True, slots=True)
class ReadyInvoice:
    """A ready document that may be issued as it is. ``bases`` is empty unless it corrects something."""

    xml: bytes = field(repr=False)
    view: FaView = field(repr=False)
    number: str
    kind: str
    issued_on: date
    buyer: Buyer
    totals: Totals
    bases: tuple[CorrectedBase, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptClaim:
    """What whoever hands a document in says of its fiscal receipt: FA(3) has no place of its own for it.

    ``nip`` is the buyer's number on the receipt, as typed; None where nothing was said beside the document. The
    document itself may say it as DodatkowyOpis (RECEIPT_NIP_KEY).
    """

    nip: str | None = None


def check_ready(
    xml: bytes, *, schema: Fa3Schema, seller_nip: str, today: date, receipt: ReceiptClaim | None = None
) -> ReadyInvoice:
    """Return what the document says, or raise BadInput with a plain Polish sentence for every mistake found.

    today    the Polish civil date of the press. A P_1 of any age before it is taken: the shop's system may have
             handed that invoice over already, and late in KSeF is better than never.
    receipt  what is known of its receipt; None where that was judged before (a technical correction)
    """
    schema.check(xml)
    view = read(xml)
    errors = (
        *_characters(xml),
        *_number(view),
        *seller_mistakes(view, seller_nip),
        *(() if view.kind.corrects else buyer_mistakes(view, seller_nip)),  # a correction: with its bases
        *_dates(view, today),
        *_correction(view, seller_nip),
        *_other_buyers(view),
        *(() if receipt is None else _receipt(view, receipt)),
        *contradictions(view),
    )
    if errors:
        code = errors[0].code if len(errors) == 1 else "ready-invoice"
        raise BadInput(errors[0].message, code=code, errors=errors)
    return ReadyInvoice(
        xml=xml,
        view=view,
        number=view.number,
        kind=view.kind.value,
        issued_on=view.issued_on,
        buyer=view.buyer.as_buyer(),
        totals=view.totals,
        bases=view.correction.bases if view.correction is not None else (),
    )


def _receipt(view: FaView, receipt: ReceiptClaim) -> Iterator[FieldError]:
    """Only an invoice needs the number; a correction stays with the buyer of its base."""
    buyer = view.buyer.as_buyer()
    if not view.to_receipt:
        if receipt.nip is not None:
            sentence = "Podano numer nabywcy z paragonu, a dokument nie jest fakturą do paragonu (FP)."
            yield FieldError(RECEIPT_NIP, sentence, "receipt-missing")
        return
    noted = [(f"{FA}/DodatkowyOpis", note.value) for note in view.notes if note.key == RECEIPT_NIP_KEY]
    said: list[tuple[str, str | None]] = [*noted, *([] if receipt.nip is None else [(RECEIPT_NIP, receipt.nip)])]
    if not said and not view.kind.corrects:
        said = [(RECEIPT_NIP, None)]
    for place, number in said:
        mistake = receipt_mistake(buyer, number)
        if mistake is not None:
            yield FieldError(place, f"Paragon: {mistake.sentence}", mistake.code)


def other_buyer(view: FaView, before: Buyer, *, to_receipt: bool) -> FieldError | None:
    """Return what is wrong with a correction of an invoice to ``before``: it brings another identifier.

    to_receipt  the invoice it corrects is one to a fiscal receipt (FP)
    """
    after = view.buyer.as_buyer()
    if to_receipt and moves_receipt(before, after):
        sentence = f"Korekta {view.number} dotyczy faktury do paragonu, a zmienia numer nabywcy. {RULE}"
        return FieldError(BUYER, sentence, "receipt-nip-differs")
    if same_identity(before, after):
        return None
    return FieldError(BUYER, other_number_sentence(view.number, before, after), "buyer-number-changed")


def _other_buyers(view: FaView) -> Iterator[FieldError]:
    """By the document's own word: Podmiot2K is the buyer of the base; IDNabywcy tells which of several."""
    for before in view.correction.buyers_before if view.correction is not None else ():
        keys = [who.buyer_key for who in view.third_parties]
        if before.buyer_key is not None and before.buyer_key != view.buyer.buyer_key and before.buyer_key in keys:
            continue  # an additional buyer (Podmiot3)
        mistake = other_buyer(view, before.as_buyer(), to_receipt=view.to_receipt)
        if mistake is not None:
            yield mistake
            return


def _number(view: FaView) -> Iterator[FieldError]:
    if not is_visible(view.number):
        yield FieldError(f"{FA}/P_2", "Numer faktury (P_2) nie ma niczego do przeczytania.", "required")


def _characters(xml: bytes) -> Iterator[FieldError]:
    for number, line in enumerate(html.unescape(xml.decode()).splitlines(), start=1):
        misleading = first_misleading(line)
        if misleading is not None:
            sentence = f"Plik zawiera znak {misleading}, który odwraca kierunek pisma (wiersz {number}); usuń go."
            yield FieldError("", sentence, "misleading-character")
            return


def _dates(view: FaView, today: date) -> Iterator[FieldError]:
    if view.issued_on > today:
        yield FieldError(
            f"{FA}/P_1",
            f"Data wystawienia {view.issued_on.isoformat()} jest z przyszłości; KSeF odrzuca takie faktury.",
            "issue-date-future",
        )
    if view.period is not None and view.period[0] > view.period[1]:
        first, last = (day.isoformat() for day in view.period)
        yield FieldError(
            f"{FA}/OkresFa/P_6_Do", f"Okres faktury kończy się {last}, a zaczyna {first}.", "period-contradicts"
        )
    yield from _paid_ahead(view, today)


def _paid_ahead(view: FaView, today: date) -> Iterator[FieldError]:
    """Money is called paid only where it was received (Zaplacono, ZaplataCzesciowa)."""
    if view.payment is None:
        return
    parts = (
        (f"ZaplataCzesciowa[{place}]/DataZaplatyCzesciowej", part.paid_on)
        for place, part in enumerate(view.payment.partials, 1)
    )
    for place, day in (("DataZaplaty", view.payment.paid_on), *parts):
        if day is not None and day > today:
            sentence = f"Faktura podaje zapłatę z {day.isoformat()}, a dziś jest {today.isoformat()}."
            yield FieldError(f"{FA}/Platnosc/{place}", sentence, "paid-in-future")


def _correction(view: FaView, seller_nip: str) -> Iterator[FieldError]:
    correction = view.correction
    if view.kind.corrects and (correction is None or not correction.bases):
        yield FieldError(
            f"{FA}/DaneFaKorygowanej", f"Faktura {view.kind} nie wskazuje faktury, którą koryguje.", "base-missing"
        )
    if correction is None:
        return
    if not view.kind.corrects:
        yield FieldError(
            f"{FA}/RodzajFaktury",
            f"Faktura ma rodzaj {view.kind}, a zawiera dane faktury korygowanej.",
            "kind-contradicts",
        )
    for place, base in enumerate(correction.bases, start=1):
        if not is_visible(base.number):
            yield FieldError(
                f"{FA}/DaneFaKorygowanej[{place}]/NrFaKorygowanej", "Faktura korygowana nie ma numeru.", "required"
            )
        if base.issued_on > view.issued_on:
            yield FieldError(
                f"{FA}/DaneFaKorygowanej[{place}]/DataWystFaKorygowanej",
                f"Korekta z {view.issued_on.isoformat()} jest starsza niż faktura korygowana {base.number} "
                f"({base.issued_on.isoformat()}).",
                "base-later",
            )
    if any(party.role == PREDECESSOR for party in view.third_parties) or correction.seller_before is not None:
        return
    for place, base in enumerate(correction.bases, start=1):
        if base.ksef_number is not None and not base.ksef_number.startswith(f"{seller_nip}-"):
            yield FieldError(
                f"{FA}/DaneFaKorygowanej[{place}]/NrKSeFFaKorygowanej",
                f"Faktura korygowana {base.number} ma numer KSeF innego sprzedawcy: {base.ksef_number}.",
                "base-of-another-seller",
            )
