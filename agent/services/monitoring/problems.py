"""The open problems: judged on every change and every few seconds, told as alerts when they start and end."""

from __future__ import annotations

import asyncio

from agent.ports import Clock, Store
from agent.services.monitoring.alerts import Alerting, Problem
from agent.services.monitoring.judgement import AlertJudge
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.monitoring.unsent import UnsentInvoices
from agent.services.signals import Signal

BUNCH_SECONDS = 0.2
"""Changes come in bunches; one refresh serves a bunch."""
REST = 4.0
"""Times a refresh took, rested before the next: behind ten thousand unsent invoices a press finds the loop free."""


class ProblemWatch:
    """Keeps them in memory, so that nobody who looks waits for a busy disk."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        unsent: UnsentInvoices,
        store_checks: StoreChecks,
        judge: AlertJudge,
        alerting: Alerting,
        changed: Signal,
    ) -> None:
        self._store = store
        self._clock = clock
        self._unsent = unsent
        self._store_checks = store_checks
        self._judge = judge
        self._alerting = alerting
        self._changed = changed
        self._refreshing = asyncio.Lock()
        self.open: tuple[Problem, ...] = ()

    async def run(self) -> None:
        """Refresh on every change until cancelled."""
        while True:
            news = self._changed.next()
            begun = self._clock.monotonic()
            await self.refresh()
            took = self._clock.monotonic() - begun
            await news
            await self._clock.sleep(max(BUNCH_SECONDS, REST * took))

    async def refresh(self) -> None:
        """Read the queue's state, judge, and let alerts start and end. One at a time, so that none is told twice."""
        async with self._refreshing:
            await self._unsent.refresh(self._judge.pressing)
            await self._store_checks.refresh()
            await self._store.read(self._judge.refresh)
            self.open = await self._alerting.update(self._judge.judge(), self._judge.not_known_yet())
