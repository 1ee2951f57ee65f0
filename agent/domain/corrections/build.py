"""FA(3) from a correction: deterministic, as that of a sale."""

from __future__ import annotations

from datetime import datetime

from agent.domain.corrections.correction import Correction
from agent.domain.fa3.build import issue_date
from agent.domain.fa3.elements import (
    add_annotations,
    add_buyer,
    add_deposits,
    add_header,
    add_identity,
    add_line,
    add_notes,
    add_payments,
    add_seller,
    add_totals,
    receipt_notes,
)
from agent.domain.fa3.writing import Element, add, section, to_bytes
from agent.domain.invoice import CorrectedBase, Seller, VatRate


def build_correction(
    correction: Correction, seller: Seller, *, number: str, issued_at: datetime, system_info: str
) -> bytes:
    """Return the FA(3) file of a correction (RodzajFaktury KOR), amounts as differences (art. 106j ust. 2 pkt 5).

    TypKorekty is left out: it is optional, and in which period a reduction counts is not certain before KSeF has the
    file (art. 29a ust. 13: of issue; 13b, 13c: of sending, where it becomes an offline one).

    Every base has to have its KSeF number or to stand outside KSeF: ValueError while one is awaited, because the file
    carries that number and would have to change later (correction.with_ksef_numbers() fills it in).
    """
    if correction.awaiting:
        raise ValueError(f"bases still without KSeF number: {', '.join(correction.awaiting)}")
    rates = {VatRate(total.rate.split("/")[0]) for total in correction.totals.rates}
    root = add_header(issued_at, system_info)
    add_seller(root, seller, rates)
    add_buyer(root, correction.buyer, correction.recipient)
    body = section(root, "Fa")
    add(body, "KodWaluty", correction.currency)
    add(body, "P_1", issue_date(issued_at).isoformat())
    add(body, "P_2", number)
    if correction.sold_on is not None and correction.sold_on != issue_date(issued_at):
        add(body, "P_6", correction.sold_on.isoformat())
    add_totals(body, correction.totals, correction.exchange_rate)
    exemption = correction.exemption if VatRate.EXEMPT in rates else None
    add_annotations(body, rates, exemption, correction.exemption_basis, split_payment=correction.split_payment)
    add(body, "RodzajFaktury", "KOR")
    add(body, "PrzyczynaKorekty", correction.reason)
    for base in correction.bases:
        _add_base(body, base)
    if correction.period is not None:
        add(body, "OkresFaKorygowanej", correction.period)
    if correction.buyer_before is not None:
        add_identity(section(body, "Podmiot2K"), correction.buyer_before)
    if correction.to_receipt and not correction.totals.raises_tax:  # docs/law.md, 109-3d-kor
        add(body, "FP", "1")
    add_notes(body, receipt_notes(correction.receipt))
    for change in correction.changes:
        for row, before in ((change.before, True), (change.after, False)):
            add_line(
                body,
                row.number,
                row.line,
                correction.prices,
                row.value,
                exchange_rate=correction.exchange_rate,
                before=before,
            )
    add_deposits(body, correction.deposits, correction.totals.gross)
    add_payments(body, correction.payments, correction.settled_on or issue_date(issued_at))
    return to_bytes(root)


def _add_base(body: Element, base: CorrectedBase) -> None:
    element = section(body, "DaneFaKorygowanej")
    add(element, "DataWystFaKorygowanej", base.issued_on.isoformat())
    add(element, "NrFaKorygowanej", base.number)
    if base.ksef_number is None:
        add(element, "NrKSeFN", "1")
        return
    add(element, "NrKSeF", "1")
    add(element, "NrKSeFFaKorygowanej", base.ksef_number)
