"""A press joined: from the request to the paper, corrections that wait and rejected invoices included."""

from __future__ import annotations

from agent.domain.fa3.schema import Fa3Schema
from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.assembly.delivery import DeliveryServices
from agent.services.assembly.outages import OutageServices
from agent.services.assembly.paper import PaperServices
from agent.services.buyers.lookup import BuyerLookup
from agent.services.corrections.bases import BaseReader
from agent.services.corrections.pending import PendingCorrections
from agent.services.issuing.codes import InvoiceCodes
from agent.services.issuing.documents import DocumentBuilder
from agent.services.issuing.hand_over import HandOver
from agent.services.issuing.issue import Issuing
from agent.services.issuing.rejected import RejectedInvoices
from agent.services.issuing.requests import RequestReader
from agent.services.issuing.sale_preview import SalePreview


@dataclass(kw_only=True)
class IssuingServices:
    """Use cases of agent/services/issuing, buyers and corrections."""

    buyers: BuyerLookup
    bases: BaseReader
    issuing: Issuing
    sale_preview: SalePreview
    rejected: RejectedInvoices
    pending: PendingCorrections


def join_issuing(
    common: Common,
    outages: OutageServices,
    delivery: DeliveryServices,
    paper: PaperServices,
    *,
    schema: Fa3Schema,
) -> IssuingServices:
    """Join them, over what sends and prints what they issue."""
    settings, ports, changed = common.settings, common.ports, common.changed
    seller, issue = settings.seller, settings.issue
    clock, store = ports.clock, ports.store
    clock_check, trusted_time = outages.clock_check, outages.trusted_time
    bases = BaseReader(seller.nip)
    codes = InvoiceCodes(settings.ksef, seller.nip, ports.signer)
    buyers = BuyerLookup(store, clock, ports.white_list)
    requests = RequestReader(schema, bases, issue.cash_register, settings.ptu.rates)
    documents = DocumentBuilder(
        seller=seller,
        till=settings.till,
        settings=issue,
        schema=schema,
        codes=codes,
        timeline=outages.timeline,
        calendar=common.calendar,
    )
    hand_over = HandOver(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=ports.gateway,
        mode=outages.mode,
        sender=delivery.sender,
        queue=delivery.queue,
        printing=paper.printing,
        slip=paper.slip,
        tasks=common.tasks,
        numbered=common.numbered,
        budget_seconds=issue.budget_seconds,
    )
    issuing = Issuing(
        requests=requests,
        buyers=buyers,
        documents=documents,
        hand_over=hand_over,
        store=store,
        clock=clock,
        trusted_time=trusted_time,
        clock_check=clock_check,
        mode=outages.mode,
        observed=outages.observed,
        tasks=common.tasks,
        metrics=common.counters,
        changed=changed,
        presses=common.presses,
    )
    return IssuingServices(
        buyers=buyers,
        bases=bases,
        issuing=issuing,
        sale_preview=SalePreview(
            requests=requests,
            buyers=buyers,
            documents=documents,
            trusted_time=trusted_time,
            store=store,
            previews=paper.previews,
            footer=settings.paper.footer,
        ),
        rejected=RejectedInvoices(
            store=store,
            trusted_time=trusted_time,
            clock_check=clock_check,
            schema=schema,
            seller_nip=seller.nip,
            codes=codes,
            queue_wake=common.queue_wake,
            changed=changed,
        ),
        pending=PendingCorrections(
            store=store, clock=clock, issuing=issuing, numbered=common.numbered, changed=changed
        ),
    )
