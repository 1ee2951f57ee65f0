"""`rejected` and `reprint` against a running agent, over its HTTP API as a manager."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from agent.commands import issue, queue, rejected, reprint
from agent.domain.fa3.build import build_invoice
from agent.domain.invoice import Address, Buyer, BuyerKind, InvoiceRecord, ReceiptLink
from agent.services.tokens import COMMANDS_FILE
from tests.fakes import counter
from tests.fakes.served import till_http, tokens_in
from tests.fakes.world import BUYER_NIP, CASHIER, MANAGER, SELLER, World, world
from tests.unit.sale.sale_samples import sale

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


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    tokens = tokens_in(tmp_path)
    (tmp_path / COMMANDS_FILE).write_text("kierownik")
    stack = AsyncExitStack()

    async def serve() -> tuple[World, int]:
        place = await stack.enter_async_context(world(tmp_path))
        runner = web.AppRunner(till_http(place, tokens), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return place, runner.addresses[0][1]

    place, port = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    config = tmp_path / "config.toml"
    config.write_text(
        f"""data_dir = "{tmp_path}"
[seller]
nip = "5265877635"
name = "Sklep"
address = {{ line1 = "ul. Prosta 1" }}
[api]
port = {port}
"""
    )
    yield Shop(place, config, loop)
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_technical_correction_and_resend_by_number(shop: Shop) -> None:
    for way, code in (("technical", 450), ("resend", 410)):
        number = shop.rejected(code)
        ran = shop.run(rejected, way, number)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout.startswith(f"{number}  issued  bez numeru KSeF\n")
        refused = shop.run(rejected, way, number)
        assert refused.exit_code == 1  # it is not rejected any more


def test_a_file_is_sent_as_the_technical_correction(shop: Shop, tmp_path: Path) -> None:
    number = shop.rejected(450)
    (waiting,) = shop.do(shop.place.invoices.unsent())
    answer = shop.do(shop.place.invoices.one(waiting.record.id))
    file = tmp_path / "nowy.xml"
    file.write_bytes(answer.record.xml.replace(b"<SystemInfo>ksef-agent", b"<SystemInfo>ksef-agent 2"))
    answer = json.loads(shop.run(rejected, "technical", number, str(file), "--json").stdout)
    assert (answer["number"], answer["state"], answer["version"]) == (number, "issued", 2)


def test_the_number_on_the_receipt_goes_beside_an_xml(shop: Shop, tmp_path: Path) -> None:
    buyer = Buyer(BuyerKind.NIP, BUYER_NIP, "PL", "Nabywca S.A.", Address("ul. Polna 2"))
    to_receipt = replace(sale(buyer=buyer), receipt=ReceiptLink("W000123"))
    now = shop.place.clock.now()
    file = tmp_path / "faktura.xml"
    file.write_bytes(build_invoice(to_receipt, SELLER, number="ERP/1", issued_at=now, system_info="ERP"))
    ran = shop.run(issue, str(file))
    assert ran.exit_code == 1
    assert "?receipt_nip" in str(ran.exception)
    ran = shop.run(issue, str(file), "--receipt-nip", "111-111-11-11")
    assert (ran.exit_code, ran.stdout[:5]) == (0, "ERP/1")
    file.write_text("{}")
    assert shop.run(issue, str(file), "--receipt-nip", "111-111-11-11").exit_code == 2


def test_closing_needs_a_reason_and_ends_the_case(shop: Shop) -> None:
    number = shop.rejected(440)
    assert shop.run(rejected, "close", number).exit_code == 2
    ran = shop.run(rejected, "close", number, "--reason", "wystawiono FV-1/2")
    assert (ran.exit_code, ran.stdout) == (0, f"Zamknięto sprawę: {number}.\n")
    assert shop.do(shop.place.invoices.unsent()) == []


def test_what_is_not_there_is_refused(shop: Shop) -> None:
    for words in (("technical", "FV/0"), ("resend", "FV/0"), ("close", "FV/0", "--reason", "x")):
        ran = shop.run(rejected, *words)
        assert ran.exit_code == 1
        assert "Nie ma takiej faktury" in str(ran.exception)


def test_the_slip_of_a_held_correction_is_printed_again_and_its_case_closed(shop: Shop) -> None:
    base = shop.sell_offline()
    held = shop.hold(base)
    assert f"korekta czeka na numer KSeF faktury {base.number}" in shop.run(queue).stdout
    assert held in shop.run(queue).stdout
    papers = len(shop.place.printer.papers)
    ran = shop.run(reprint, held)
    assert ran.exit_code == 0
    assert ran.stdout.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty.")
    assert len(shop.place.printer.papers) == papers + 1
    shop.do(shop.place.be_rejected(base.id))
    shop.do(shop.place.rejected.close(base.id, "inny dokument", MANAGER))
    shop.do(shop.place.pending.issue_ready())
    assert f"korekty faktury {base.number} nie można wystawić" in shop.run(queue).stdout
    closed = shop.run(rejected, "close", held, "--reason", "oddano gotówkę")
    assert (closed.exit_code, closed.stdout) == (0, f"Zamknięto sprawę: korekta faktury {base.number}.\n")
    assert shop.do(shop.place.pending.refused()) == []
