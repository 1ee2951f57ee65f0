"""Which press goes next: all tills of a NIP share 30 sends a minute and 180 an hour, and none may starve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from agent.hub.domain.records import HubInvoice


def press_order(waiting: Iterable[HubInvoice], sent_lately: Mapping[int, int]) -> list[HubInvoice]:
    """Return presses in the order to send them: tills that sent least first, one press each before a second.

    ``sent_lately``: sends of each till (by id) within the last hour.
    """
    rounds: Counter[int] = Counter(sent_lately)
    ranked = []
    for invoice in sorted(waiting, key=lambda each: each.received_at):
        ranked.append((rounds[invoice.till_id], invoice.received_at, invoice.sha256, invoice))
        rounds[invoice.till_id] += 1
    return [invoice for *_, invoice in sorted(ranked, key=lambda each: each[:3])]
