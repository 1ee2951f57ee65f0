"""A series that makes numbers which invoices of this till have already: it goes on after them.

A serial never repeats within its series, so numbers repeat only where the settings changed: the month left the name of
the series and went into the number ("FV-1/2026/11" and 7 was FV-1/2026/11/000007, as "FV-1" and 7 is now).
"""

from __future__ import annotations

from collections.abc import Callable

from agent.domain.event_kinds import EventKind
from agent.ports import InvoiceFilter, Json, Transaction

TAKEN = "number-taken"
"""Code of the Conflict with which the store refuses a number for the second time."""
REASON = "faktury tej kasy mają już te numery (zmieniono wzór numeru albo serii)"


async def pass_over(tx: Transaction, series: str, serial: int, text_of: Callable[[int], str]) -> int:
    """Let the series go on with the first serial after ``serial``, which is taken, whose number is free; return it.

    ``text_of``: P_2 of a serial. What is taken is taken in a row, so it is looked for by doubled steps, then by halves.
    """
    taken, step = serial, 1
    while await _is_taken(tx, text_of(taken + step)):
        taken, step = taken + step, step * 2
    free = taken + step
    while free - taken > 1:
        middle = (taken + free) // 2
        if await _is_taken(tx, text_of(middle)):
            taken = middle
        else:
            free = middle
    await tx.invoices.resume_series(series, taken, REASON)
    data: dict[str, Json] = {"series": series, "after": taken, "why": REASON}
    await tx.events.append(EventKind.SERIES_RESUMED, data)
    return free


async def _is_taken(tx: Transaction, number: str) -> bool:
    return bool(await tx.invoices.summaries(InvoiceFilter(number=number, limit=1)))
