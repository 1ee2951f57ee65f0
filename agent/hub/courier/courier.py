"""One NIP from taking the lead to losing it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from agent.domain.json_io.canonical import Json
from agent.hub.courier.backlog import Backlog
from agent.hub.courier.batches import Batches
from agent.hub.courier.certificates import CertificateKeeper
from agent.hub.courier.link import Link
from agent.hub.courier.presses import IDLE_SECONDS, Presses
from agent.hub.courier.sender import Sender
from agent.hub.courier.state import STATE, WRITTEN_SECONDS, written
from agent.hub.courier.upo import UpoFetcher
from agent.hub.courier.verdicts import VerdictRecorder
from agent.hub.domain.records import InvoiceFacts, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.errors import LeadershipLost
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.hub.settings.model import CourierSettings
from agent.ports import Clock, KsefError, KsefGateway
from agent.services.heartbeats import Beat, Heartbeats, unheard

LOG = logging.getLogger("agent.hub")
TICK_SECONDS = 2.0
"""A round of the backlog at least so often."""
SHORTEST_TICK_SECONDS = 0.2
"""Between two rounds, however often it is woken."""
PROBE_SECONDS = 30.0
RECOVERY_SECONDS = 5.0
"""While the line is down it is probed so often."""
NEWS_SECONDS = 1.0
"""How old the budget may be that tills hear of."""
ORPHANS_AT_ONCE = 500
ROUND_SECONDS = {"link": PROBE_SECONDS, "presses": IDLE_SECONDS, "backlog": 300.0, "upo": 300.0, "news": NEWS_SECONDS}
"""The loops that are watched, and how long a round may take; one of the backlog sends a batch of 100 MB."""


class NipCourier:
    """Brings everything of one NIP to KSeF while it holds the lead."""

    def __init__(
        self,
        nip: str,
        lead: Leadership,
        store: HubStore,
        gateway: KsefGateway,
        *,
        clock: Clock,
        settings: CourierSettings | None = None,
        keeper: CertificateKeeper | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        chosen = settings or CourierSettings()
        self._nip = nip
        self._lead = lead
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._keeper = keeper
        self._heartbeats = heartbeats
        self.link = Link(gateway, clock, nip)
        self._verdicts = VerdictRecorder(lead, store, gateway, self.link, clock)
        self.sender = Sender(lead, store, gateway, link=self.link, verdicts=self._verdicts, clock=clock)
        self.presses = Presses(
            nip, store, gateway, sender=self.sender, link=self.link, clock=clock, beat=self._beat("presses")
        )
        batches = Batches(nip, lead, store, gateway, link=self.link, verdicts=self._verdicts, clock=clock)
        self.backlog = Backlog(
            nip,
            store,
            gateway,
            sender=self.sender,
            batches=batches,
            verdicts=self._verdicts,
            presses=self.presses,
            link=self.link,
            clock=clock,
            batch_from=chosen.batch_from,
            beat=self._beat("backlog"),
        )
        self.upos = UpoFetcher(nip, lead, store, gateway, link=self.link, clock=clock, beat=self._beat("upo"))

    async def run(self) -> None:
        """Serve until the lead is lost (LeadershipLost) or cancelled."""
        await self.recover()
        loops = {
            "lead": self._until_lost,
            "link": self._watch_link,
            "presses": self.presses.run,
            "backlog": self._work_off,
            "upo": self.upos.run,
            "news": self._tell,
        }
        if self._keeper is not None:
            loops["certificates"] = self._keeper.run
        with self._watched():
            async with asyncio.TaskGroup() as group:
                for name, work in loops.items():
                    group.create_task(work(), name=f"hub-{self._nip}-{name}")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Let systemd's watchdog depend on the loops that have rounds, while this process leads."""
        if self._heartbeats is None:
            yield
            return
        for name, seconds in ROUND_SECONDS.items():
            self._heartbeats.expect(self._loop(name), seconds)
        try:
            yield
        finally:
            self._heartbeats.forget(*map(self._loop, ROUND_SECONDS))

    def _loop(self, name: str) -> str:
        return f"{self._nip} {name}"

    def _beat(self, name: str) -> Beat:
        return unheard if self._heartbeats is None else partial(self._heartbeats.beat, self._loop(name))

    async def recover(self) -> None:
        """After another holder, or a crash, nobody knows what left: every SENDING becomes a doubt."""
        while await self._lead.write(self._doubt_orphans):
            pass

    async def _doubt_orphans(self, tx: HubTransaction) -> bool:
        orphans = await tx.invoices.in_state(self._nip, HubState.SENDING, ORPHANS_AT_ONCE)
        hashes = [each.sha256 for each in orphans]
        await tx.invoices.move_all(hashes, HubState.SENDING, HubState.DOUBT, InvoiceFacts())
        moved = [await tx.invoices.get(sha256) for sha256 in hashes]
        await tx.outcomes.add([(each, OutcomeKind.DOUBT, {"why": "restart"}) for each in moved])
        return bool(orphans)

    async def _until_lost(self) -> None:
        await self._lead.lost()
        raise LeadershipLost(f"the lead of {self._nip} is lost")

    async def _watch_link(self) -> None:
        beat = self._beat("link")
        while True:
            await self.link.probe()
            if self.link.up:
                await self._learn_limits()
            beat()
            await self._clock.sleep(PROBE_SECONDS if self.link.up else RECOVERY_SECONDS)

    async def _learn_limits(self) -> None:
        try:
            await self._gateway.learn_limits()
        except KsefError as error:
            self.link.failed(error)

    async def _work_off(self) -> None:
        beat = self._beat("backlog")
        while True:
            woken = self._store.changed(f"nip:{self._nip}")
            await self.backlog.round()
            beat()
            await self._clock.sleep(SHORTEST_TICK_SECONDS)
            try:
                await self._clock.within(TICK_SECONDS, woken)
            except TimeoutError:
                continue

    async def _tell(self) -> None:
        """Write down what tills hear of this NIP where it changed, and that this process leads still."""
        told: Json = None
        due = 0.0
        beat = self._beat("news")
        while True:
            news = self.news()
            if news != told or self._clock.monotonic() >= due:
                state = written(news, self._clock.now())
                await self._lead.write(partial(_put, STATE.format(self._nip), state))
                told, due = news, self._clock.monotonic() + WRITTEN_SECONDS
            beat()
            await self._clock.sleep(NEWS_SECONDS)

    def news(self) -> dict[str, Json]:
        """Return whether KSeF answers, what its limits leave for presses, and what keeps the hub from sending."""
        budget = self._gateway.budget()
        failing = self.link.failing()
        batches = self.link.batches_failing()
        told: dict[str, Json] = {}
        if failing is not None:
            told |= {"failing_since": failing[0].isoformat(), "failing": failing[1]}
        if batches is not None:
            told |= {"batches_failing_since": batches[0].isoformat(), "batches_failing": batches[1]}
        return told | {
            "ksef": "up" if self.link.up else "down",
            "left_hour": budget.sends_left_hour,
            "left_minute": budget.sends_left_minute,
            "wait": round(budget.wait, 1),
        }


async def _put(name: str, value: Json, tx: HubTransaction) -> None:
    await tx.log.put(name, value)
