"""What watches the till: alerts, health, webhooks, daily jobs; joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.assembly.delivery import DeliveryServices
from agent.services.assembly.outages import OutageServices
from agent.services.assembly.paper import PaperServices
from agent.services.assembly.policy import alert_policy
from agent.services.assembly.ports import Ports
from agent.services.monitoring.alerts import Alerting
from agent.services.monitoring.backlogs import Backlogs
from agent.services.monitoring.certificates import HeldCertificate, HeldCertificates, RenewalAttempts
from agent.services.monitoring.daily import DailyJobs
from agent.services.monitoring.disk import Disk
from agent.services.monitoring.health import HealthReporter, Identity
from agent.services.monitoring.judgement import AlertJudge
from agent.services.monitoring.printer_states import PrinterStates
from agent.services.monitoring.problems import ProblemWatch
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.monitoring.unsent import UnsentInvoices
from agent.services.monitoring.webhooks import Outbox, Outboxes, Subscriber
from agent.settings.model import Settings


@dataclass(kw_only=True)
class MonitoringServices:
    """Use cases of agent/services/monitoring."""

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


def join_monitoring(
    common: Common,
    outages: OutageServices,
    delivery: DeliveryServices,
    paper: PaperServices,
    *,
    subscribers: Sequence[Subscriber],
) -> MonitoringServices:
    """Join them, over all that may have trouble."""
    settings, ports, changed = common.settings, common.ports, common.changed
    clock, store, clock_check = ports.clock, ports.store, outages.clock_check
    alerting = Alerting(store, clock, changed)
    unsent = UnsentInvoices(store, clock, clock_check, delivery.window)
    printers = PrinterStates(ports.printer, paper.printing, changed)
    store_checks = StoreChecks(store, clock, common.presses, changed)
    certificates = _certificates(settings, ports, RenewalAttempts(store, clock_check.best))
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
        alert_policy(settings),
        calendar=common.calendar,
        clock=clock,
        clock_check=clock_check,
        timeline=outages.timeline,
        announcements=outages.announcements,
        connection=outages.connection,
        deadlines=outages.deadlines,
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
        Identity(settings.till, settings.seller.nip, clock.now()),
        clock_check=clock_check,
        mode=outages.mode,
        announcements=outages.announcements,
        connection=outages.connection,
        unsent=unsent,
        problems=problems,
        printers=printers,
        certificates=certificates,
        store_checks=store_checks,
        disk=disk,
        shutdown=common.shutdown,
        heartbeats=common.heartbeats,
    )
    return MonitoringServices(
        alerting=alerting,
        unsent=unsent,
        printers=printers,
        store_checks=store_checks,
        certificates=certificates,
        judge=judge,
        problems=problems,
        health=health,
        backlogs=Backlogs(store, outboxes),
        daily=DailyJobs(store, clock_check.best),
        outboxes=outboxes,
    )


def _certificates(settings: Settings, ports: Ports, attempts: RenewalAttempts) -> HeldCertificates:
    def held() -> Iterator[HeldCertificate]:
        if (signer := ports.signer.current) is not None:
            yield HeldCertificate("offline", signer, settings.offline_nips)
        if ports.authentication is not None:
            yield HeldCertificate("authentication", ports.authentication, settings.authentication_nips)

    return HeldCertificates(held, attempts)
