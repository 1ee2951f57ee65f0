"""What differs in the hub's books from rows filed before: numbers that came, invoices that were handed over since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from agent.domain.books.changes import RowChange
from agent.domain.calendar import local_date
from agent.domain.json_io.canonical import Json
from agent.hub.domain.books import is_invoice, marker
from agent.hub.domain.records import HubInvoice, Till


def changes(
    invoices: Iterable[HubInvoice], tills: Mapping[int, Till], since: date, as_of: date
) -> list[dict[str, Json]]:
    """Return the rows of a month that differ between the ends of two Polish civil days, in the order given.

    ``since`` is the day of filing. A row is new (``old`` null) where its till handed the invoice over later; a
    technical correction stands for the file that it replaced, which was here before it. It is gone (``new`` null) where
    its case was closed since. One that KSeF refused later, while it was issued online, is in no register any more, nor
    told here: its till tells it.
    """
    found: list[dict[str, Json]] = []
    for each in invoices:
        handed_over_later = local_date(each.received_at) > since and each.version == 1
        old = marker(each, since) if is_invoice(each, since) and not handed_over_later else None
        new = marker(each, as_of) if is_invoice(each, as_of) else None
        change = RowChange(each.sha256.hex(), each.number, each.issued_on, old, new, each.ksef_number)
        if change.old is not change.new:
            found.append(_row(change, tills[each.till_id]))
    return found


def _row(change: RowChange, till: Till) -> dict[str, Json]:
    return {
        "shop": till.shop,
        "till": till.name,
        "number": change.number,
        "issued_on": change.issued_on.isoformat(),
        "sha256": change.id,
        "old": None if change.old is None else change.old.value,
        "new": None if change.new is None else change.new.value,
        "ksef_number": change.ksef_number,
        "needs_correction": change.needs_correction,
    }
