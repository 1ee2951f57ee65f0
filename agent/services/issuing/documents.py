"""What a press orders: documents still without number, or whose number came with them, and how they are drawn.

An order is made before the transaction that numbers it; ``draw`` builds the bytes inside, once the serial is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from agent.domain import numbering
from agent.domain.errors import BadInput, Conflict
from agent.domain.fa3.build import build_invoice, issue_date
from agent.domain.fa3.supplied import ReadyInvoice, other_buyer
from agent.domain.fa3.supplied_parties import as_on_base, buyer_mistakes
from agent.domain.fa3.view import read
from agent.domain.invoice import Buyer, CorrectedBase, Payment, Sale, Totals
from agent.domain.lifecycle import InvoiceState
from agent.domain.vat import totals
from agent.ports import HeldCorrection, InvoiceFilter, Transaction
from agent.services.buyers.memory import NO_BUYERS, NamedBuyers
from agent.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Draft:
    """A document ready to be stored, all but its mode and deadline."""

    number: str
    kind: str
    issued_on: date
    buyer: Buyer
    totals: Totals
    xml: bytes
    payments: tuple[Payment, ...] = ()
    external_ref: str | None = None
    bases: tuple[CorrectedBase, ...] = ()
    """What a correction corrects; those of this store by their id too."""

    @property
    def bases_here(self) -> tuple[str, ...]:
        """Ids of the corrected invoices that this store holds."""
        return tuple(base.invoice_id for base in self.bases if base.invoice_id is not None)


@dataclass(frozen=True, slots=True)
class Order:
    """One document to make: ``draw(serial)`` builds it; ``series`` None for a document with its own number."""

    series: str | None
    draw: Callable[[int], Draft]


@dataclass(frozen=True, slots=True)
class Orders:
    """What one press makes: documents, and a correction that has to wait for its base."""

    documents: tuple[Order, ...]
    held: HeldCorrection | None = None
    fulfils: str | None = None
    """Id of the held correction that the first document is."""
    buyers: NamedBuyers = NO_BUYERS
    """What the press says of buyers, to be remembered with it."""


Prepare = Callable[[Transaction], Awaitable[Orders]]
"""Decides what to make, inside the transaction that makes it."""


def sale_order(settings: Settings, sale: Sale, now: datetime, *, number: str | None = None) -> Order:
    """Order the invoice of a checked sale; ``number``: P_2 where the shop's own program numbers."""
    issued_on = issue_date(now)

    def draw(number: str) -> Draft:
        xml = build_invoice(sale, settings.seller, number=number, issued_at=now, system_info=settings.issue.system_info)
        return Draft(
            number=number,
            kind="VAT",
            issued_on=issued_on,
            buyer=sale.buyer,
            totals=totals(sale),
            xml=xml,
            payments=sale.payments,
            external_ref=sale.external_ref,
        )

    return numbered_order(settings, settings.issue.series, issued_on, draw, given=number)


def ready_made(order: Order, buyer: Buyer) -> Prepare:
    """Return a decision that was taken before the transaction: the invoice of a sale to ``buyer``."""

    async def prepared(_: Transaction) -> Orders:
        return Orders((order,), buyers=NamedBuyers(given=(buyer,)))

    return prepared


def numbered_order(
    settings: Settings,
    series_template: str,
    issued_on: date,
    draw: Callable[[str], Draft],
    *,
    given: str | None = None,
) -> Order:
    """Order a document of one of our own series; ``draw(P_2)`` builds it once its number is known.

    ``given``: the number came with the document and is of no series of ours.
    """
    if given is not None:
        return Order(None, lambda _: draw(given))
    series = numbering.series_name(series_template, till=settings.till, issued_on=issued_on)

    def draw_serial(serial: int) -> Draft:
        return draw(
            numbering.format_number(
                settings.issue.number, series=series, till=settings.till, serial=serial, issued_on=issued_on
            )
        )

    return Order(series, draw_serial)


async def known_bases(tx: Transaction, ready: ReadyInvoice) -> tuple[CorrectedBase, ...]:
    """Return the corrected invoices, those of this store by their id; Conflict where one stands in the way.

    BadInput where the correction brings another buyer, or one that no invoice may have and its bases have not.
    """
    found: list[CorrectedBase] = []
    repeated = False
    for base in ready.bases:
        known = base
        for record in await tx.invoices.find(InvoiceFilter(number=base.number, limit=1)):
            if record.state is InvoiceState.REJECTED:
                text = f"KSeF odrzucił fakturę {record.number}, więc nie ma czego korygować."
                raise Conflict(text, code="base-rejected")
            if record.ksef_number is None and record.state is not InvoiceState.EXEMPT:
                text = (
                    f"Faktura {record.number} nie ma jeszcze numeru KSeF, a korekta musi go podawać. "
                    "Prześlij korektę ponownie, gdy numer nadejdzie."
                )
                raise Conflict(text, code="base-without-number")
            if record.ksef_number is not None and base.ksef_number != record.ksef_number:
                text = f"Faktura {record.number} ma numer KSeF {record.ksef_number}, a korekta podaje inny albo żaden."
                raise Conflict(text, code="base-number-differs")
            if any(each.state == "waiting" for each in await tx.held.of_base(record.id)):
                text = f"Na wystawienie czeka wcześniejsza korekta faktury {record.number}. Prześlij tę później."
                raise Conflict(text, code="base-has-held-correction")
            # Either document may say that there is a receipt (a pruned base says nothing any more).
            to_receipt = ready.view.to_receipt or (bool(record.xml) and read(record.xml).to_receipt)
            if (mistake := other_buyer(ready.view, record.buyer, to_receipt=to_receipt)) is not None:
                raise BadInput(mistake.message, code=mistake.code, errors=(mistake,))
            repeated = repeated or as_on_base(ready.view, record.buyer)
            known = replace(base, invoice_id=record.id)
        found.append(known)
    if ready.view.kind.corrects and not repeated:
        _refuse_buyer(ready)
    return tuple(found)


def _refuse_buyer(ready: ReadyInvoice) -> None:
    mistakes = tuple(buyer_mistakes(ready.view, ready.view.seller.nip or ""))
    if mistakes:
        code = mistakes[0].code if len(mistakes) == 1 else "ready-invoice"
        raise BadInput(mistakes[0].message, code=code, errors=mistakes)
