"""Copies that a hub refuses for its books, of invoices that are never sent: told until it takes them, or a person has
seen to them. In the notebook, since the route to the hub is not loaded where there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agent.ports import Json, Transaction

REFUSED = "hub:books:refused"
"""Id of each that the hub refused, and why."""
SETTLED = "hub:books:settled"
"""Ids of those that a person has seen to: neither told nor offered any more."""


async def refused_copies(tx: Transaction) -> dict[str, str]:
    """Return the hub's reasons, in Polish, by id; those a person has seen to are never noted."""
    kept = await tx.key_values.get(REFUSED)
    return {str(name): str(text) for name, text in kept.items()} if isinstance(kept, Mapping) else {}


async def note_refused(refused: Mapping[str, str], tx: Transaction) -> None:
    """Write them down in place of those of before. A person may have seen to some since they were read."""
    settled = await settled_copies(tx)
    await tx.key_values.put(REFUSED, {name: why for name, why in refused.items() if name not in settled} or None)


async def settle_copy(invoice_id: str, tx: Transaction) -> bool:
    """Note that a person has seen to one; False where the hub refused none of it."""
    refused = await refused_copies(tx)
    if refused.pop(invoice_id, None) is None:
        return False
    await tx.key_values.put(SETTLED, sorted({*await settled_copies(tx), invoice_id}))
    await note_refused(refused, tx)
    return True


async def settled_copies(tx: Transaction) -> Collection[str]:
    """Return the ids of those that a person has seen to."""
    kept: Json = await tx.key_values.get(SETTLED)
    return frozenset(str(each) for each in kept) if isinstance(kept, list) else frozenset()
