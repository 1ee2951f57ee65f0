"""`ksef-agent hub demo`: hub, three tills, sandbox and printer in one go."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import click

PORT = 8790


@click.command("demo")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port of the fleet page.")
def demo(port: int) -> None:
    """Show a chain on this machine until Ctrl+C: no account, no hardware, nothing leaves it.

    The fleet page, and buttons to sell, to let a till die for good and to cut the line to KSeF.
    """
    from agent.system import journal  # noqa: PLC0415

    journal.configure()
    with tempfile.TemporaryDirectory(prefix="ksef-hub-demo-") as folder:
        asyncio.run(_serve(Path(folder), port))


async def _serve(folder: Path, port: int) -> None:
    from agent.hub.demo.chain import demo_hub, start_tills  # noqa: PLC0415 - the whole hub and the sandbox
    from agent.hub.demo.page import routes  # noqa: PLC0415
    from agent.hub.serving.serve import listening, supervise  # noqa: PLC0415

    async with demo_hub(folder, port) as chain:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, chain.hub.shutdown.begin)
        async with listening(chain.hub, open_token=chain.manager_token, extra=routes(chain)):
            working = asyncio.create_task(supervise(chain.hub), name="hub")
            await start_tills(chain)
            click.echo(f"Strona centrali: http://127.0.0.1:{port}/")
            click.echo(f"Przyciski pokazu: http://127.0.0.1:{port}/demo")
            click.echo(f"Sterowanie piaskownicą (awarie, Latarnia): {chain.sandbox.control}")
            click.echo("Koniec: Ctrl+C")
            await working
