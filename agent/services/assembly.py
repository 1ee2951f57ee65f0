"""All use cases, joined over the ports: by app.py over the real adapters, by tests over fakes. One wiring for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from agent.ports import BuyerSource, StatusSource, WebhookSender
from agent.services.background import BackgroundTasks
from agent.services.buyers.lookup import BuyerLookup
from agent.services.changes import Changes
from agent.services.corrections.correct import Correcting
from agent.services.corrections.pending import HeldCorrections
from agent.services.delivery.queue import Sync
from agent.services.delivery.sender import Courier
from agent.services.delivery.upo import Upos
from agent.services.desk import Desk
from agent.services.exchange.documents import ExchangeDocuments
from agent.services.exchange.intake import Intake
from agent.services.exchange.made import ExchangeRequests
from agent.services.heartbeats import Heartbeats
from agent.services.issuing.issue import Issuing
from agent.services.issuing.rejected import RejectedInvoices
from agent.services.monitoring.alerts import Alerting
from agent.services.monitoring.backlogs import Backlogs
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.daily import Chores
from agent.services.monitoring.health import Reporting
from agent.services.monitoring.webhooks import Outbox, Outboxes, Subscriber
from agent.services.outages.watch import Watch
from agent.services.paper.previews import Previews
from agent.services.paper.printing import Printing
from agent.services.paper.reprint import Reprinting
from agent.services.queries.invoices import InvoiceQueries
from agent.services.records.evidence import Evidence
from agent.services.records.register import RegisterReports
from agent.services.shutdown import Shutdown


@dataclass(slots=True, kw_only=True)
class Services:
    """The use cases of one running agent."""

    desk: Desk
    tasks: BackgroundTasks
    shutdown: Shutdown
    heartbeats: Heartbeats
    watch: Watch
    upos: Upos
    courier: Courier
    sync: Sync
    printing: Printing
    previews: Previews
    reprinting: Reprinting
    issuing: Issuing
    pending: HeldCorrections
    correcting: Correcting
    rejected: RejectedInvoices
    invoices: InvoiceQueries
    register: RegisterReports
    evidence: Evidence
    buyers: BuyerLookup
    changes: Changes
    alerting: Alerting
    reporting: Reporting
    counters: CountersInMemory
    backlogs: Backlogs
    chores: Chores
    senders: tuple[Outbox, ...]
    outboxes: Outboxes
    intake: Intake
    exchange: ExchangeRequests

    def by_name(self) -> dict[str, Any]:
        """Return all of them by name, for what is made of them and more."""
        return {field.name: getattr(self, field.name) for field in fields(Services)}

    async def recover(self) -> None:
        """Read back what is durable, and settle what a crash left behind; once, before anything else."""
        await self.watch.load()
        await self.printing.recover()
        await self.sync.recover()
        await self.watch.follow_deadlines()
        for sender in self.senders:
            await sender.load()


def assemble(
    desk: Desk,
    *,
    counters: CountersInMemory,
    latarnia: StatusSource,
    shutdown: Shutdown,
    webhooks: WebhookSender,
    subscribers: Sequence[Subscriber],
    white_list: BuyerSource | None,
) -> Services:
    """Join them. Nothing runs yet: recover() comes first, serving/serve.py runs the loops."""
    watch = Watch(desk, latarnia)
    upos = Upos(desk, watch)
    courier = Courier(desk, watch, upos)
    sync = Sync(desk, watch, courier)
    printing = Printing(desk)
    issuing = Issuing(desk, watch, courier, printing, sync)
    pending = HeldCorrections(desk, issuing)
    correcting = Correcting(desk, issuing, pending)
    alerting = Alerting(desk)
    heartbeats = Heartbeats(desk.clock)
    senders = tuple(Outbox(desk, webhooks, each, watch.clock.best) for each in subscribers)
    outboxes = Outboxes(desk.store, senders)
    documents = ExchangeDocuments(desk, issuing, correcting)
    return Services(
        desk=desk,
        tasks=desk.tasks,
        shutdown=shutdown,
        heartbeats=heartbeats,
        watch=watch,
        upos=upos,
        courier=courier,
        sync=sync,
        printing=printing,
        previews=Previews(desk.store, printing, desk.renderer),
        reprinting=Reprinting(desk.store, printing, desk.tasks),
        issuing=issuing,
        pending=pending,
        correcting=correcting,
        rejected=RejectedInvoices(desk, watch, issuing, sync),
        invoices=InvoiceQueries(desk.store),
        register=RegisterReports(desk.store, desk.clock),
        evidence=Evidence(desk.store, desk.settings.seller.nip, desk.renderer.text, folder=desk.settings.data_dir),
        buyers=BuyerLookup(desk, white_list),
        changes=Changes(desk.store, desk.clock, desk.changed),
        alerting=alerting,
        counters=counters,
        backlogs=Backlogs(desk.store, outboxes),
        reporting=Reporting(desk, watch, printing, alerting, shutdown=shutdown, heartbeats=heartbeats),
        chores=Chores(desk.store, watch.clock.best),
        senders=senders,
        outboxes=outboxes,
        intake=Intake(desk, issuing, correcting, documents),
        exchange=ExchangeRequests(desk, pending, documents),
    )
