"""The register beside KSeF's own metadata of the same days of P_1: on demand, since KSeF counts such questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from agent.domain.books.reconcile import Comparison, KsefEntry, compare
from agent.domain.errors import Unavailable
from agent.domain.records.filed import FiledInvoice
from agent.domain.values import dataclass
from agent.ports import Clock, KsefError, KsefGateway
from agent.services.records.books import Books

ReadNumber = Callable[[str], tuple[str, int] | None]
"""Series and serial of a number of this till; None for any other."""


@dataclass(frozen=True, slots=True)
class KsefComparison:
    """What was compared. ``complete`` False: KSeF has more than it may be asked for at once; ask for fewer days."""

    first: date
    last: date
    complete: bool
    counts: Comparison


class KsefComparisons:
    """Compares."""

    def __init__(
        self, gateway: KsefGateway, books: Books, clock: Clock, seller_nip: str, read_number: ReadNumber
    ) -> None:
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._seller_nip = seller_nip
        self._read_number = read_number

    async def of_days(self, first: date, last: date) -> KsefComparison:
        """Compare the invoices of these days, both included; Unavailable "ksef-unavailable" where KSeF cannot be asked.

        Safe to repeat; the limits of KSeF (20 an hour) allow two full ones. What got its number while KSeF was asked,
        and is not in its list, is left to the next comparison: the list is older than that.
        """
        numbered = {each.record.ksef_number async for each in self._books.issued((first, last))}
        try:
            part = await self._gateway.issued_on(self._seller_nip, first, last)
        except KsefError as error:
            wait = "" if error.retry_after is None else f" Spróbuj ponownie za {error.retry_after:.0f} s."
            text = f"Nie udało się odczytać z KSeF listy faktur: {error.message}{wait}"
            raise Unavailable(text, code="ksef-unavailable") from error
        entries = [
            KsefEntry(each.ksef_number, each.number, each.kind, each.gross, each.sha256, each.offline)
            for each in part.entries
            if first <= each.issued_on <= last
        ]
        comparable = numbered | {each.ksef_number for each in entries} | {None}
        records: list[FiledInvoice] = [
            each.record async for each in self._books.issued((first, last)) if each.record.ksef_number in comparable
        ]
        counts = compare(records, entries, self._clock.now(), self._own)
        return KsefComparison(first, last, part.complete, counts)

    def _own(self, number: str) -> bool:
        return self._read_number(number) is not None
