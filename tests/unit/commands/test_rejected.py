"""`rejected` and `reprint` against a running agent, over its HTTP API as a manager."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from agent.commands import queue, rejected, reprint
from agent.domain.callers import Caller, Role
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.services.tokens import COMMANDS_FILE, Tokens
from agent.settings.model import ApiSettings
from agent.web.api import till_app
from tests.fakes.till import FakeTill

T = TypeVar("T")
CASHIER = Caller("kasa 1", Role.CASHIER)
SALE = {
    "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów"},
    "prices": "gross",
    "lines": [{"name": "Kawa", "quantity": "1", "unit_price": "10.00", "vat": "23"}],
    "payments": [{"method": "cash", "amount": "10.00"}],
}


@dataclass
class Shop:
    """A fake till served by a loop in another thread; each command runs a loop of its own."""

    till: FakeTill
    config: Path
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def run(self, module: Any, *words: str) -> Result:
        return CliRunner().invoke(module.command, [*words, "--config", str(self.config)])

    def sell_offline(self, **facts: object) -> str:
        """Issue an invoice offline, then let KSeF say what ``facts`` say; return its number."""
        self.till.current_mode = Mode.OFFLINE24
        key = f"key-{len(self.till.records)}"
        answer = self.do(self.till.issue_sale(json.dumps(SALE).encode(), key, CASHIER)).invoices[0]
        self.loop.call_soon_threadsafe(lambda: self.till.change(answer.record.id, **facts))
        return answer.record.number

    def hold(self, number: str) -> str:
        """Return everything of an invoice without number; return the id of the correction that waits."""
        (base,) = [each.record for each in self.till.records.values() if each.record.number == number]
        held = self.do(self.till.correct(base.id, b'{"kind": "full_return"}', "kor", CASHIER)).held
        assert held is not None
        return held.id


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    till = FakeTill()
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("polecenia", Role.MANAGER, "kierownik")
    (tmp_path / COMMANDS_FILE).write_text("kierownik")

    async def serve() -> web.AppRunner:
        runner = web.AppRunner(till_app(till, tokens, ApiSettings(port=0)), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    config = tmp_path / "config.toml"
    config.write_text(
        f"""data_dir = "{tmp_path}"
[seller]
nip = "5265877635"
name = "Sklep"
address = {{ line1 = "ul. Prosta 1" }}
[api]
port = {runner.addresses[0][1]}
"""
    )
    yield Shop(till, config, loop)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_technical_correction_and_resend_by_number(shop: Shop) -> None:
    for way, rejection in (("technical", "450: błąd"), ("resend", "410: brak uprawnień")):
        number = shop.sell_offline(state=InvoiceState.REJECTED, rejection=rejection)
        ran = shop.run(rejected, way, number)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout.startswith(f"{number}  issued  bez numeru KSeF\n")
        refused = shop.run(rejected, way, number)
        assert refused.exit_code == 1  # it is not rejected any more


def test_a_file_is_sent_as_the_technical_correction(shop: Shop, tmp_path: Path) -> None:
    number = shop.sell_offline(state=InvoiceState.REJECTED, rejection="450: błąd")
    file = tmp_path / "nowy.xml"
    file.write_bytes(b"<Faktura/>")
    answer = json.loads(shop.run(rejected, "technical", number, str(file), "--json").stdout)
    assert (answer["number"], answer["state"], answer["version"]) == (number, "issued", 2)


def test_closing_needs_a_reason_and_ends_the_case(shop: Shop) -> None:
    number = shop.sell_offline(state=InvoiceState.REJECTED, rejection="440: zajęty")
    assert shop.run(rejected, "close", number).exit_code == 2
    ran = shop.run(rejected, "close", number, "--reason", "wystawiono FV-1/2")
    assert (ran.exit_code, ran.stdout) == (0, f"Zamknięto sprawę: {number}.\n")
    assert [each.record.closed_at is not None for each in shop.till.records.values()] == [True]


def test_what_is_not_there_is_refused(shop: Shop) -> None:
    for words in (("technical", "FV/0"), ("resend", "FV/0"), ("close", "FV/0", "--reason", "x")):
        ran = shop.run(rejected, *words)
        assert ran.exit_code == 1
        assert "Nie ma takiej faktury" in str(ran.exception)


def test_the_slip_of_a_held_correction_is_printed_again_and_its_case_closed(shop: Shop) -> None:
    number = shop.sell_offline()
    held = shop.hold(number)
    assert f"korekta czeka na numer KSeF faktury {number}" in shop.run(queue).stdout
    assert held in shop.run(queue).stdout
    ran = shop.run(reprint, held)
    assert (ran.exit_code, ran.stdout) == (0, shop.till.waiting[0].hand_over + "\n")
    assert "reprint_slip" in shop.till.calls
    shop.loop.call_soon_threadsafe(shop.till.refuse, held)
    assert f"korekty faktury {number} nie można wystawić" in shop.run(queue).stdout
    closed = shop.run(rejected, "close", held, "--reason", "oddano gotówkę")
    assert (closed.exit_code, closed.stdout) == (0, f"Zamknięto sprawę: korekta faktury {number}.\n")
    assert shop.do(shop.till.refused()) == []
