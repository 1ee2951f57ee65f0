"""A whole agent and a sandbox in one process: real gateway, wire, store, use cases and printer; only the loops stand.

Tests wake what they want to see: ``agent.connection.probe()``, ``agent.queue.pass_once()``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agent.app import Agent, assembled
from agent.domain.callers import Caller, Role
from agent.domain.invoice import InvoiceRecord
from agent.ports import Clock, Event
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import NIP, Sandbox
from agent.settings.load import load
from agent.settings.model import Settings
from agent.store.sqlite import DATABASE, SqliteStore
from agent.system.clock import SystemClock
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.world import sale

CASHIER = Caller("kasa", Role.CASHIER)
MANAGER = Caller("kierownik", Role.MANAGER)
SWIFT = Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=0)
DECLARED = '\n[issue]\nprefer = "offline24"\n'
"""Settings of a shop that sends in the background."""


class SteppedClock(SystemClock):
    """The real clock, set wrong by ``step``; ``jump`` lets time pass that nobody waited for."""

    step = timedelta(0)
    passed = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.step + self.passed

    def monotonic(self) -> float:
        return super().monotonic() + self.passed.total_seconds()

    def jump(self, time: timedelta) -> None:
        self.passed += time


@dataclass
class AgentWithSandbox:
    """Both sides."""

    sandbox: Sandbox
    agent: Agent
    presses: int = 0

    async def sell(self, **changes: Any) -> InvoiceRecord:
        """Press "invoice"; return the record."""
        self.presses += 1
        body = json.dumps(sale(**changes)).encode()
        answer = await counter.sale(self.agent, body, f"key-{self.presses}", CASHIER)
        return answer.invoices[0].record

    async def record(self, invoice_id: str) -> InvoiceRecord:
        return (await self.agent.invoices.one(invoice_id)).record

    async def log(self, invoice_id: str) -> list[Event]:
        return await self.agent.invoices.events(invoice_id)

    async def problems(self) -> dict[str, str]:
        """Return what /health names: code -> message."""
        await self.agent.problems.refresh()
        return {problem.code: problem.message for problem in self.agent.health.report().problems}


@asynccontextmanager
async def agent_with_sandbox(
    folder: Path,
    *,
    clock: Clock | None = None,
    behaviour: Behaviour = SWIFT,
    extra: str = "",
    edit: Callable[[str], str] = str,
    nip: str = NIP,
) -> AsyncIterator[AgentWithSandbox]:
    """Join both; ``extra`` is appended to the settings, ``edit`` changes them, ``nip`` is the seller's."""
    clock = clock or SystemClock()
    async with Sandbox(clock=clock, behaviour=Behaviour(**_values(behaviour)), limits=NO_LIMITS, nip=nip) as sandbox:
        config = folder / "agent.toml"
        write_config(sandbox, config, describe(sandbox, folder / "certificates"))
        config.write_text(edit(config.read_text("utf-8")) + extra, "utf-8")
        with patch("agent.app.open_store", partial(_open_store, threaded=not isinstance(clock, FakeClock))):
            async with assembled(load(config), clock) as agent:
                yield AgentWithSandbox(sandbox, agent)


async def _open_store(settings: Settings, clock: Clock, *, threaded: bool) -> SqliteStore:
    """Under a FakeClock a commit takes no time: a thread would take some that the clock knows nothing of."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return await SqliteStore.open(settings.data_dir / DATABASE, clock, threaded=threaded)


def _values(behaviour: Behaviour) -> dict[str, Any]:
    return {name: getattr(behaviour, name) for name in Behaviour.__dataclass_fields__}
