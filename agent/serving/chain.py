"""A till behind a hub, joined: what it reports, what it hears. Imported only where ksef.route = "hub"."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.domain.calendar import BusinessCalendar, local_date
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.opening_hours import pressing
from agent.domain.monitoring.policy import Policy
from agent.domain.numbering import series_name
from agent.hub_contract.heartbeat import Heartbeat
from agent.hub_route.books import HubBooks
from agent.hub_route.chain import Chain
from agent.hub_route.news import Reporter
from agent.hub_route.refill import Refill
from agent.ports import Transaction, Unsent
from agent.services.pages import pages
from agent.web.health import health_json

if TYPE_CHECKING:
    from agent.app import Agent

MACHINE = Path("/etc/machine-id")
PAGE = 500
"""Invoices read at once."""
NOBODY_ELSE_HAS = frozenset({InvoiceState.ISSUED, InvoiceState.SENDING, InvoiceState.IN_DOUBT})
"""As far as the till knows: of the others the hub, or KSeF, has confirmed that it holds them."""
DIGITS = 32
"""Of a SHA-256 that says which computer it is, and nothing else."""


def reporter(agent: Agent, chain: Chain) -> Reporter:
    """Return the till's talk with its hub; /health knows of its trouble."""
    machine = _machine()

    def beat() -> Heartbeat:
        report = agent.health.report()
        signer = agent.ports.signer.current
        alone = [each for each in agent.unsent.counts if each.state in NOBODY_ELSE_HAS]
        return Heartbeat(
            database=chain.client.database,
            process=chain.client.process,
            machine=machine,
            started_at=report.started_at,
            version=__version__,
            series=_series(agent),
            unsent=report.queue.unsent,
            next_deadline=report.queue.next_deadline,
            offline_serial=None if signer is None else signer.serial,
            health=health_json(report),
            alone=sum(each.invoices for each in alone),
            alone_deadline=min((each.deadline for each in alone if each.deadline is not None), default=None),
        )

    made = Reporter(
        chain,
        agent.store,
        agent.queue,
        beat=beat,
        late=partial(_late, agent),
        changed=agent.changed.set,
    )
    agent.judge.hub_problem = made.problem
    return made


def books(agent: Agent, chain: Chain) -> HubBooks:
    """Return what hands over, for the hub's books, what is never sent."""
    return HubBooks(chain, agent.store, agent.changed.set)


def refill(agent: Agent, chain: Chain) -> Refill:
    """Return what hands over again to a hub that lost its data."""
    return Refill(chain, agent.store, agent.sender.outgoing)


async def _late(agent: Agent) -> frozenset[str]:
    """Return what the hub has not brought to KSeF in time, by every name it may be asked for."""
    settings, now = agent.settings, agent.clock_check.best()
    policy = Policy(settings.hub.own_way_hours, opens=settings.alerts.opens, closes=settings.alerts.closes)
    calendar = BusinessCalendar(settings.calendar.extra_days_off)
    days = {each.deadline for each in agent.unsent.counts if each.deadline is not None}
    closed = tuple((each.begin, each.end) for each in agent.timeline.current.maintenance(now))
    near = pressing(days, now, policy, calendar, closed)
    if not near:
        return frozenset()
    names: set[str] = set()
    async for page in pages(lambda after: agent.store.read(partial(_page, after)), PAGE):
        for each in page:
            if each.deadline in near:
                names |= {each.id, *filter(None, (each.invoice_ref, each.session_ref))}
    return frozenset(names)


async def _page(after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.queue(PAGE, after)


def _series(agent: Agent) -> tuple[str, ...]:
    today = local_date(agent.clock_check.best())
    templates = agent.settings.issue.series_templates
    return tuple(series_name(each, till=agent.settings.till, issued_on=today) for each in templates)


def _machine() -> str:
    try:
        known = MACHINE.read_bytes().strip()
    except OSError:
        return ""
    return hashlib.sha256(b"ksef-agent " + known).hexdigest()[:DIGITS]
