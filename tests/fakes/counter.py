"""A press and the reading of what it made, as the handlers of the API do both."""

from __future__ import annotations

from agent.domain.callers import Caller
from agent.services.assembly.services import Services
from agent.services.queries.invoices import IssueAnswer


async def sale(services: Services, body: bytes, key: str, caller: Caller) -> IssueAnswer:
    """Press, and read what was made, as POST /v1/invoices does."""
    return await services.invoices.issued(await services.issuing.sale(body, key, caller))


async def ready(
    services: Services, xml: bytes, key: str, caller: Caller, receipt_nip: str | None = None
) -> IssueAnswer:
    """The same of a ready FA(3)."""
    return await services.invoices.issued(await services.issuing.supplied(xml, key, caller, receipt_nip))


async def correct(services: Services, invoice_id: str, body: bytes, key: str, caller: Caller) -> IssueAnswer:
    """The same of a correction."""
    return await services.invoices.issued(await services.issuing.correct(invoice_id, body, key, caller))


async def correct_outside(services: Services, body: bytes, key: str, caller: Caller) -> IssueAnswer:
    """The same of a correction of an invoice from elsewhere."""
    return await services.invoices.issued(await services.issuing.correct_external(body, key, caller))
