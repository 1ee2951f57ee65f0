"""What KSeF holds of the seller's invoices (POST /invoices/query/metadata, API 2.9; permission InvoiceRead)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

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
    entries: list[LedgerEntry] = []
    calls = 0
    for begin, end in _ranges(since, until):
        offset, more = 0, True
        while more:
            if calls == CALLS:
                return LedgerPart(tuple(entries), complete=False)
            calls += 1
            answer = await api.run(_question(nip, begin, end, offset))
            page = answer.fields()
            entries += [_entry(item) for item in page.objects("invoices")]
            if page.flag("isTruncated"):
                return LedgerPart(tuple(entries), complete=False)
            more = page.flag("hasMore")
            offset += 1
    return LedgerPart(tuple(entries), complete=True)


def _ranges(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield stretches that KSeF accepts, the newest first."""
    end = until
    while end > since:
        begin = max(since, end - LONGEST_RANGE)
        yield begin, end
        end = begin


def _question(nip: str, begin: datetime, end: datetime, offset: int) -> Call:
    return Call(
        Group.INVOICE_METADATA,
        "POST",
        "/invoices/query/metadata",
        json={
            "subjectType": "Subject1",
            "sellerNip": nip,
            "dateRange": {"dateType": "Invoicing", "from": begin.isoformat(), "to": end.isoformat()},
        },
        query={"sortOrder": "Desc", "pageOffset": str(offset), "pageSize": str(PAGE_SIZE)},
    )


def _entry(item: Fields) -> LedgerEntry:
    return LedgerEntry(
        number=item.text("invoiceNumber"),
        kind=item.text("invoiceType").upper(),
        issued_on=item.day("issueDate"),
        gross=item.amount("grossAmount"),
        currency=item.text("currency"),
        ksef_number=item.text("ksefNumber"),
    )
