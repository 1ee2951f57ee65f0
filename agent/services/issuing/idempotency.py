"""Idempotency keys: what a key made, bound to it in the transaction that made it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent.domain.errors import KeyReused
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
    printed: tuple[Noted, ...] = ()
    """Its invoices and their papers as the press left them; empty where one of them is not known that well."""


async def remember(
    tx: Transaction, key: str, content_sha256: bytes, made: list[InvoiceRecord], held: HeldCorrection | None
) -> IssueOutcome:
    """Bind the key to what it made; an answer richer than one invoice is kept beside it."""
    ids = [invoice.id for invoice in made]
    if held is not None or len(ids) > 1:
        kept: dict[str, Json] = {"invoices": list(ids), "held": None if held is None else held.id}
        await tx.key_values.put(f"key:{key}", kept)
    anchor = ids[0] if held is None else held.base_id
    await tx.keys.add(KeyRecord(key, content_sha256, anchor))
    return IssueOutcome(tuple(ids), held_id=None if held is None else held.id)


async def seen_before(key: str, contents: Collection[bytes], tx: Transaction) -> IssueOutcome | None:
    """Return what the key made before, None for a new key; KeyReused where the body has none of these hashes."""
    record = await tx.keys.get(key)
    if record is None:
        return None
    if record.body_sha256 not in contents:
        raise KeyReused("Ten klucz Idempotency-Key został już użyty dla innego dokumentu. Nic nie wystawiono.")
    kept = await tx.key_values.get(f"key:{key}")
    if not isinstance(kept, Mapping):
        return IssueOutcome((record.invoice_id,), replayed=True)
    ids = kept["invoices"]
    held = kept["held"]
    assert isinstance(ids, Sequence)
    return IssueOutcome(tuple(str(each) for each in ids), replayed=True, held_id=None if held is None else str(held))
