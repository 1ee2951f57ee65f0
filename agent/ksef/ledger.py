"""What KSeF holds of the seller's invoices (POST /invoices/query/metadata, API 2.9; permission InvoiceRead)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from agent.domain.calendar import day_bounds
from agent.domain.values import dataclass
from agent.ksef.calls import AuthenticatedClient, Call
from agent.ksef.limits import Group
from agent.ksef.responses import Fields
from agent.ports import LedgerEntry, LedgerPart

PAGE_SIZE = 250
LONGEST_RANGE = timedelta(days=99)
"""KSeF allows 100 days in UTC."""
CALLS = 8
"""Of the 20 an hour."""


async def issued_since(api: AuthenticatedClient, nip: str, since: datetime, until: datetime) -> LedgerPart:
    """Return what KSeF took of a seller between two instants, newest first; as much as CALLS pages hold.

    KsefError where KSeF cannot be asked, or the credentials may not read invoices.
    """
    spans = ((begin, end) for begin, end in _ranges(since, until))
    return await _collected(api, (_Question(nip, "Invoicing", begin, end, "Desc") for begin, end in spans))


async def issued_on(api: AuthenticatedClient, nip: str, first: date, last: date) -> LedgerPart:
    """Return what KSeF holds of a seller with P_1 in these days, at most 99, oldest first; as much as CALLS pages hold.

    KsefError as above.
    """
    begin, end = day_bounds(first, last)
    question = _Question(nip, "Issue", begin, end - timedelta(seconds=1), "Asc")
    return await _collected(api, (question,))


@dataclass(frozen=True, slots=True)
class _Question:
    nip: str
    date_type: str
    begin: datetime
    end: datetime
    order: str

    def page(self, offset: int) -> Call:
        return Call(
            Group.INVOICE_METADATA,
            "POST",
            "/invoices/query/metadata",
            json={
                "subjectType": "Subject1",
                "sellerNip": self.nip,
                "dateRange": {
                    "dateType": self.date_type,
                    "from": self.begin.isoformat(),
                    "to": self.end.isoformat(),
                },
            },
            query={"sortOrder": self.order, "pageOffset": str(offset), "pageSize": str(PAGE_SIZE)},
        )


async def _collected(api: AuthenticatedClient, questions: Iterable[_Question]) -> LedgerPart:
    entries: list[LedgerEntry] = []
    calls = 0
    complete = True
    for question in questions:
        offset, more = 0, True
        while more:
            if calls == CALLS:
                return LedgerPart(tuple(entries), complete=False)
            calls += 1
            page = (await api.run(question.page(offset))).fields()
            found = page.readable("invoices", _entry)
            complete = complete and len(found) == page.length("invoices")
            entries += found
            if page.flag("isTruncated"):
                return LedgerPart(tuple(entries), complete=False)
            more = page.flag("hasMore")
            offset += 1
    return LedgerPart(tuple(entries), complete=complete)


def _ranges(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield stretches that KSeF accepts, the newest first."""
    end = until
    while end > since:
        begin = max(since, end - LONGEST_RANGE)
        yield begin, end
        end = begin


def _entry(item: Fields) -> LedgerEntry:
    return LedgerEntry(
        number=item.text("invoiceNumber"),
        kind=item.text("invoiceType").upper(),
        issued_on=item.day("issueDate"),
        gross=item.amount("grossAmount"),
        currency=item.text("currency"),
        ksef_number=item.text("ksefNumber"),
        sha256=item.sha256("invoiceHash"),
        offline=item.text("invoicingMode") == "Offline",
    )
