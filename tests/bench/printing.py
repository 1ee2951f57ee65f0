"""Printing: bytes and milliseconds per receipt, native and raster; previews; a job through a real socket."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import suppress

from agent.ports import Outcome
from agent.sandbox.printer import NetworkPrinter
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from printers.escpos import qr
from printers.escpos.encode import encode
from printers.preview.pdf import render_pdf
from printers.preview.raster import render_png
from printers.printer_set import build
from printers.profiles.models import PROFILES, QrMode
from tests.unit.printers.slips import EC_LINK, RSA_LINK, WIDTHS, invoice, profile

ROUNDS = 30
SERIAL_BYTES_PER_SECOND = 11_520  # 115200 baud


def milliseconds(call: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return median and maximum."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken), max(taken)


def encoding() -> None:
    """Bytes and time per receipt; codes are drawn anew each time, as for every new invoice."""
    print(f"{'paper':16}{'codes':9}{'key':5}{'bytes':>8}{'ms':>8}{'ms max':>8}{'s at 115200':>13}")
    for name in WIDTHS:
        for mode in QrMode:
            for key, link in (("EC", EC_LINK), ("RSA", RSA_LINK)):
                kind, slip = profile(name, mode), invoice(link)

                def fresh(kind=kind, slip=slip) -> bytes:  # type: ignore[no-untyped-def]
                    qr.matrix.cache_clear()
                    return encode(slip, kind)

                size = len(fresh())
                median, worst = milliseconds(fresh)
                seconds = size / SERIAL_BYTES_PER_SECOND
                print(f"{name:16}{mode.value:9}{key:5}{size:8}{median:8.2f}{worst:8.2f}{seconds:13.2f}")


def previews() -> None:
    """Picture and PDF of the same receipt."""
    kind = PROFILES["generic-80"]
    data = encode(invoice(), kind)
    print(f"png  {len(render_png(data, kind)):8} bytes, {milliseconds(lambda: render_png(data, kind))[0]:7.1f} ms")
    print(f"pdf  {len(render_pdf(invoice())):8} bytes, {milliseconds(lambda: render_pdf(invoice()))[0]:7.1f} ms")


async def jobs() -> None:
    """Jobs to the sandbox printer over TCP, with precheck and proof; and the longest gap in the loop meanwhile."""
    device = NetworkPrinter()
    await device.start()
    fleet = build([PrinterSettings(profile="epson-tm-t20", port=device.port)], SystemClock())
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append((time.perf_counter() - start - 0.001) * 1000)

    async def sent(_name: str, _data: bytes) -> None:
        """Nothing to store here."""

    taken = []
    ticker = asyncio.create_task(tick())
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = await fleet.printer.print(lambda name: fleet.encode(name, invoice()), sent)
        taken.append((time.perf_counter() - start) * 1000)
        assert result.outcome is Outcome.DONE
    ticker.cancel()
    with suppress(asyncio.CancelledError):
        await ticker
    await device.stop()
    print(f"job  {statistics.median(taken):7.1f} ms median, {max(taken):.1f} ms max")
    print(f"longest gap in the loop {max(gaps):.1f} ms")


def main() -> None:
    """Print all."""
    encoding()
    previews()
    asyncio.run(jobs())
