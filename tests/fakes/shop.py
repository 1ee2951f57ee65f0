"""A running agent that commands reach over HTTP: the fake world, served by a loop of another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result

from agent.domain.invoice import InvoiceRecord
from tests.fakes import counter
from tests.fakes.world import CASHIER, World

T = TypeVar("T")


@dataclass
class Shop:
    """An agent served by a loop in another thread; each command runs a loop of its own."""

    place: World
    config: Path
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def run(self, module: Any, *words: str) -> Result:
        return CliRunner().invoke(module.command, [*words, "--config", str(self.config)])

    def sell_offline(self) -> InvoiceRecord:
        self.do(self.place.lose_the_line())
        return self.do(self.place.sell())

    def rejected(self, code: int) -> str:
        """Issue an invoice offline, and let KSeF refuse it with this code; return its number."""
        record = self.sell_offline()
        self.do(self.place.be_rejected(record.id, code, "odmowa"))
        return record.number

    def hold(self, base: InvoiceRecord) -> str:
        """Return everything of an invoice without number; return the id of the correction that waits."""
        body = b'{"kind": "full_return", "reason": "zwrot"}'
        held = self.do(counter.correct(self.place, base.id, body, "kor", CASHIER)).held
        assert held is not None
        return held.id
