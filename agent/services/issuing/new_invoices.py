"""New invoices that stand without their correction: a press of the same again makes the correction alone.

What is kept beside the key of a press (idempotency.py) names both documents, in the transaction that made them. So
the link needs nothing of its own: from a correction to its keys, from an order to the key that it was pressed under.
Nothing of this is read unless a correction of the same invoice came to nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from agent.domain.corrections.base import BaseInvoice, read_base
from agent.domain.corrections.correction import Correction
from agent.domain.corrections.new_invoice import stands_conflict, would_be_again
from agent.domain.errors import Conflict
from agent.domain.fa3.view.read import read
from agent.domain.invoice import CorrectedBase, InvoiceSummary
from agent.domain.lifecycle import HeldState, InvoiceState
from agent.domain.rejection import abandoned
from agent.domain.values import dataclass
from agent.ports import HeldCorrection, InvoiceFilter, Transaction
from agent.services.corrections.bases import NO_LIMIT, BaseReader, Earlier
from agent.services.corrections.pending import stored
from agent.services.issuing.idempotency import kept_beside


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """The new invoice of some correction."""

    record: InvoiceSummary
    stands: bool
    """It counts, and was not corrected to nothing."""


Chain = Sequence[NewInvoice]
"""The new invoice of a press, and those that followed it where it was itself corrected in the same way."""


async def standing(tx: Transaction, bases: BaseReader, correction: Correction, earlier: Earlier) -> str | None:
    """Return the id of the new invoice that this press would make again; None where it is to make one.

    Conflict (new-invoice-stands) where another one stands, made for the same invoice, and only its correction was lost.
    """
    wanted = correction.replacement
    if wanted is None or not earlier.any_lost:
        return None
    chains = await without_correction(tx, earlier)
    for new in (each for chain in chains for each in chain):
        contents = [content async for content in _contents(tx, bases, new.record)]
        if not abandoned(new.record) and would_be_again(wanted, new.record, contents):
            return new.record.id
    if chains:
        last = [each.record for each in chains[0] if each.stands][-1]
        raise stands_conflict(correction.bases[0].number, last)
    return None


async def left_without(tx: Transaction, lost: InvoiceSummary) -> InvoiceSummary | None:
    """Return the new invoice that stands without this correction, which came to nothing; None where there is none.

    Nor where the invoice it corrects was brought to zero otherwise: the correction cannot be repeated.
    """
    if not abandoned(lost) or not lost.bases:
        return None
    base = lost.bases[0]
    mine = await _new_invoice_of(tx, lost, await tx.held.of_number(base.number))
    if mine is None:
        return None
    earlier = await _earlier(tx, base)
    if base.invoice_id is not None and _left(await tx.invoices.get(base.invoice_id), earlier) == 0:
        return None
    for chain in await without_correction(tx, earlier):
        if any(each.record.id == mine for each in chain):
            return [each.record for each in chain if each.stands][-1]
    return None


async def without_correction(tx: Transaction, earlier: Earlier) -> list[Chain]:
    """Return what was made beside corrections that came to nothing, stands, and has got no other correction since."""
    lost: dict[str, None] = {}
    settled: set[str] = set()
    for correction, came_to_nothing in _each(earlier):
        new = await _new_invoice_of(tx, correction, earlier.ordered)
        if new is None:
            continue
        if came_to_nothing:
            lost[new] = None
        else:
            settled.add(new)
    chains = [await _chain(tx, new) for new in lost]
    return [
        chain
        for chain in chains
        if any(each.stands for each in chain) and settled.isdisjoint(each.record.id for each in chain)
    ]


def _each(earlier: Earlier) -> list[tuple[InvoiceSummary | HeldCorrection, bool]]:
    """Return documents, and orders that have become none, each with whether it came to nothing."""
    documents = [(each, abandoned(each)) for each in earlier.issued]
    orders = [(each, each.state is HeldState.REFUSED) for each in earlier.ordered if each.invoice_id is None]
    return [*documents, *orders]


async def _new_invoice_of(
    tx: Transaction, correction: InvoiceSummary | HeldCorrection, orders: Sequence[HeldCorrection]
) -> str | None:
    """Return the id of what was made with a correction, or with its order; None where it is of another kind."""
    if isinstance(correction, HeldCorrection):
        keys, own = [correction.key], None
    else:
        own = correction.id
        keys = [each.key for each in orders if each.invoice_id == own]
        keys += [each.key for each in await tx.keys.of_invoice(own)]
    for key in keys:
        kept = await kept_beside(key, tx)
        if kept is not None and (new := kept.new_invoice_of(own)) is not None:
            return new
    return None


async def _chain(tx: Transaction, first: str) -> Chain:
    """Follow a new invoice to what has taken its place since: it may have had the wrong buyer, too."""
    found: dict[str, NewInvoice] = {}
    ahead = [first]
    while ahead:
        record = await tx.invoices.get(ahead.pop(0))
        if record.id in found:
            continue
        earlier = await _earlier(tx, CorrectedBase(record.number, record.issued_on, invoice_id=record.id))
        found[record.id] = NewInvoice(record, stands=not abandoned(record) and _left(record, earlier) != 0)
        for correction, _ in _each(earlier):
            if (new := await _new_invoice_of(tx, correction, earlier.ordered)) is not None:
                ahead.append(new)
    return tuple(found.values())


async def _earlier(tx: Transaction, base: CorrectedBase) -> Earlier:
    if base.invoice_id is not None:
        issued = await tx.invoices.corrections_of([base.invoice_id])
        return Earlier(issued, await tx.held.of_base(base.invoice_id))
    issued = await tx.invoices.summaries(InvoiceFilter(base_number=base.number, limit=NO_LIMIT))
    if base.ksef_number is not None:
        known = {each.id for each in issued}
        numbered = await tx.invoices.summaries(InvoiceFilter(base_ksef_number=base.ksef_number, limit=NO_LIMIT))
        issued += [each for each in numbered if each.id not in known]
    return Earlier(issued, await tx.held.of_number(base.number))


def _left(record: InvoiceSummary, earlier: Earlier) -> Decimal | None:
    """Return P_15 and all differences together; None where a correction of several invoices hides its share."""
    counted: list[InvoiceSummary | Correction] = [each for each in earlier.issued if not abandoned(each)]
    counted += [stored(each) for each in earlier.ordered if each.state is HeldState.WAITING]
    if any(len(each.bases) > 1 for each in counted):
        return None
    return sum((each.totals.gross for each in counted), record.totals.gross)


async def _contents(tx: Transaction, bases: BaseReader, made: InvoiceSummary) -> AsyncIterator[BaseInvoice]:
    """Give what an invoice says, as it was issued and as it stands; nothing where its bytes are no longer here."""
    record = await tx.invoices.get(made.id)
    if not record.xml:
        return
    yield read_base(read(record.xml), outside_ksef=True)
    if record.state is InvoiceState.REJECTED:
        return
    try:
        yield (await bases.standing(tx, record))[0]
    except Conflict:
        return  # corrected by documents of other programs, which do not show each line before and after
