"""A whole agent without servers: real store and use cases, fake clock, KSeF, Latarnia and printer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import schemas
from agent.domain.callers import Caller, Role
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.invoice import Address, InvoiceRecord, Seller
from agent.domain.outages.circuit_breaker import LinkState
from agent.ports import Event, KsefError, LatarniaReading, Rejected, WebhookSender
from agent.services.assembly.ports import Ports
from agent.services.assembly.services import Services, assemble
from agent.services.background import BackgroundTasks
from agent.services.delivery.recent_calls import RecentCalls, recent_calls
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.webhooks import Outbox, Subscriber
from agent.services.shutdown import Shutdown
from agent.settings.model import PrinterSettings, Settings
from agent.store.bundle import dropped
from agent.store.evidence_index import SqliteEvidenceIndex
from agent.store.sqlite import SqliteStore
from printers.printer_set import build
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.printer import FakePrinter

SELLER = Seller("5265877635", "Sklep Testowy sp. z o.o.", Address("ul. Próbna 1", "00-001 Warszawa"))
BUYER_NIP = "1111111111"
KNOWN_NIP = "5260250274"
"""Of a firm that the white list knows."""
CASHIER = Caller("kasa 1", Role.CASHIER)
MANAGER = Caller("kierownik", Role.MANAGER)
SCHEMA = Fa3Schema(schemas.load())
SOON = 200
"""Rounds of the loop after which work that is not done waits for the clock."""
T = TypeVar("T")


class FakeSigner:
    """Signer port; the signature is no signature."""

    serial = "01F20A5D352AE590"
    expires = datetime(2028, 1, 1, tzinfo=UTC)
    valid_from = datetime(2026, 1, 1, tzinfo=UTC)
    owner_nip: str | None = SELLER.nip

    def sign(self, text: bytes) -> bytes:
        return b"\x01" * 64


@dataclass
class FakeHeldSigner:
    """HeldSigner port."""

    current: FakeSigner | None


class FakeLatarnia:
    """StatusSource port."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.status: Mapping[str, Any] = {"status": "AVAILABLE"}
        self.messages: list[Mapping[str, Any]] = []
        self.error: KsefError | None = None
        """What every read fails with."""

    async def read(self) -> LatarniaReading:
        if self.error is not None:
            raise self.error
        status = {**self.status, "messages": self.messages or None}
        return LatarniaReading(json.dumps(status), json.dumps(self.messages), self._clock.now())


class FakeWhiteList:
    """BuyerSource port: a white list of one firm, and of those a test adds."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.firms: dict[str, tuple[str, str | None]] = {
            KNOWN_NIP: ("Ministerstwo Finansów", "ul. Świętokrzyska 12, 00-916 Warszawa")
        }
        self.asked: list[str] = []
        self.up = True
        self.seconds = 0.0
        """How long an answer takes."""

    async def find(self, nip: str) -> tuple[str, str | None] | None:
        self.asked.append(nip)
        if self.seconds:
            await self._clock.sleep(self.seconds)
        return self.firms.get(nip) if self.up else None


class FakeSubscriber:
    """WebhookSender port: the shop's system, which takes everything."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        self.messages.append(body)
        return 200


@dataclass(kw_only=True)
class World(Services):
    """All parts, for tests to look into."""

    clock: FakeClock
    gateway: FakeGateway
    latarnia: FakeLatarnia
    printer: FakePrinter
    store: SqliteStore
    white_list: FakeWhiteList
    defects: list[tuple[str, BaseException]]
    keys: int = 0

    async def sell(self, key: str | None = None, **changes: Any) -> InvoiceRecord:
        """Press "invoice" for a small sale and return its record."""
        self.keys += 1
        body = json.dumps(sale(**changes)).encode()
        made = await counter.sale(self, body, key or f"key-{self.keys}", CASHIER)
        return made.invoices[0].record

    async def record(self, invoice_id: str) -> InvoiceRecord:
        return (await self.invoices.one(invoice_id)).record

    async def log(self, invoice_id: str) -> list[str]:
        return [event.kind for event in await self.invoices.events(invoice_id)]

    async def all_events(self) -> list[Event]:
        return await self.store.read(lambda tx: tx.events.after(0, 100_000))

    async def recent_calls(self) -> RecentCalls:
        """What a start tells the gateway."""
        wall, timeout = self.clock.now(), self.settings.ksef.timeout_seconds
        return await recent_calls(self.store, now=self.clock_check.best(), wall=wall, timeout_seconds=timeout)

    def outbox(self, sender: WebhookSender, subscriber: Subscriber) -> Outbox:
        """One more subscriber, whom nobody delivers to by himself."""
        return Outbox(
            sender,
            subscriber,
            store=self.store,
            clock=self.clock,
            now=self.clock_check.best,
            changed=self.changed,
            till=self.settings.till,
        )

    async def lose_the_line(self) -> None:
        """Let the line to KSeF break, long enough for the breaker to know."""
        self.gateway.up = False
        while self.connection.breaker.state is not LinkState.OPEN:
            await self.connection.probe()

    async def restore_the_line(self) -> None:
        """Let the line come back, and the breaker know."""
        self.gateway.up = True
        while self.connection.breaker.state is not LinkState.CLOSED:
            await self.connection.probe()

    async def be_rejected(self, invoice_id: str, code: int = 450, description: str = "błąd semantyczny") -> None:
        """Let KSeF refuse an invoice that was issued offline."""
        self.gateway.verdict_plan.append(Rejected(code, description))
        await self.restore_the_line()
        await self.sender.deliver(invoice_id)

    async def catch_up(self, hours: float = 0.5) -> None:
        """Let time pass and the sync work until the queue is empty or the time is over."""
        for _ in range(60):
            if await self.in_time(self._pass_once()):
                return
            await self.clock.advance(hours * 60)

    async def _pass_once(self) -> bool:
        """What the loops of a service do; tell whether KSeF has everything."""
        await self.connection.probe()
        await self.queue.pass_once()
        await self.upos.pass_once()
        await self.pending.issue_ready()
        return not await self.store.read(lambda tx: tx.invoices.unsent())

    async def in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Let time pass where the work waits for it: for a press that somebody else makes, say."""
        task = asyncio.ensure_future(work)
        for _ in range(SOON):
            if task.done():
                break
            await asyncio.sleep(0)
        while not task.done():
            await self.clock.advance(0.05)
        return await task


def sale(**changes: Any) -> dict[str, Any]:
    """A small valid sale."""
    base: dict[str, Any] = {
        "buyer": {
            "nip": BUYER_NIP,
            "name": "Nabywca S.A.",
            "address": {"line1": "ul. Polna 2", "line2": "00-002 Warszawa", "country": "PL"},
        },
        "prices": "gross",
        "lines": [
            {"name": "Kawa ziarnista 1 kg", "quantity": "2", "unit": "szt.", "unit_price": "61.50", "vat": "23"},
            {"name": "Chleb", "quantity": "1.500", "unit": "kg", "unit_price": "8.40", "vat": "5"},
        ],
    }
    return {**base, **changes}


CONSUMER: dict[str, Any] = {"name": "Jan Kowalski", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}}


def settings(data_dir: Path) -> Settings:
    """Settings of a test till."""
    return Settings(seller=SELLER, data_dir=data_dir, printers=(PrinterSettings(),))


async def press_until_answered(place: World, key: str) -> InvoiceRecord:
    """Sell the usual basket; time passes until the answer is there."""
    task = asyncio.ensure_future(counter.sale(place, json.dumps(sale()).encode(), key, CASHIER))
    while not task.done():
        await place.clock.advance(0.1)
    return (await task).invoices[0].record


def _database_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / "agent.db"


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    given: Settings | None = None,
    start: datetime = datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
    gateway: FakeGateway | None = None,
    clock: FakeClock | None = None,
    printer: FakePrinter | None = None,
    with_certificate: bool = True,
    webhooks: WebhookSender | None = None,
    subscribers: Sequence[Subscriber] = (),
) -> AsyncIterator[World]:
    """Assemble, recover as a start does, and close."""
    clock = clock or FakeClock(start)
    chosen = replace(given or settings(tmp_path), data_dir=tmp_path)
    store = await SqliteStore.open(_database_in(tmp_path), clock, threaded=False)
    gateway = gateway or FakeGateway(clock)
    latarnia, printer = FakeLatarnia(clock), printer or FakePrinter()
    defects: list[tuple[str, BaseException]] = []
    white_list = FakeWhiteList(clock)
    ports = Ports(
        clock=clock,
        store=store,
        gateway=gateway,
        latarnia=latarnia,
        printer=printer,
        renderer=build(chosen.printers, clock),
        webhooks=webhooks or FakeSubscriber(),
        white_list=white_list,
        drop_archive=dropped,
        open_index=SqliteEvidenceIndex,
        signer=FakeHeldSigner(FakeSigner() if with_certificate else None),
    )
    services = assemble(
        chosen,
        ports,
        schema=SCHEMA,
        tasks=BackgroundTasks(lambda name, error: defects.append((name, error))),
        shutdown=Shutdown(),
        counters=CountersInMemory(),
        subscribers=subscribers,
    )
    found = World(
        **vars(services),
        clock=clock,
        gateway=gateway,
        latarnia=latarnia,
        printer=printer,
        store=store,
        white_list=white_list,
        defects=defects,
    )
    await found.recover()
    try:
        yield found
    finally:
        await found.tasks.drain(0.1)
        await store.close()
        assert not defects, defects
