"""The main job over real servers: sales while the line goes up and down, every one once in KSeF, every paper scans."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale
from tests.unit.printers.escpos.test_matrix import by_zbar
from tests.unit.printers.escpos.test_scan import ZBAR

PRESSES = 40
NIGHTLY_PRESSES = 200
PATIENT = """
[watch]
probe_seconds = 1
[issue]
budget_seconds = 8
"""
"""The line is found again soon, and a loaded machine still answers within the budget."""


async def press_while_the_line_flaps(place: AgentProcess, presses: int) -> list[dict[str, Any]]:
    """Two cashiers press; every tenth press the line goes down or comes back."""
    answers: list[dict[str, Any]] = []

    async def cashier(numbers: range) -> None:
        for number in numbers:
            if number % 10 == 5:
                await place.sandbox.plan("*", "refuse" if number % 20 == 5 else "none")
            status, answer = await place.post("/v1/invoices", mixed_sale(number), f"sale-{number}")
            assert status == 201, answer
            answers.append(answer)

    await asyncio.gather(cashier(range(0, presses, 2)), cashier(range(1, presses, 2)))
    await place.sandbox.plan("*", "none")
    return answers


async def check_everything(place: AgentProcess, answers: list[dict[str, Any]]) -> None:
    await place.empty_queue()
    ledger = place.sandbox.ledger.entries()
    by_number = {entry.key[2]: entry for entry in ledger}
    pictures = place.folder / "pictures"
    pictures.mkdir()
    printed: list[str] = []
    assert len(by_number) == len(ledger) == len(answers)
    for answer in answers:
        now = await place.get(f"/v1/invoices/{answer['id']}")
        assert now["state"] == "accepted"
        xml = await place.get(f"/v1/invoices/{answer['id']}/xml")
        digest = hashlib.sha256(xml).hexdigest()
        assert digest == answer["sha256"] == now["sha256"]
        assert by_number[answer["number"]].sha256.hex() == digest
        assert by_number[answer["number"]].ksef_number == now["ksef_number"]
        picture = await place.get(f"/v1/invoices/{answer['id']}/receipt.png")
        text = (await place.get(f"/v1/invoices/{answer['id']}/receipt.txt")).decode()
        # the number may have come between the paper and the answer
        known = answer["ksef_number"] is not None and answer["ksef_number"] in text
        expected = {answer["links"]["invoice"]} if known else set(answer["links"].values()) - {None}
        assert by_zxing(picture) == expected, (answer["number"], answer["mode"], answer["paper"])
        (pictures / f"{answer['id']}.png").write_bytes(picture)
        printed += expected
    if ZBAR is not None:  # Debian: zbar-tools; .ci/run installs them
        assert by_zbar(*sorted(pictures.iterdir())) == sorted(printed)


def by_zxing(picture: bytes) -> set[str]:
    with Image.open(io.BytesIO(picture)) as image:
        only_qr = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        # text on a slip is now and then taken for a bar code
        found = zxingcpp.read_barcodes(image.convert("L"), formats=only_qr)
        return {code.text for code in found}


@pytest.mark.nightly
async def test_sales_while_the_line_goes_up_and_down(tmp_path: Path) -> None:
    async with agent_process(tmp_path, extra=PATIENT) as place:
        answers = await press_while_the_line_flaps(place, PRESSES)
        assert {answer["mode"] for answer in answers} >= {"online", "offline24"}
        await check_everything(place, answers)
        assert await place.stop() == 0, place.log()


@pytest.mark.nightly
async def test_two_hundred_sales_while_the_line_goes_up_and_down(tmp_path: Path) -> None:
    async with agent_process(tmp_path, extra=PATIENT) as place:
        answers = await press_while_the_line_flaps(place, NIGHTLY_PRESSES)
        await check_everything(place, answers)


async def test_a_second_agent_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with agent_process(tmp_path) as place:
        second = AgentProcess(place.sandbox, place.facts, place.http, tmp_path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.cli", "run", "--config", str(second.facts["config"])),
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert len(errors.decode().strip().splitlines()) == 1, errors.decode()
