"""Names and addresses by NIP, in the notebook: only what was given for that NIP, and what the white list says.

A document teaches where somebody named its buyer: a sale, a ready invoice of the shop's system, a corrected name. What
merely repeats a buyer (returns, collective and technical corrections, an invoice described from paper) teaches
nothing. A NIP that was wrong on an invoice is forgotten with the name that stood beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from agent.domain.invoice import Buyer, BuyerKind, InvoiceSummary
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.known_buyers import BuyerSourceName, KnownBuyer, checked, same_firm
from agent.domain.lifecycle import InvoiceState
from agent.domain.values import dataclass
from agent.ports import InvoiceFilter, Json, Transaction

LOOKED_THROUGH = 20
"""Invoices to one NIP, and NIPs of one name, that are looked at in a database from before this memory."""
_NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class NamedBuyers:
    """What one press says of buyers."""

    given: Sequence[Buyer] = ()
    """Somebody gave this name and address for this number."""
    wrong: Sequence[Buyer] = ()
    """The number does not belong to this name."""


NO_BUYERS = NamedBuyers()


async def note(tx: Transaction, named: NamedBuyers) -> None:
    """Remember and forget what a press says, in its transaction."""
    for buyer in named.wrong:
        await _forget(tx, buyer)
    for buyer in named.given:
        await _learn(tx, buyer)


async def recall(tx: Transaction, nip: str) -> KnownBuyer | None:
    """Return what is remembered of a NIP."""
    kept = await tx.key_values.get(_place(nip))
    if isinstance(kept, Mapping):
        return None if kept["known"] is None else from_plain(KnownBuyer, kept["known"])
    return await _from_older_invoices(tx, nip)


async def remembered(tx: Transaction) -> dict[str, KnownBuyer]:
    """Return everybody who is remembered, by NIP."""
    kept = await tx.key_values.beginning(_place(""))
    return {
        name.removeprefix(_place("")): from_plain(KnownBuyer, value["known"])
        for name, value in kept.items()
        if isinstance(value, Mapping) and value["known"] is not None
    }


async def answered(tx: Transaction, nip: str, answer: KnownBuyer) -> tuple[KnownBuyer, str | None]:
    """Take in what the white list says; return what is remembered now, and the name that was wrong, if one was."""
    known, replaced = checked(await recall(tx, nip), answer)
    await _keep(tx, nip, known)
    return known, replaced


async def is_disputed(tx: Transaction, nip: str, known: KnownBuyer) -> bool:
    """Tell whether another NIP is remembered by the same name and address: one of the two is wrong.

    Nobody knows which, unless the white list confirmed one.
    """
    if known.confirmed_at is not None:
        return False
    others = {
        buyer.identifier
        for buyer in await tx.invoices.buyers_named(known.name, but=nip)
        if buyer.kind is BuyerKind.NIP and known.same_as(buyer)
    }
    for other in sorted(filter(None, others))[:LOOKED_THROUGH]:
        theirs = await recall(tx, other)
        if theirs is not None and (theirs.name, theirs.address) == (known.name, known.address):
            return True
    return False


async def _learn(tx: Transaction, buyer: Buyer) -> None:
    if buyer.kind is not BuyerKind.NIP or buyer.identifier is None or buyer.name is None:
        return
    kept = await tx.key_values.get(_place(buyer.identifier))
    before = from_plain(KnownBuyer, kept["known"]) if isinstance(kept, Mapping) and kept["known"] else None
    known = KnownBuyer(buyer.name, buyer.address, BuyerSourceName.INVOICES)
    if before is not None and before.confirmed_at is not None:
        if not same_firm(buyer.name, before.name):
            return  # the white list knows better
        known = replace(known, confirmed_at=before.confirmed_at)
    if known != before:
        await _keep(tx, buyer.identifier, known)


async def _forget(tx: Transaction, buyer: Buyer) -> None:
    if buyer.kind is not BuyerKind.NIP or buyer.identifier is None:
        return
    known = await recall(tx, buyer.identifier)
    if known is not None and known.confirmed_at is None and known.name == buyer.name:
        await _keep(tx, buyer.identifier, None)


async def _keep(tx: Transaction, nip: str, known: KnownBuyer | None) -> None:
    await tx.key_values.put(_place(nip), {"known": None if known is None else cast("Json", to_plain(known))})


def _place(nip: str) -> str:
    return f"buyer:{nip}"


async def _from_older_invoices(tx: Transaction, nip: str) -> KnownBuyer | None:
    """Of invoices from before this memory was kept, take the newest that names the buyer for its own sake."""
    for record in await tx.invoices.summaries(InvoiceFilter(buyer_identifier=nip, limit=LOOKED_THROUGH)):
        buyer = record.buyer
        named = buyer.kind is BuyerKind.NIP and buyer.identifier == nip and buyer.name is not None
        if named and await _names_its_buyer(tx, record):
            return KnownBuyer(buyer.name or "", buyer.address, BuyerSourceName.INVOICES)
    return None


async def _names_its_buyer(tx: Transaction, record: InvoiceSummary) -> bool:
    """A correction does that changes nothing else; an invoice corrected to zero may have had a wrong buyer."""
    if record.state is InvoiceState.REJECTED:
        return False
    if record.bases:
        return record.totals.gross == 0
    corrections = await tx.invoices.summaries(InvoiceFilter(base_id=record.id, limit=_NO_LIMIT))
    left = record.totals.gross + sum((each.totals.gross for each in corrections), Decimal(0))
    return left != 0 or not corrections
