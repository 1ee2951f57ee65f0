"""What a ready correction corrects, as far as this store holds it: whether its document fits the invoices it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.domain.amounts import amount
from agent.domain.errors import BadInput, Conflict, FieldError
from agent.domain.fa3.contradictions.places import FA, tolerance
from agent.domain.fa3.supplied import ReadyInvoice, other_buyer
from agent.domain.fa3.supplied_parties import as_on_base, buyer_mistakes
from agent.domain.fa3.view.document import Kind
from agent.domain.fa3.view.read import read
from agent.domain.invoice import CorrectedBase, InvoiceRecord
from agent.domain.lifecycle import HeldState, InvoiceState
from agent.domain.rejection import abandoned
from agent.domain.vat import ZERO
from agent.ports import InvoiceFilter, Transaction

_SOLD = frozenset({Kind.VAT.value, Kind.UPR.value})
"""Kinds whose total is what was sold; that of a settlement is what was left to pay."""


async def known_bases(tx: Transaction, ready: ReadyInvoice) -> tuple[CorrectedBase, ...]:
    """Return the corrected invoices, those of this store by their id; Conflict where one stands in the way.

    BadInput where the correction brings another buyer, or one that no invoice may have and its bases have not.
    """
    found: list[CorrectedBase] = []
    here: list[InvoiceRecord] = []
    repeated = False
    for base in ready.bases:
        known = base
        for record in await tx.invoices.find(InvoiceFilter(number=base.number, limit=1)):
            if record.state is InvoiceState.REJECTED:
                text = f"KSeF odrzucił fakturę {record.number}, więc nie ma czego korygować."
                raise Conflict(text, code="base-rejected")
            if record.ksef_number is None and not record.outside_ksef:
                text = (
                    f"Faktura {record.number} nie ma jeszcze numeru KSeF, a korekta musi go podawać. "
                    "Prześlij korektę ponownie, gdy numer nadejdzie."
                )
                raise Conflict(text, code="base-without-number")
            if record.ksef_number is not None and base.ksef_number != record.ksef_number:
                text = f"Faktura {record.number} ma numer KSeF {record.ksef_number}, a korekta podaje inny albo żaden."
                raise Conflict(text, code="base-number-differs")
            if any(each.state is HeldState.WAITING for each in await tx.held.of_base(record.id)):
                text = f"Na wystawienie czeka wcześniejsza korekta faktury {record.number}. Prześlij tę później."
                raise Conflict(text, code="base-has-held-correction")
            # Either document may say that there is a receipt (a pruned base says nothing any more).
            to_receipt = ready.view.to_receipt or (bool(record.xml) and read(record.xml).to_receipt)
            if (mistake := other_buyer(ready.view, record.buyer, to_receipt=to_receipt)) is not None:
                raise BadInput(mistake.message, code=mistake.code, errors=(mistake,))
            repeated = repeated or as_on_base(ready.view, record.buyer)
            here.append(record)
            known = replace(base, invoice_id=record.id)
        found.append(known)
    if ready.view.kind.corrects and not repeated:
        _refuse_buyer(ready)
    if len(here) == len(ready.bases):
        await _refuse_more_than_left(tx, ready, here)
    return tuple(found)


async def _refuse_more_than_left(tx: Transaction, ready: ReadyInvoice, bases: Sequence[InvoiceRecord]) -> None:
    """Refuse a correction of more than was invoiced and not corrected yet; only where all of it is known here."""
    if ready.view.kind is not Kind.KOR or ready.view.gross >= 0 or any(each.kind not in _SOLD for each in bases):
        return
    sold = {base.id: base.totals.gross for base in bases}  # one that is named twice was sold once
    left = sum(sold.values(), ZERO)
    for earlier in await tx.invoices.corrections_of(list(sold)):
        if len(earlier.bases) > 1:
            return  # its share in one of them is not known
        left += ZERO if abandoned(earlier) else earlier.totals.gross
    if left + ready.view.gross < -tolerance(ready.view):
        numbers = ", ".join(base.number for base in bases)
        text = (
            f"Korekta {ready.number} zmniejsza o {amount(-ready.view.gross)}, a z faktury {numbers} po wcześniejszych "
            f"korektach zostało {amount(max(left, ZERO))}."
        )
        raise BadInput(text, code="more-than-left", errors=(FieldError(f"{FA}/P_15", text, "more-than-left"),))


def _refuse_buyer(ready: ReadyInvoice) -> None:
    mistakes = tuple(buyer_mistakes(ready.view, ready.view.seller.nip or ""))
    if mistakes:
        code = mistakes[0].code if len(mistakes) == 1 else "ready-invoice"
        raise BadInput(mistakes[0].message, code=code, errors=mistakes)
