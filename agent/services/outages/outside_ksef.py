"""Corrections of what is in KSeF that an older version issued outside it, in a total failure: people are told once.

They are never sent (art. 106ng) and belong into KSeF (art. 106j ust. 4). What to do with one is the accountant's to
say, and the till cannot see it done, so it is told for two weeks from when this version first saw it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.ports import Exempt, Transaction

LOG = logging.getLogger("agent.outages")
NOTICED = "corrections-outside-ksef"
"""In the notebook: id -> when it was first noticed, ISO 8601."""
TOLD = timedelta(days=14)


async def still_told(exempt: Sequence[Exempt], now: datetime, tx: Transaction) -> tuple[str, ...]:
    """Note those that are new, and return the numbers of all that are still told."""
    found = [each for each in exempt if each.corrects_in_ksef]
    if not found:
        return ()
    kept = await tx.key_values.get(NOTICED)
    noticed = dict(kept) if isinstance(kept, dict) else {}
    new = [each for each in found if each.id not in noticed]
    if new:
        await tx.key_values.put(NOTICED, {**noticed, **{each.id: now.isoformat() for each in new}})
        LOG.warning(
            "corrections of invoices in KSeF were issued outside it by an older version and never sent: %s",
            ", ".join(each.number for each in new),
        )
    since = {each.id: datetime.fromisoformat(str(noticed.get(each.id, now.isoformat()))) for each in found}
    return tuple(each.number for each in found if now - since[each.id] < TOLD)
