"""The calibration slip and `print-test`."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from click.testing import CliRunner
from PIL import Image

from agent.commands.print_test import command
from agent.domain.errors import ConfigError
from agent.sandbox.printer import Fault, NetworkPrinter
from printers import calibration
from printers.preview import plaintext, raster
from printers.profiles.models import PROFILES

POLISH = calibration.LETTERS


@pytest.mark.parametrize("name", PROFILES)
def test_slip_reads_back_on_every_printer(name: str) -> None:
    text = plaintext.decode(calibration.slip("paragon", PROFILES[name]), PROFILES[name])
    assert text.count(POLISH) >= 10
    assert f"Profil: {name}" in " ".join(text.split())


@pytest.mark.parametrize("name", ["generic-80", "generic-58"])
def test_every_code_of_the_slip_is_read(name: str) -> None:
    slip = calibration.slip("paragon", PROFILES[name])
    with Image.open(io.BytesIO(raster.render_png(slip, PROFILES[name]))) as picture:
        codes = zxingcpp.read_barcodes(picture.convert("L"))
    expected = {"generic-80": [216] * 4 + [472] * 2, "generic-58": [216] * 2 + [472]}[name]
    assert sorted(len(code.text) for code in codes) == expected


class PrinterThread:
    """The sandbox printer in a loop of its own, since the command brings its own loop."""

    def __init__(self) -> None:
        self.printer = NetworkPrinter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.printer.start(), self._loop).result(10)

    def plan(self, fault: Fault) -> None:
        asyncio.run_coroutine_threadsafe(self.printer.plan(fault), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.printer.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def device() -> Iterator[PrinterThread]:
    thread = PrinterThread()
    yield thread
    thread.stop()


@pytest.fixture
def config(tmp_path: Path, device: PrinterThread) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        'data_dir = "data"\n[seller]\nnip = "5265877635"\nname = "Sklep"\naddress = { line1 = "ul. Polna 1" }\n'
        f'[[printer]]\nname = "paragon"\nprofile = "epson-tm-t20"\nport = {device.printer.port}\n',
        encoding="utf-8",
    )
    return path


def test_command_prints_and_says_what_to_set(config: Path, device: PrinterThread) -> None:
    result = CliRunner().invoke(command, ["--config", str(config)])
    assert result.exit_code == 0, result.output
    assert "Drukarka „paragon”: wydrukowano" in result.output
    assert "code_page = 18" in result.output
    assert len(device.printer.papers) == 1


def test_command_names_the_trouble_and_fails(config: Path, device: PrinterThread) -> None:
    device.plan(Fault.PAPER_OUT)
    result = CliRunner().invoke(command, ["--config", str(config), "--json"])
    assert result.exit_code == 1
    assert [(one["outcome"], one["code"]) for one in json.loads(result.output)] == [("not_sent", "paper-out")]


def test_command_knows_its_printers(config: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(command, ["--config", str(config), "--printer", "inna"]).exit_code == 2
    bare = tmp_path / "bare.toml"
    bare.write_text(config.read_text(encoding="utf-8").split("[[printer]]")[0], encoding="utf-8")
    assert isinstance(CliRunner().invoke(command, ["--config", str(bare)]).exception, ConfigError)
