"""examples/odoo_pos against fakes of Odoo's modules, over a line that breaks."""

from __future__ import annotations

import ast
import json
import runpy
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from agent.ports import InvoiceFilter
from tests.fakes.broken_line import BadDay, bad_day, run

ADDON = Path(__file__).parents[2] / "examples" / "odoo_pos" / "ksef_agent_pos"
TILL = Path(__file__).parent / "odoo" / "till.mjs"
MODULES = {
    "@web/core/confirmation_dialog/confirmation_dialog": "export class AlertDialog {}",
    "@web/core/utils/patch": """export function patch(target, extension) {
  const before = Object.create(Object.getPrototypeOf(target), Object.getOwnPropertyDescriptors(target));
  Object.setPrototypeOf(extension, before);
  Object.defineProperties(target, Object.getOwnPropertyDescriptors(extension));
}""",
    "@point_of_sale/app/screens/payment_screen/payment_screen": """export class PaymentScreen {
  setup() {}
  async afterOrderValidation() { this.next = "ReceiptScreen"; }
}""",
}
"""Odoo's modules by the names that the addon imports; patch() as Odoo's: super is what was there before."""


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[BadDay]:
    async with bad_day(tmp_path) as found:
        yield found


def odoo_in(folder: Path) -> Path:
    """A folder where node finds Odoo's modules and the addon's; the till to run."""
    sources = MODULES | {"@ksef_agent_pos/agent/agent": (ADDON / "static" / "src" / "agent.js").read_text("utf-8")}
    for name, source in sources.items():
        scope, package, *rest = name.split("/")
        root = folder / "node_modules" / scope / package
        file = root.joinpath(*rest).with_suffix(".js")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, "utf-8")
        (root / "package.json").write_text('{"type": "module", "exports": {".": "./agent.js", "./*": "./*.js"}}')
    shutil.copy(ADDON / "static" / "src" / "payment_screen.js", folder / "payment_screen.mjs")
    return Path(shutil.copy(TILL, folder))


async def test_an_order_with_a_customer_becomes_one_invoice(day: BadDay, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = {"AWAY": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        told: Any = json.loads(await run(day.environment | away, "node", str(odoo_in(tmp_path))))
    found = await day.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    numbers = {record.external_ref: record.number for record in found}
    assert set(numbers) == {"order-1", "order-2"}
    assert {str(record.totals.gross) for record in found} == {"138.80"}
    assert [[(each.method, str(each.amount)) for each in record.payments] for record in found] == [
        [("cash", "138.80")],
        [("cash", "138.80")],
    ]
    assert told["numbers"] == {
        "sold": numbers["order-1"],
        "unanswered": numbers["order-2"],
        "anonymous": None,
        "refund": None,
        "odoos": None,
        "foreign": None,
    }
    assert [each["title"] for each in told["away"]] == ["Program kasy nie odpowiada"]
    assert told["seen"][-1]["title"] == "Nie wystawiono faktury"
    assert told["seen"][-1]["body"].startswith("Wino: brak stawki VAT")
    assert {f"Faktura {number}" for number in numbers.values()} <= {each["title"] for each in told["seen"]}
    assert sorted(told["pending"]) == [1, 2]
    assert told["next"] == ["ReceiptScreen"] * 5, "the receipt comes whatever became of the invoice"
    assert told["kept"] == ["{}"]
    assert len(told["seen"]) == 3, "each once"


def test_the_addon_is_one_that_odoo_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = ast.literal_eval((ADDON / "__manifest__.py").read_text("utf-8"))
    for file in manifest["data"]:
        ElementTree.parse(ADDON / file)
    ElementTree.parse(ADDON / "static" / "src" / "receipt.xml")
    odoo, models, fields = ModuleType("odoo"), ModuleType("odoo.models"), ModuleType("odoo.fields")
    models.Model = type("Model", (), {})  # type: ignore[attr-defined]  # as much of Odoo as the models touch
    fields.Char = lambda *_, **more: more  # type: ignore[attr-defined]
    odoo.models, odoo.fields = models, fields  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "odoo", odoo)
    made = {name: runpy.run_path(str(ADDON / "models" / f"{name}.py")) for name in ("pos_config", "pos_order")}
    assert (made["pos_config"]["PosConfig"]._inherit, made["pos_order"]["PosOrder"]._inherit) == (
        "pos.config",
        "pos.order",
    )
    script = (ADDON / "static" / "src" / "payment_screen.js").read_text("utf-8")
    for field in ("ksef_agent_address", "ksef_agent_token"):
        assert field in script
        assert field in vars(made["pos_config"]["PosConfig"])
    for field in ("ksef_agent_id", "ksef_agent_number"):
        assert field in script
        assert field in vars(made["pos_order"]["PosOrder"])
