"""Which NIPs this process leads, and the couriers it runs for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from agent.domain.calendar import local_time
from agent.domain.errors import AgentError, ConfigError, Unavailable
from agent.domain.json_io.canonical import Json
from agent.hub.courier.certificates import CertificateKeeper
from agent.hub.courier.courier import NipCourier
from agent.hub.courier.state import STATE, written
from agent.hub.domain.records import Seller
from agent.hub.errors import CredentialsEnded, LeadershipLost
from agent.hub.ports import HubStore, Leadership
from agent.hub.settings.model import CourierSettings
from agent.ports import Clock, KsefGateway
from agent.services.heartbeats import Heartbeats

LOG = logging.getLogger("agent.hub")
LOOK_SECONDS = 2.0
"""How often a NIP that nobody leads is found."""
REST_SECONDS = 1.0
"""Between losing a lead, or the database, and the next attempt."""
WRONG_SECONDS = 60.0
"""Between attempts with credentials that cannot be read, or ended."""
ENDED_SECONDS = 30.0
"""How often a process that leads looks whether its credentials ended."""
COURIERS = "couriers"
"""The loop that looks for NIPs without a leader, as the watchdog knows it."""
SELLERS = "sellers"
"""Channel: a NIP was added or removed."""
HOUR = timedelta(hours=1)


class CourierGateway(KsefGateway, Protocol):
    """KSeF for one NIP, with the memory of what another process sent."""

    @property
    def works_until(self) -> datetime | None:
        """Until when KSeF lets this process in, as far as its certificate says; None without an end."""
        ...

    def recall_sends(self, sent_at: Iterable[datetime]) -> None:
        """Count sends of others, so that KSeF's limits hold for all together."""
        ...


NOBODY: dict[str, Json] = {"ksef": "down", "left_hour": 0, "left_minute": 0, "wait": 0.0}
"""What tills hear of a NIP that nobody can work for."""
OpenGateway = Callable[[Seller], CourierGateway]
Keep = Callable[[Seller, Leadership, CourierGateway], CertificateKeeper | None]
"""Makes the keeper of a seller's certificates; None where nobody keeps them."""


class Couriers:
    """Takes the lead of every NIP nobody else leads, and works for it until it is lost."""

    def __init__(
        self,
        store: HubStore,
        clock: Clock,
        open_gateway: OpenGateway,
        settings: CourierSettings | None = None,
        *,
        keep: Keep | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self._store = store
        self._keep = keep
        self._clock = clock
        self._open_gateway = open_gateway
        self._settings = settings
        self._heartbeats = heartbeats or Heartbeats(clock)
        self._working: dict[str, asyncio.Task[None]] = {}
        self.couriers: dict[str, NipCourier] = {}
        """By NIP, those of this process."""
        self.wrong: dict[str, str] = {}
        """By NIP, why this process cannot work for it (credentials)."""

    async def run(self) -> None:
        """Serve until cancelled; what is under way then is a doubt for whoever takes over."""
        self._heartbeats.expect(COURIERS, LOOK_SECONDS)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    woken = self._store.changed(SELLERS)
                    await self._look(group)
                    self._heartbeats.beat(COURIERS)
                    try:
                        await self._clock.within(LOOK_SECONDS, woken)
                    except TimeoutError:
                        continue
        finally:
            self._working.clear()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        try:
            sellers = {each.nip: each for each in await self._store.read(lambda tx: tx.parties.sellers())}
        except Unavailable:
            return
        for nip in self._working.keys() - sellers.keys():
            self._working[nip].cancel()
        for nip, seller in sellers.items():
            if nip not in self._working:
                task = group.create_task(self._serve(seller), name=f"hub-{nip}")
                self._working[nip] = task
                task.add_done_callback(partial(self._ended, nip))

    def _ended(self, nip: str, task: asyncio.Task[None]) -> None:
        if self._working.get(nip) is task:
            del self._working[nip]

    async def _serve(self, seller: Seller) -> None:
        """Try to lead; work while it does. Ends after one attempt: the next look begins another.

        Until its courier's loops are watched, the way there is: one that hangs would keep the NIP from everybody.
        """
        attempt = f"{seller.nip} lead"
        self._heartbeats.expect(attempt, WRONG_SECONDS)
        try:
            await self._attempt(seller, attempt)
        finally:
            self._heartbeats.forget(attempt)

    async def _attempt(self, seller: Seller, attempt: str) -> None:
        try:
            lead = await self._store.lead(seller.nip)
        except Unavailable:
            await self._clock.sleep(REST_SECONDS)
            return
        if lead is None:
            return
        try:
            gateway = self._open_gateway(seller)
        except ConfigError as error:
            await self._give_away(seller, lead, error)
            await self._clock.sleep(WRONG_SECONDS)
            return
        self.wrong.pop(seller.nip, None)
        try:
            await self._lead(seller, lead, gateway, attempt)
        finally:
            self.couriers.pop(seller.nip, None)
            await gateway.close()
            await lead.release()

    async def _give_away(self, seller: Seller, lead: Leadership, why: AgentError) -> None:
        """Let another process lead, whose credentials may be better, and tell what keeps this one from it."""
        LOG.error("credentials of %s: %s", seller.nip, why)
        self.wrong[seller.nip] = str(why)
        state = written({**NOBODY, "failing": str(why)}, self._clock.now())
        with contextlib.suppress(LeadershipLost, Unavailable):
            await lead.write(lambda tx: tx.log.put(STATE.format(seller.nip), state))
        await lead.release()

    async def _lead(self, seller: Seller, lead: Leadership, gateway: CourierGateway, attempt: str) -> None:
        LOG.info("this process talks to KSeF for %s now", seller.nip)
        try:
            await self._recall(seller.nip, gateway)
            courier = NipCourier(
                seller.nip,
                lead,
                self._store,
                gateway,
                clock=self._clock,
                settings=self._settings,
                keeper=None if self._keep is None else self._keep(seller, lead, gateway),
                heartbeats=self._heartbeats,
            )
            self.couriers[seller.nip] = courier
            self._heartbeats.forget(attempt)
            async with asyncio.TaskGroup() as group:
                group.create_task(courier.run(), name=f"hub-{seller.nip}-courier")
                group.create_task(self._until_ended(seller, gateway), name=f"hub-{seller.nip}-credentials")
        except* CredentialsEnded as ended:
            await self._give_away(seller, lead, _first(ended))
        except* (LeadershipLost, Unavailable) as lost:
            LOG.warning("this process no longer talks to KSeF for %s: %s", seller.nip, _first(lost))
            await self._clock.sleep(REST_SECONDS)

    async def _until_ended(self, seller: Seller, gateway: CourierGateway) -> None:
        """Return never: a process that can no longer sign in must not keep the lead from one that can."""
        while True:
            until = gateway.works_until
            if until is not None and until <= self._clock.now():
                at = f"{local_time(until):%d.%m.%Y %H:%M}"
                raise CredentialsEnded(f"Certyfikat KSeF centrali stracił ważność {at}; zdobądź nowy.")
            await self._clock.sleep(ENDED_SECONDS)

    async def _recall(self, nip: str, gateway: CourierGateway) -> None:
        """Count what was sent in the last hour by whoever led, so that a change of the holder provokes no 429."""
        since = self._clock.now() - HOUR
        gateway.recall_sends(await self._store.read(lambda tx: tx.invoices.sent_since(nip, since)))


def _first(group: BaseExceptionGroup[AgentError]) -> AgentError:
    """Return one of the errors of a group of groups."""
    each: BaseException = group
    while isinstance(each, BaseExceptionGroup):
        each = each.exceptions[0]
    assert isinstance(each, AgentError)
    return each
