"""Idempotency keys: what a key made, bound to it in the transaction that made it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from agent.domain.errors import ALTERED, DocumentDamaged, KeyReused
from agent.domain.invoice import InvoiceRecord
from agent.domain.values import dataclass
from agent.ports import HeldCorrection, Json, KeyRecord, Transaction
from agent.services.paper.outcomes import Noted


@dataclass(frozen=True, slots=True)
class IssueOutcome:
    """What a key made: the invoices, a held correction, and whether the key was seen before."""

    invoice_ids: tuple[str, ...]
    replayed: bool = False
    held_id: str | None = None
    settles: str | None = None
    """The new invoice that belongs to its correction, where an earlier press made it."""
    printed: tuple[Noted, ...] = ()
    """Its invoices and their papers as the press left them; empty where one of them is not known that well."""

    @property
    def told(self) -> tuple[str, ...]:
        """Ids of the invoices that its answer shows: those it made, and the one it settles."""
        return self.invoice_ids if self.settles is None else (*self.invoice_ids, self.settles)

    def new_invoice_of(self, correction_id: str | None) -> str | None:
        """Return the id of the new invoice that belongs to its correction (None: to its order for one)."""
        return next((each for each in self.told if each != correction_id), None)


async def remember(
    tx: Transaction,
    key: str,
    content_sha256: bytes,
    made: list[InvoiceRecord],
    held: HeldCorrection | None,
    *,
    settles: str | None,
) -> IssueOutcome:
    """Bind the key to what it made; an answer richer than one invoice is kept beside it.

    So what is kept beside a key also tells for good which new invoice belongs to which correction (new_invoices.py).
    """
    ids = [invoice.id for invoice in made]
    if held is not None or len(ids) > 1 or settles is not None:
        kept: dict[str, Json] = {"invoices": list(ids), "held": None if held is None else held.id}
        await tx.key_values.put(_place(key), kept if settles is None else {**kept, "settles": settles})
    anchor = ids[0] if held is None else held.base_id
    await tx.keys.add(KeyRecord(key, content_sha256, anchor))
    return IssueOutcome(tuple(ids), held_id=None if held is None else held.id, settles=settles)


async def seen_before(key: str, contents: Collection[bytes], tx: Transaction) -> IssueOutcome | None:
    """Return what the key made before, None for a new key; KeyReused where the body has none of these hashes.

    DocumentDamaged where the store says something else of an invoice than was issued.
    """
    record = await tx.keys.get(key)
    if record is None:
        return None
    if record.body_sha256 not in contents:
        raise KeyReused("Ten klucz Idempotency-Key został już użyty dla innego dokumentu. Nic nie wystawiono.")
    kept = await kept_beside(key, tx)
    seen = IssueOutcome((record.invoice_id,), replayed=True) if kept is None else replace(kept, replayed=True)
    for invoice_id in seen.told:
        invoice = await tx.invoices.get(invoice_id)
        if invoice.altered:
            raise DocumentDamaged(f"Faktura {invoice.number}", ALTERED)
    return seen


async def kept_beside(key: str, tx: Transaction) -> IssueOutcome | None:
    """Return what a key made where that is more than one invoice, else None."""
    kept = await tx.key_values.get(_place(key))
    if not isinstance(kept, Mapping):
        return None
    ids = kept["invoices"]
    assert isinstance(ids, Sequence)
    held, settles = (None if kept.get(name) is None else str(kept[name]) for name in ("held", "settles"))
    return IssueOutcome(tuple(str(each) for each in ids), held_id=held, settles=settles)


def _place(key: str) -> str:
    return f"key:{key}"
