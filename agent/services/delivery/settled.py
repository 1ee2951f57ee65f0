"""When KSeF must know an invoice by the reference it gave: then a refusal to know it is a doubt, not a delay."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.ports import KsefError

SETTLED_AFTER = timedelta(minutes=1)
"""What KSeF took so long ago it knows by its reference; sooner it may still be on its way inside of KSeF."""
NOT_KNOWN = "KSeF nie zna jej pod numerem, który sam podał"


def is_unknown(error: KsefError, sent_at: datetime | None, now: datetime) -> bool:
    """Tell whether KSeF answered that it does not know an invoice which it must know by now.

    Such a one is in doubt: doubts look by hash, and the same bytes go again.
    """
    return error.of_its_subject and sent_at is not None and now - sent_at >= SETTLED_AFTER
