"""KSeF's habits in mixtures (docs/reliability.md, section 3: I1, I2, I6): what one leaves behind meets the next.

A seed draws which habits begin and end, in which order, and what is pressed in between. Then all are healed, and within
a time that no back-off may outlast KSeF has every invoice once, with its bytes, or has refused it for a reason.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from agent.domain.calendar import WARSAW
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceFilter
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.agent_with_sandbox import CASHIER, SWIFT, AgentWithSandbox, agent_with_sandbox
from tests.fakes.seeds import Note, drawn
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.world import CONSUMER, sale

ACTS = 12
BUDGET = 5.0
"""Seconds; the settings' default."""
HEALED_WITHIN = 3 * 3600.0
"""Seconds after the last fault, and after the last verdict that KSeF itself holds back."""
LATEST = (60.0, 300.0, 900.0)
"""Seconds between two looks at the queue."""
MANY_FAULTS = ("html_403", "html_502", "html_503", "json_500", "410", "429", "401", "reset_before", "reset_after",
               "close", "truncated", "broken_json", "garbage", "redirect")  # fmt: skip
CALLS = ("auth", "keys", "open", "send", "status", "upo", "close", "batch", "original", "query", "latarnia")
LASTING: dict[str, tuple[float, ...]] = {
    "session_cooldown": (20.0, 45.0, 90.0),
    "empty_session_lifetime": (60.0, 600.0),
    "redeem_delay": (1.0, 4.0),
    "number_delay": (2.0, 30.0, 600.0, 3 * 3600.0),
    "storage_delay": (30.0, 900.0),
    "session_delay": (60.0, 1800.0),
    "batch_delay": (600.0, 6 * 3600.0),
    "unsettled_415": (1.0,),
    "maintenance": (1.0,),
}
"""Moods of ``Behaviour`` that last until healed, and how long in seconds (1: switched on)."""
MOODS = ("440_own", "440_foreign", "450", "550", "405", "150", "disorder")
REFUSING = frozenset({"440_foreign", "450"})


@dataclass
class Mixture:
    """One seed: what is drawn, what was pressed, and what was done, for a failure to tell."""

    seed: int
    place: AgentWithSandbox
    clock: SwiftClock
    draw: random.Random = field(init=False)
    pressed: dict[str, tuple[bytes, tuple[str, str, bytes]]] = field(default_factory=dict)
    """By key: the request, and the identity, number and hash that the cashier heard."""
    refusals: int = 0
    """Invoices that KSeF was told to refuse."""
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    # --- what may happen --------------------------------------------------------------------------

    async def live(self) -> None:
        """Live through the acts, each with a press beside it as often as not."""
        for _ in range(ACTS):
            act = self.draw.choice(self.acts())
            await act()
            if self.draw.random() < 0.6:
                await self.press()
            await self.pass_by(self.draw.choice((5.0, 20.0, 120.0, 1200.0, 4 * 3600.0)))

    def acts(self) -> list[Callable[[], Awaitable[None]]]:
        """Return what may come next: beginnings of habits more often than ends."""
        begins = [self.begin_lasting, self.spoil_calls, self.decide_verdicts]
        return [*begins, *begins, self.end_lasting, self.forget, self.line, self.at_midnight, self.press_again]

    async def begin_lasting(self) -> None:
        name = self.draw.choice(sorted(LASTING))
        value = self.draw.choice(LASTING[name])
        switch = isinstance(getattr(SWIFT, name), bool)
        setattr(self.place.sandbox.behaviour, name, True if switch else value)
        self.done.append(f"{name}={value:g}")

    async def end_lasting(self) -> None:
        name = self.draw.choice(sorted(LASTING))
        setattr(self.place.sandbox.behaviour, name, getattr(SWIFT, name))
        self.done.append(f"{name} ends")

    async def spoil_calls(self) -> None:
        """A storm: one call fails a few times in a row, before or after KSeF acted."""
        call, fault, times = self.draw.choice(CALLS), self.draw.choice(MANY_FAULTS), self.draw.choice((1, 1, 2, 5))
        seconds = self.draw.choice((2.0, 60.0, 900.0)) if fault == "429" else None
        await self.place.sandbox.plan(call, fault, times, seconds, after=self.draw.random() < 0.5 and fault != "429")
        self.done.append(f"{times} x {call}:{fault}")

    async def decide_verdicts(self) -> None:
        """What becomes of the next invoices."""
        mood, times = self.draw.choice(MOODS), self.draw.choice((1, 1, 2))
        self.place.sandbox.mood(mood, times, self.draw.choice((60.0, 3600.0)))
        self.refusals += times if mood in REFUSING else 0
        self.done.append(f"{times} x {mood}")

    async def forget(self) -> None:
        """KSeF forgets what the agent holds: a session, a token, a public key."""
        sandbox = self.place.sandbox
        forgets: dict[str, Callable[[], object]] = {
            "sessions": sandbox.expire_sessions,
            "access tokens": lambda: sandbox.auth.expire_tokens("access"),
            "refresh tokens": lambda: sandbox.auth.expire_tokens("refresh"),
            "keys": sandbox.rotate_keys,
        }
        chosen = self.draw.sample(sorted(forgets), self.draw.randrange(1, 4))
        for name in chosen:
            forgets[name]()
        self.done.append(f"forgotten: {', '.join(chosen)}")

    async def line(self) -> None:
        fault = self.draw.choice(("refuse", "none"))
        await self.place.sandbox.plan("ksef", fault)
        self.done.append(f"line: {fault}")

    async def at_midnight(self) -> None:
        """Press within two seconds of midnight: the date of the press and that of the send may differ."""
        today = self.clock.now().astimezone(WARSAW).date()
        midnight = datetime.combine(today + timedelta(days=1), time(), tzinfo=WARSAW)
        off = self.draw.uniform(-2.0, 2.0)
        await self.clock.advance((midnight - self.clock.now()).total_seconds() + off)
        self.done.append(f"midnight {off:+.1f} s")
        await self.press()

    async def press(self) -> None:
        """Press "invoice"; the answer comes within the budget."""
        changes = {"buyer": CONSUMER} if self.draw.random() < 0.3 else {}
        body, key = json.dumps(sale(**changes)).encode(), f"key-{len(self.pressed)}"
        begun = self.clock.monotonic()
        record = await self.answered(body, key)
        assert self.clock.monotonic() - begun <= BUDGET + 1, "a press that waits for KSeF"
        self.pressed[key] = (body, (record.id, record.number, record.sha256))

    async def press_again(self) -> None:
        """I6: the same key, the same invoice."""
        if self.pressed:
            key = self.draw.choice(sorted(self.pressed))
            body, heard = self.pressed[key]
            record = await self.answered(body, key)
            assert (record.id, record.number, record.sha256) == heard

    async def answered(self, body: bytes, key: str) -> InvoiceRecord:
        answer = await counter.sale(self.place.agent, body, key, CASHIER)
        assert isinstance(answer, IssueAnswer)
        return answer.invoices[0].record

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, then look at everything as the loops do."""
        await self.clock.advance(seconds)
        agent = self.place.agent
        await agent.connection.probe()
        await agent.queue.pass_once()
        await agent.upos.pass_once()

    # --- the end ----------------------------------------------------------------------------------

    async def heal(self) -> None:
        """End all habits; what KSeF holds back by itself it still holds back."""
        sandbox = self.place.sandbox
        for name in LASTING:
            setattr(sandbox.behaviour, name, getattr(SWIFT, name))
        await sandbox.plan("*", "none")
        self.refusals -= sum(mood.name in REFUSING for mood in sandbox.sessions.moods)
        sandbox.sessions.moods.clear()
        end = max(self.clock.monotonic(), self.held_back()) + HEALED_WITHIN
        while self.clock.monotonic() < end:
            await self.pass_by(self.draw.choice(LATEST))
            if not await self.owed() and not await self.without_upo():
                return
        raise AssertionError(f"a back-off outlasts its cause: {await self.owed()} {await self.without_upo()}")

    def held_back(self) -> float:
        """The monotonic second at which the last verdict, the last UPO and the last number are there."""
        latest = [0.0]
        for session in self.place.sandbox.sessions.by_reference.values():
            latest += [invoice.decided_at for invoice in session.invoices.values()]
            latest += [] if session.processed_at is None else [session.processed_at]
        latest += [entry.stored_after for entry in self.place.sandbox.ledger.entries()]
        return max(latest)

    async def records(self) -> list[InvoiceRecord]:
        return await self.place.agent.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=10_000)))

    async def owed(self) -> list[tuple[str, str]]:
        ended = {InvoiceState.ACCEPTED, InvoiceState.REJECTED}
        return [(each.number, each.state.value) for each in await self.records() if each.state not in ended]

    async def without_upo(self) -> list[str]:
        missing = await self.place.agent.store.read(lambda tx: tx.invoices.without_upo(100))
        return [each.number for each in missing]

    async def check(self) -> None:
        """I1: each press is one row; I2: KSeF has each row's bytes once, and nothing else but what it refused by."""
        records = await self.records()
        assert {each.id for each in records} == {heard[0] for _, heard in self.pressed.values()}
        ledger = {entry.key[2]: entry for entry in self.place.sandbox.ledger.entries()}
        assert len(ledger) == len(self.place.sandbox.ledger)
        assert ledger.keys() <= {each.number for each in records}
        refused = 0
        for record in records:
            entry = ledger.get(record.number)
            if record.state is InvoiceState.ACCEPTED:
                assert entry is not None
                assert (entry.sha256, entry.ksef_number) == (record.sha256, record.ksef_number)
            else:
                refused += 1
                assert entry is None or entry.sha256 != record.sha256, "KSeF has it, and the till says it was refused"
        assert refused <= self.refusals, "refused without a reason"


@asynccontextmanager
async def till(folder: Path, seed: int) -> AsyncIterator[Mixture]:
    """A till at work: signed in, with a warm session; by lot one that sends small batches."""
    clock = SwiftClock()
    batches = f"[ksef]\nbatch_from = {random.Random(seed).choice((2, 3, 50))}\n"
    async with (
        agent_with_sandbox(folder, clock=clock, edit=lambda text: text.replace("[ksef]\n", batches)) as place,
        clock.running(),
    ):
        await place.agent.sender.warm()
        yield Mixture(seed, place, clock)


async def live_through(folder: Path, seed: int) -> Mixture:
    async with till(folder, seed) as mixture:
        try:
            await mixture.live()
            await mixture.heal()
            await mixture.check()
        except BaseException as error:
            error.add_note(f"seed {seed}: {'; '.join(mixture.done)}")
            raise
        return mixture


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(20)))
async def test_habits_in_a_mixture(tmp_path: Path, seed: int, record_property: Note) -> None:
    mixture = await live_through(tmp_path, seed)
    record_property("habits", len(mixture.done))
    record_property("presses", len(mixture.pressed))
