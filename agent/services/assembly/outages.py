"""What is known of KSeF, of the clock and of the line; from it the mode of a press and the deadlines."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.services.assembly.common import Common
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


@dataclass(kw_only=True)
class OutageServices:
    """Use cases of agent/services/outages."""

    clock_check: ClockCheck
    trusted_time: TrustedTime
    timeline: KnownTimeline
    connection: Connection
    deadlines: DeadlineUpdater
    facts: RecordedFacts
    announcements: Announcements
    mode: CurrentMode
    declarations: Declarations
    observed: ObservedFacts


def join_outages(common: Common) -> OutageServices:
    """Join them; they stand on nothing but what is common."""
    ports, issue, changed = common.ports, common.settings.issue, common.changed
    clock, store, gateway = ports.clock, ports.store, ports.gateway
    clock_check = ClockCheck(clock, store, refuse_seconds=issue.clock_skew_refuse_seconds)
    connection = Connection(
        gateway,
        clock=clock,
        clock_check=clock_check,
        store=store,
        changed=changed,
        failures_to_open=common.settings.watch.breaker_failures,
    )
    trusted_time = TrustedTime(clock_check, connection, changed)
    timeline = KnownTimeline()
    deadlines = DeadlineUpdater(store, timeline, common.calendar, clock_check.best)
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
    return OutageServices(
        clock_check=clock_check,
        trusted_time=trusted_time,
        timeline=timeline,
        connection=connection,
        deadlines=deadlines,
        facts=facts,
        announcements=announcements,
        mode=mode,
        declarations=Declarations(
            trusted_time=trusted_time,
            timeline=timeline,
            facts=facts,
            deadlines=deadlines,
            mode=mode,
            tasks=common.tasks,
            queue_wake=common.queue_wake,
        ),
        observed=ObservedFacts(
            clock, clock_check=clock_check, timeline=timeline, connection=connection, announcements=announcements
        ),
    )
