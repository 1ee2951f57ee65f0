"""All use cases, joined over the ports: by app.py over the real adapters, by tests over fakes. One wiring for both.

Who stands on whom is read here from top to bottom: nothing is given what is made further down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from agent.domain.calendar import BusinessCalendar
from agent.domain.clock_check import ClockState
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.monitoring.alerts import Policy
from agent.domain.monitoring.backlog_hours import read_backlog_hours
from agent.ports import (
    BuyerSource,
    Clock,
    DropFolder,
    HeldSigner,
    KsefGateway,
    Printer,
    ReceiptRenderer,
    Signer,
    StatusSource,
    Store,
    WebhookSender,
)
from agent.ports.evidence import OpenIndex
from agent.services.background import BackgroundTasks
from agent.services.buyers.lookup import BuyerLookup
from agent.services.changes import Changes
from agent.services.corrections.bases import BaseReader
from agent.services.corrections.pending import PendingCorrections
from agent.services.corrections.pending_slip import PendingCorrectionSlip
from agent.services.delivery.backlog_window import BacklogWindow
from agent.services.delivery.batches import BatchSender
from agent.services.delivery.originals import Originals
from agent.services.delivery.queue import SendQueue
from agent.services.delivery.sender import InvoiceSender
from agent.services.delivery.series import SeriesCatchUp
from agent.services.delivery.upo import UpoFetcher
from agent.services.delivery.verdicts import VerdictRecorder
from agent.services.exchange.answers import Answers, View
from agent.services.exchange.documents import ExchangeDocuments
from agent.services.exchange.intake import Intake
from agent.services.exchange.made import ExchangeRequests
from agent.services.exchange.taker import Taker
from agent.services.exchange.updates import Updates
from agent.services.exchange.watcher import DropFolderWatch
from agent.services.heartbeats import Heartbeats
from agent.services.issuing.codes import InvoiceCodes
from agent.services.issuing.documents import DocumentBuilder
from agent.services.issuing.hand_over import HandOver
from agent.services.issuing.issue import Issuing
from agent.services.issuing.rejected import RejectedInvoices
from agent.services.issuing.requests import RequestReader
from agent.services.issuing.sale_preview import SalePreview
from agent.services.issuing.warm_up import WarmUp
from agent.services.monitoring.alerts import Alerting
from agent.services.monitoring.backlogs import Backlogs
from agent.services.monitoring.certificates import HeldCertificate, HeldCertificates, RenewalAttempts
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.daily import DailyJobs
from agent.services.monitoring.disk import Disk
from agent.services.monitoring.health import HealthReporter, Identity
from agent.services.monitoring.judgement import AlertJudge
from agent.services.monitoring.printer_states import PrinterStates
from agent.services.monitoring.problems import ProblemWatch
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.monitoring.unsent import UnsentInvoices
from agent.services.monitoring.webhooks import Outbox, Outboxes, Subscriber
from agent.services.outages.announcements import Announcements
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.declarations import Declarations
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.outages.mode import CurrentMode, ModeSettings
from agent.services.outages.observed import ObservedFacts
from agent.services.outages.recorded_facts import RecordedFacts
from agent.services.outages.trusted_time import TrustedTime
from agent.services.paper.papers import InvoicePapers
from agent.services.paper.previews import Previews
from agent.services.paper.printing import Printing
from agent.services.paper.reprint import Reprinting
from agent.services.presses import Presses
from agent.services.queries.invoices import InvoiceQueries
from agent.services.records.books import Books
from agent.services.records.evidence import Evidence
from agent.services.records.ksef_comparison import KsefComparisons
from agent.services.records.outages import OutageReports
from agent.services.records.register import RegisterReports
from agent.services.records.retention import DropArchive, Retention
from agent.services.shutdown import Shutdown
from agent.services.signals import Signal
from agent.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world, as the use cases see it."""

    clock: Clock
    store: Store
    gateway: KsefGateway
    latarnia: StatusSource
    printer: Printer
    renderer: ReceiptRenderer
    webhooks: WebhookSender
    white_list: BuyerSource | None
    drop_archive: DropArchive
    signer: HeldSigner
    """Signs KOD II."""
    open_index: OpenIndex
    """Of a bundle of evidence."""
    authentication: Signer | None = None
    """The certificate that signs in: looked at, never signs here."""


@dataclass(slots=True, kw_only=True)
class Services:
    """The use cases of one running agent."""

    settings: Settings
    ports: Ports
    tasks: BackgroundTasks
    shutdown: Shutdown
    heartbeats: Heartbeats
    counters: CountersInMemory
    presses: Presses
    changed: Signal
    """Something a screen shows has changed."""
    # outages
    clock_check: ClockCheck
    trusted_time: TrustedTime
    timeline: KnownTimeline
    connection: Connection
    deadlines: DeadlineUpdater
    facts: RecordedFacts
    announcements: Announcements
    mode: CurrentMode
    declarations: Declarations
    # delivery
    upos: UpoFetcher
    sender: InvoiceSender
    queue: SendQueue
    # paper
    papers: InvoicePapers
    printing: Printing
    previews: Previews
    reprinting: Reprinting
    slip: PendingCorrectionSlip
    # issuing
    issuing: Issuing
    sale_preview: SalePreview
    warm_up: WarmUp
    rejected: RejectedInvoices
    pending: PendingCorrections
    # records and questions
    invoices: InvoiceQueries
    register: RegisterReports
    books: Books
    comparisons: KsefComparisons
    evidence: Evidence
    outages: OutageReports
    retention: Retention
    buyers: BuyerLookup
    changes: Changes
    # monitoring
    alerting: Alerting
    unsent: UnsentInvoices
    printers: PrinterStates
    store_checks: StoreChecks
    certificates: HeldCertificates
    judge: AlertJudge
    problems: ProblemWatch
    health: HealthReporter
    backlogs: Backlogs
    daily: DailyJobs
    outboxes: Outboxes
    # files of other systems
    intake: Intake
    exchange: ExchangeRequests

    def by_name(self) -> dict[str, Any]:
        """Return all of them by name, for what is made of them and more."""
        return {field.name: getattr(self, field.name) for field in fields(Services)}

    async def recover(self) -> None:
        """Read back what is durable, and take up what a crash left behind; once, before anything else."""
        await self.clock_check.load()
        await self.facts.load()
        await self.certificates.attempts.load()
        await self.connection.load()
        await self.printing.recover()
        await self.slip.recover()
        await self.queue.recover()
        await self.deadlines.follow()
        await self.outboxes.load()


def assemble(
    settings: Settings,
    ports: Ports,
    *,
    schema: Fa3Schema,
    tasks: BackgroundTasks,
    shutdown: Shutdown,
    counters: CountersInMemory,
    subscribers: Sequence[Subscriber],
) -> Services:
    """Join them. Nothing runs yet: recover() comes first, serving/serve.py runs the loops."""
    issue, ksef, seller = settings.issue, settings.ksef, settings.seller
    clock, store, gateway, renderer = ports.clock, ports.store, ports.gateway, ports.renderer
    calendar = BusinessCalendar(settings.calendar.extra_days_off)
    changed, numbered = Signal(), Signal()  # numbered: a KSeF number has come, what waited for it may go on
    queue_wake = asyncio.Event()
    heartbeats = Heartbeats(clock)
    presses = Presses(clock)

    # outages
    clock_check = ClockCheck(clock, store, refuse_seconds=issue.clock_skew_refuse_seconds)
    connection = Connection(
        gateway,
        clock=clock,
        clock_check=clock_check,
        store=store,
        changed=changed,
        failures_to_open=settings.watch.breaker_failures,
    )
    trusted_time = TrustedTime(clock_check, connection, changed)
    timeline = KnownTimeline()
    deadlines = DeadlineUpdater(store, timeline, calendar, clock_check.best)
    facts = RecordedFacts(store, timeline, deadlines, changed)
    announcements = Announcements(
        ports.latarnia,
        clock=clock,
        now=clock_check.best,
        store=store,
        timeline=timeline,
        facts=facts,
        changed=changed,
    )
    mode = CurrentMode(
        ModeSettings(
            prefer_offline24=issue.prefer == "offline24",
            budget_seconds=issue.budget_seconds,
        ),
        gateway=gateway,
        signer=ports.signer,
        clock_check=clock_check,
        timeline=timeline,
        connection=connection,
        announcements=announcements,
        deadlines=deadlines,
    )
    declarations = Declarations(
        trusted_time=trusted_time,
        timeline=timeline,
        facts=facts,
        deadlines=deadlines,
        mode=mode,
        tasks=tasks,
        queue_wake=queue_wake,
    )
    observed = ObservedFacts(
        clock, clock_check=clock_check, timeline=timeline, connection=connection, announcements=announcements
    )

    # delivery
    upos = UpoFetcher(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        mode=mode,
        changed=changed,
        tills_sharing_address=ksef.tills_sharing_address,
    )
    verdicts = VerdictRecorder(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        originals=Originals(gateway, clock),
        series=SeriesCatchUp(
            seller.nip,
            settings.read_number,
            store=store,
            clock=clock,
            now=clock_check.best,
            gateway=gateway,
            tasks=tasks,
        ),
        upos=upos,
        changed=changed,
        numbered=numbered,
    )
    sender = InvoiceSender(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        mode=mode,
        verdicts=verdicts,
        upos=upos,
        tasks=tasks,
        metrics=counters,
        changed=changed,
        budget_seconds=issue.budget_seconds,
    )
    batches = BatchSender(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        connection=connection,
        sender=sender,
        verdicts=verdicts,
        presses=presses,
    )
    window = BacklogWindow(
        read_backlog_hours(settings.sync.backlog_hours),
        policy=_policy(settings),
        calendar=calendar,
        timeline=timeline,
        clock_check=clock_check,
    )
    queue = SendQueue(
        store=store,
        clock=clock,
        clock_check=clock_check,
        gateway=gateway,
        mode=mode,
        deadlines=deadlines,
        sender=sender,
        batches=batches,
        verdicts=verdicts,
        window=window,
        presses=presses,
        wake=queue_wake,
        batch_from=ksef.batch_from,
        told=ksef.route == "hub",
    )

    # paper
    papers = InvoicePapers(settings.paper)
    printing = Printing(
        store=store,
        clock=clock,
        papers=papers,
        printer=ports.printer,
        renderer=renderer,
        tasks=tasks,
        metrics=counters,
        changed=changed,
        copies=settings.paper.copies,
    )
    slip = PendingCorrectionSlip(
        store=store, tasks=tasks, printer=ports.printer, renderer=renderer, footer=settings.paper.footer
    )

    # issuing
    bases = BaseReader(seller.nip)
    codes = InvoiceCodes(ksef, seller.nip, ports.signer)
    buyers = BuyerLookup(store, clock, ports.white_list)
    requests = RequestReader(schema, bases, settings.issue.cash_register, settings.ptu.rates)
    builder = DocumentBuilder(
        seller=seller,
        till=settings.till,
        settings=issue,
        schema=schema,
        codes=codes,
        timeline=timeline,
        calendar=calendar,
    )
    previews = Previews(store, clock, papers, renderer)
    sale_preview = SalePreview(
        requests=requests,
        buyers=buyers,
        documents=builder,
        trusted_time=trusted_time,
        store=store,
        previews=previews,
        footer=settings.paper.footer,
    )
    issuing = Issuing(
        requests=requests,
        buyers=buyers,
        documents=builder,
        hand_over=HandOver(
            store=store,
            clock=clock,
            clock_check=clock_check,
            gateway=gateway,
            mode=mode,
            sender=sender,
            queue=queue,
            printing=printing,
            slip=slip,
            tasks=tasks,
            numbered=numbered,
            budget_seconds=issue.budget_seconds,
        ),
        store=store,
        clock=clock,
        trusted_time=trusted_time,
        clock_check=clock_check,
        mode=mode,
        observed=observed,
        tasks=tasks,
        metrics=counters,
        changed=changed,
        presses=presses,
    )
    rejected = RejectedInvoices(
        store=store,
        trusted_time=trusted_time,
        clock_check=clock_check,
        schema=schema,
        seller_nip=seller.nip,
        codes=codes,
        queue_wake=queue_wake,
        changed=changed,
    )
    pending = PendingCorrections(store=store, clock=clock, issuing=issuing, numbered=numbered, changed=changed)

    # monitoring
    alerting = Alerting(store, clock, changed)
    unsent = UnsentInvoices(store, clock, clock_check, window)
    printers = PrinterStates(ports.printer, printing, changed)
    store_checks = StoreChecks(store, clock, changed)
    renewal_attempts = RenewalAttempts(store, clock_check.best)
    certificates = _certificates(settings, ports, renewal_attempts)
    disk = Disk(settings.data_dir)
    outboxes = Outboxes(
        store,
        tuple(
            Outbox(
                ports.webhooks,
                each,
                store=store,
                clock=clock,
                now=clock_check.best,
                changed=changed,
                till=settings.till,
            )
            for each in subscribers
        ),
    )
    judge = AlertJudge(
        _policy(settings),
        calendar=calendar,
        clock=clock,
        clock_check=clock_check,
        timeline=timeline,
        announcements=announcements,
        connection=connection,
        deadlines=deadlines,
        unsent=unsent,
        printers=printers,
        store_checks=store_checks,
        certificates=certificates,
        outboxes=outboxes,
        disk=disk,
    )
    problems = ProblemWatch(
        store=store,
        clock=clock,
        unsent=unsent,
        store_checks=store_checks,
        judge=judge,
        alerting=alerting,
        changed=changed,
    )
    health = HealthReporter(
        Identity(settings.till, seller.nip, clock.now()),
        clock_check=clock_check,
        mode=mode,
        announcements=announcements,
        connection=connection,
        unsent=unsent,
        problems=problems,
        printers=printers,
        certificates=certificates,
        store_checks=store_checks,
        disk=disk,
        shutdown=shutdown,
        heartbeats=heartbeats,
    )

    books = Books(store, clock, presses)

    # files of other systems
    documents = ExchangeDocuments(
        issuing, bases, clock=clock, settings=settings.drop_folder, cash_register=settings.issue.cash_register
    )
    return Services(
        settings=settings,
        ports=ports,
        tasks=tasks,
        shutdown=shutdown,
        heartbeats=heartbeats,
        counters=counters,
        presses=presses,
        changed=changed,
        clock_check=clock_check,
        trusted_time=trusted_time,
        timeline=timeline,
        connection=connection,
        deadlines=deadlines,
        facts=facts,
        announcements=announcements,
        mode=mode,
        declarations=declarations,
        upos=upos,
        sender=sender,
        queue=queue,
        papers=papers,
        printing=printing,
        previews=previews,
        reprinting=Reprinting(store, printing, tasks),
        slip=slip,
        issuing=issuing,
        sale_preview=sale_preview,
        warm_up=WarmUp(issuing=issuing, papers=papers, renderer=renderer, presses=presses),
        rejected=rejected,
        pending=pending,
        invoices=InvoiceQueries(store),
        register=RegisterReports(store, clock, presses),
        books=books,
        comparisons=KsefComparisons(gateway, books, clock, seller.nip, settings.read_number),
        evidence=Evidence(store, ports.open_index, presses, seller.nip, renderer.text, folder=settings.data_dir),
        retention=Retention(
            store,
            books,
            settings.retention,
            now=clock_check.best,
            clock_confirmed=lambda: clock_check.verdict().state is ClockState.CONFIRMED,
            drop_archive=ports.drop_archive,
        ),
        outages=OutageReports(store, clock, seller, settings.till),
        buyers=buyers,
        changes=Changes(store, clock, changed),
        alerting=alerting,
        unsent=unsent,
        printers=printers,
        store_checks=store_checks,
        certificates=certificates,
        judge=judge,
        problems=problems,
        health=health,
        daily=DailyJobs(store, clock_check.best),
        outboxes=outboxes,
        backlogs=Backlogs(store, outboxes),
        intake=Intake(store, issuing, documents, settings.api.max_body_bytes),
        exchange=ExchangeRequests(store, pending, documents),
    )


def drop_folder_watch(services: Services, folder: DropFolder, view: View) -> DropFolderWatch:
    """Join what watches a folder; alerts know of its trouble from now on. ``view``: how the API writes documents."""
    settings, ports = services.settings.drop_folder, services.ports
    answers = Answers(
        folder,
        store=ports.store,
        pending=services.pending,
        papers=services.papers,
        renderer=ports.renderer,
        view=view,
        results=settings.results,
    )
    watch = DropFolderWatch(
        folder,
        clock=ports.clock,
        issuing=services.issuing,
        taker=Taker(folder, services.intake, answers, clock=ports.clock, settings=settings),
        updates=Updates(ports.store, answers),
        changed=services.changed,
        settings=settings,
    )
    services.judge.folder_problems = lambda: watch.problems
    return watch


def _certificates(settings: Settings, ports: Ports, attempts: RenewalAttempts) -> HeldCertificates:
    def held() -> Iterator[HeldCertificate]:
        if (signer := ports.signer.current) is not None:
            yield HeldCertificate("offline", signer, settings.offline_nips)
        if ports.authentication is not None:
            yield HeldCertificate("authentication", ports.authentication, settings.authentication_nips)

    return HeldCertificates(held, attempts)


def _policy(settings: Settings) -> Policy:
    chosen = settings.alerts
    return Policy(
        deadline_hours=chosen.deadline_hours,
        opens=chosen.opens,
        closes=chosen.closes,
        in_doubt_minutes=chosen.in_doubt_minutes,
        latarnia_minutes=chosen.latarnia_minutes,
        certificate_days=chosen.certificate_days,
        disk_free_mb=chosen.disk_free_mb,
        backup_hours=chosen.backup_hours,
        clock_skew_seconds=settings.issue.clock_skew_alarm_seconds,
    )
