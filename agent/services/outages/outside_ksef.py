"""Corrections of what is in KSeF that an older version issued outside it, in a total failure: people are told once.

They are never sent (art. 106ng) and belong into KSeF (art. 106j ust. 4). What to do with one is the accountant's to
say, and the till cannot see it done, so it is told for two weeks from when this version first saw it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.domain.values import dataclass
from agent.ports import Exempt, Transaction

LOG = logging.getLogger("agent.outages")
NOTICED = "corrections-outside-ksef"
"""In the notebook: id -> when it was first noticed, ISO 8601."""
TOLD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class CorrectionOutside:
    """One of them, and until when people are told of it."""

    number: str
    told_until: datetime


async def noticed(found: Sequence[Exempt], now: datetime, tx: Transaction) -> tuple[CorrectionOutside, ...]:
    """Note those that are new, and return all with the end of being told."""
    kept = await tx.key_values.get(NOTICED)
    known = dict(kept) if isinstance(kept, dict) else {}
    new = [each for each in found if each.id not in known]
    if new:
        known |= {each.id: now.isoformat() for each in new}
        await tx.key_values.put(NOTICED, known)
        LOG.warning(
            "corrections of invoices in KSeF were issued outside it by an older version and never sent: %s",
            ", ".join(each.number for each in new),
        )
    return tuple(CorrectionOutside(each.number, datetime.fromisoformat(str(known[each.id])) + TOLD) for each in found)
