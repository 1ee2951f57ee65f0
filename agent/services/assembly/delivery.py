"""The way of invoices to KSeF, joined."""

from __future__ import annotations

from agent.domain.monitoring.backlog_hours import read_backlog_hours
from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.assembly.outages import OutageServices
from agent.services.assembly.policy import alert_policy
from agent.services.delivery.backlog_window import BacklogWindow
from agent.services.delivery.batches import BatchSender
from agent.services.delivery.dispatch import Dispatcher
from agent.services.delivery.doubts import Doubts
from agent.services.delivery.duplicates import Duplicates
from agent.services.delivery.originals import Originals
from agent.services.delivery.queue import SendQueue
from agent.services.delivery.records import DeliveryRecords
from agent.services.delivery.sender import InvoiceSender
from agent.services.delivery.series import SeriesCatchUp
from agent.services.delivery.upo import UpoFetcher
from agent.services.delivery.verdicts import VerdictRecorder


@dataclass(kw_only=True)
class DeliveryServices:
    """Use cases of agent/services/delivery."""

    upos: UpoFetcher
    sender: InvoiceSender
    window: BacklogWindow
    queue: SendQueue


def join_delivery(common: Common, outages: OutageServices) -> DeliveryServices:
    """Join them, over what is known of KSeF."""
    settings, ports, changed = common.settings, common.ports, common.changed
    clock, store, gateway = ports.clock, ports.store, ports.gateway
    clock_check, connection, mode = outages.clock_check, outages.connection, outages.mode
    upos = UpoFetcher(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        mode=mode,
        changed=changed,
        tills_sharing_address=settings.ksef.tills_sharing_address,
    )
    records = DeliveryRecords(store, clock, changed)
    originals = Originals(gateway, clock)
    duplicates = Duplicates(
        store=store,
        records=records,
        clock_check=clock_check,
        connection=connection,
        originals=originals,
        series=SeriesCatchUp(
            settings.seller.nip,
            settings.read_number,
            store=store,
            clock=clock,
            now=clock_check.best,
            gateway=gateway,
            tasks=common.tasks,
        ),
        changed=changed,
    )
    verdicts = VerdictRecorder(
        store=store,
        records=records,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        duplicates=duplicates,
        upos=upos,
        changed=changed,
        numbered=common.numbered,
    )
    doubts = Doubts(
        records=records,
        clock_check=clock_check,
        connection=connection,
        originals=originals,
        duplicates=duplicates,
        verdicts=verdicts,
    )
    sender = InvoiceSender(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        mode=mode,
        records=records,
        verdicts=verdicts,
        doubts=doubts,
        upos=upos,
        tasks=common.tasks,
        metrics=common.counters,
        changed=changed,
        budget_seconds=settings.issue.budget_seconds,
    )
    batches = BatchSender(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        sender=sender,
        records=records,
        verdicts=verdicts,
        presses=common.presses,
    )
    window = BacklogWindow(
        read_backlog_hours(settings.sync.backlog_hours),
        policy=alert_policy(settings),
        calendar=common.calendar,
        timeline=outages.timeline,
        clock_check=clock_check,
    )
    dispatcher = Dispatcher(
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        mode=mode,
        sender=sender,
        batches=batches,
        batch_from=settings.ksef.batch_from,
        outcomes_announced=settings.ksef.route == "hub",
    )
    queue = SendQueue(
        store=store,
        clock=clock,
        mode=mode,
        deadlines=outages.deadlines,
        sender=sender,
        batches=batches,
        dispatcher=dispatcher,
        doubts=doubts,
        window=window,
        presses=common.presses,
        wake=common.queue_wake,
    )
    return DeliveryServices(upos=upos, sender=sender, window=window, queue=queue)
