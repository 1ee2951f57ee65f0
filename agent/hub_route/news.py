"""Reporting to the hub and hearing from it: heartbeats out, news and outcomes in. The till works on without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from agent.hub_contract.heartbeat import Heartbeat, News
from agent.hub_route.books import BOOKED
from agent.hub_route.chain import Chain
from agent.hub_route.client import HubRefusal
from agent.hub_route.closings import TOLD
from agent.ports import CallOutcome, Json, KsefError, Store, Transaction

CURSOR = "hub:cursor"
"""In the notebook: how far the outcomes were read; moved after what they tell was made durable."""
WAIT_SECONDS = 25.0
"""How long the hub holds the question for outcomes back."""
REST_SECONDS = 5.0
"""Between attempts while the hub does not answer."""
SILENT_SECONDS = 300.0
"""A hub that was not heard for so long is a problem people should know of."""


class Questions(Protocol):
    """Who asks what became of the invoices that the hub has news of (agent/services/delivery/queue.py)."""

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask what became of them, and make it durable."""
        ...


class Reporter:
    """One till's talk with its hub."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        questions: Questions,
        *,
        beat: Callable[[], Heartbeat],
        late: Callable[[], Awaitable[frozenset[str]]],
        changed: Callable[[], None],
    ) -> None:
        self._chain = chain
        self._store = store
        self._questions = questions
        self._beat = beat
        self._late = late
        self._changed = changed
        self._heard_at = chain.clock.monotonic()
        self._refusal: str | None = None
        self._certificate_trouble: str | None = None
        self._refusals = chain.refusals

    def problem(self) -> tuple[str, bool] | None:
        """What people should know of, in Polish, and whether it is critical."""
        if self._refusal is not None:
            return self._refusal, True
        silent = self._chain.clock.monotonic() - self._heard_at
        if silent >= SILENT_SECONDS:
            return f"Centrala nie odpowiada od {int(silent // 60)} min. Faktury czekają na kasie.", False
        said = [each for each in (self._certificate_trouble, self._refusals.problem()) if each is not None]
        return (" ".join(said), False) if said else None

    async def report(self) -> None:
        """Give a sign of life and take over the news; trouble with the hub is noted, never raised."""
        self._chain.gateway.late = await self._late()
        try:
            news = await self._chain.client.heartbeat(self._beat())
        except KsefError as error:
            self._note(error)
            return
        self._note(None)
        self._chain.gateway.hub.hear(news)
        self._chain.latarnia.hear(news)
        await self._follow_certificate(news)

    async def _follow_certificate(self, news: News) -> None:
        before, held = self._certificate_trouble, self._chain.certificate.serial
        self._certificate_trouble = await self._chain.certificate.follow(news)
        if (before, held) != (self._certificate_trouble, self._chain.certificate.serial):
            self._changed()

    async def hear(self) -> None:
        """Wait for outcomes once, let them be asked for, and move the cursor."""
        stored = await self._store.read(lambda tx: tx.key_values.get(CURSOR))
        cursor = stored if isinstance(stored, str) else ""
        try:
            lines, after, anew = await self._chain.client.outcomes(cursor, WAIT_SECONDS)
        except KsefError:
            await self._chain.clock.sleep(REST_SECONDS)
            return
        if anew:
            self._chain.gateway.hub.forgot = True
            await self._store.write(_begin_anew)
        if lines:
            await self._questions.ask_now({line.status.sha256.hex() for line in lines})
        if after != cursor:
            await self._store.write(lambda tx: _move(tx, after))

    def _note(self, error: KsefError | None) -> None:
        before = self._refusal
        if error is None:
            self._heard_at = self._chain.clock.monotonic()
            self._refusal = None
        elif isinstance(error, HubRefusal) and error.outcome is CallOutcome.REFUSED:
            self._heard_at = self._chain.clock.monotonic()
            self._refusal = error.message
        if before != self._refusal:
            self._changed()


async def _begin_anew(tx: Transaction) -> None:
    """Let the hub's books be filled from the beginning."""
    for cursor in (BOOKED, TOLD):
        await tx.key_values.put(cursor, None)


async def _move(tx: Transaction, cursor: Json) -> None:
    await tx.key_values.put(CURSOR, cursor)
