"""examples/woocommerce against a fake of WordPress and WooCommerce, over a line that breaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.ports import InvoiceFilter
from tests.fakes.broken_line import BadDay, bad_day, run

PLUGIN = Path(__file__).parents[2] / "examples" / "woocommerce" / "ksef-agent" / "ksef-agent.php"
SHOP = Path(__file__).parent / "woocommerce" / "shop.php"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[BadDay]:
    async with bad_day(tmp_path) as found:
        yield found


async def shop(day: BadDay, **more: str) -> Any:
    said = await run(day.environment | {"PLUGIN": str(PLUGIN)} | more, "php", "-d", "error_reporting=-1", str(SHOP))
    return json.loads(said)


async def test_an_order_becomes_one_invoice_and_its_numbers_stand_with_it(day: BadDay) -> None:
    told = await shop(day)
    (record,) = await day.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    assert (told["runs"], len(set(day.presses))) == (3, 1)
    assert (record.external_ref, record.buyer.identifier, str(record.totals.gross)) == ("4711", "5260250274", "194.70")
    assert told["meta"]["_ksef_agent_number"] == record.number
    assert told["notes"] == [f"Faktura {record.number}. Faktura jest zapisana. Drukuje ją program sprzedaży."]
    assert told["webhooks"] == {"forged": 401, "late": 401, "none": 401, "true": 204}
    assert told["shown"] == f"<p>Faktura {record.number}, numer KSeF 5265877635-20261124-0100001AF629-AF</p>"
    assert day.place.printer.papers == []


async def test_a_rate_that_is_none_of_poland_is_told_with_the_order(day: BadDay) -> None:
    told = await shop(day, RATE_ID="3")
    assert told["notes"][0].startswith("Nie wystawiono faktury: Kawa ziarnista 1 kg: brak stawki VAT")
    assert day.presses == []


async def test_a_refusal_is_told_with_the_order(day: BadDay) -> None:
    told = await shop(day, TOKEN="wrong")
    assert "(token-unknown)" in told["notes"][0]
    assert told["runs"] == 1
