"""`ksef-agent sync`: send what waits, and wait until it is done or stuck."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings


@click.command("sync")
@click.option("--wait", default=60.0, show_default=True, help="Seconds to wait for KSeF's answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts.")
@config_option_without_files
def command(settings: Settings, wait: float, as_json: bool) -> None:
    """Send what waits, now, and wait for KSeF's answers. Exit code 1 where something is left."""

    async def work(console: remote.Console) -> tuple[int, int]:
        before = await _unsent(console)
        await console.json("POST", "/v1/sync", body=b"{}")
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        left = before
        shown = sys.stderr if sys.stderr.isatty() else io.StringIO()
        with click.progressbar(length=before, label="KSeF", file=shown) as bar:
            while left and loop.time() < end:
                await asyncio.sleep(0.5)
                now = await _unsent(console)
                bar.update(max(left - now, 0))
                left = now
        return before, left

    before, left = remote.run(settings, work)
    if as_json:
        show_json({"before": before, "left": left}, indent=2)
    else:
        click.echo(f"Przesłano {before - left}, zostało {left}.")
    sys.exit(1 if left else 0)


async def _unsent(console: remote.Console) -> int:
    answer: Any = await console.json("GET", "/v1/queue")
    total: int = answer["invoices_total"]
    return total
