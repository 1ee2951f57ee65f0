"""All use cases, joined over the ports: by app.py over the real adapters, by tests over fakes. One wiring for both.

Who stands on whom is read in assemble() from top to bottom: no subject is given what is made further down.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.domain.fa3.schema import Fa3Schema
from agent.domain.values import dataclass
from agent.services.assembly.common import Common, join_common
from agent.services.assembly.delivery import DeliveryServices, join_delivery
from agent.services.assembly.exchange import ExchangeServices, join_exchange
from agent.services.assembly.issuing import IssuingServices, join_issuing
from agent.services.assembly.monitoring import MonitoringServices, join_monitoring
from agent.services.assembly.outages import OutageServices, join_outages
from agent.services.assembly.paper import PaperServices, join_paper
from agent.services.assembly.ports import Ports
from agent.services.assembly.records import RecordServices, join_records
from agent.services.background import BackgroundTasks
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.webhooks import Subscriber
from agent.services.shutdown import Shutdown
from agent.settings.model import Settings


@dataclass(kw_only=True)
class Services(
    Common,
    OutageServices,
    DeliveryServices,
    PaperServices,
    IssuingServices,
    RecordServices,
    MonitoringServices,
    ExchangeServices,
):
    """The use cases of one running agent."""

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
    common = join_common(settings, ports, tasks=tasks, shutdown=shutdown, counters=counters)
    outages = join_outages(common)
    delivery = join_delivery(common, outages)
    paper = join_paper(common)
    issuing = join_issuing(common, outages, delivery, paper, schema=schema)
    records = join_records(common, outages)
    monitoring = join_monitoring(common, outages, delivery, paper, subscribers=subscribers)
    exchange = join_exchange(common, issuing)
    return Services(
        **vars(common),
        **vars(outages),
        **vars(delivery),
        **vars(paper),
        **vars(issuing),
        **vars(records),
        **vars(monitoring),
        **vars(exchange),
    )
