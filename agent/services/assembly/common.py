"""What use cases of every subject share."""

from __future__ import annotations

import asyncio
from dataclasses import field

from agent.domain.calendar import BusinessCalendar
from agent.domain.values import dataclass
from agent.services.assembly.ports import Ports
from agent.services.background import BackgroundTasks
from agent.services.heartbeats import Heartbeats
from agent.services.monitoring.counters import CountersInMemory
from agent.services.presses import Presses
from agent.services.shutdown import Shutdown
from agent.services.signals import Signal
from agent.settings.model import Settings


@dataclass(kw_only=True)
class Common:
    """Settings, the world, and what one use case tells the others by."""

    settings: Settings
    ports: Ports
    tasks: BackgroundTasks
    shutdown: Shutdown
    counters: CountersInMemory
    calendar: BusinessCalendar
    heartbeats: Heartbeats
    presses: Presses
    changed: Signal = field(default_factory=Signal)
    """Something a screen shows has changed."""
    numbered: Signal = field(default_factory=Signal)
    """A KSeF number has come: what waited for it may go on."""
    queue_wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something may be sent that could not be sent before."""


def join_common(
    settings: Settings, ports: Ports, *, tasks: BackgroundTasks, shutdown: Shutdown, counters: CountersInMemory
) -> Common:
    """Make what all others are given."""
    return Common(
        settings=settings,
        ports=ports,
        tasks=tasks,
        shutdown=shutdown,
        counters=counters,
        calendar=BusinessCalendar(settings.calendar.extra_days_off),
        heartbeats=Heartbeats(ports.clock),
        presses=Presses(ports.clock),
    )
