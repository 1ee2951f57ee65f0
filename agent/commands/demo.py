"""`ksef-agent demo`: one of every paper without a person; `demo --page`: the till page to press "Faktura" on."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import webbrowser
from pathlib import Path

import click

PORT = 8780


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for the papers.",
)
@click.option("--page", is_flag=True, help="Serve the till page until Ctrl+C instead.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port of the till page.")
def command(out: Path, page: bool, port: int) -> None:
    """Show the main job on the embedded sandbox: no account, no hardware, nothing leaves this machine.

    Writes one of every paper as PNG, text and ESC/POS; with --page a person presses "Faktura" in a browser.
    """
    if not page:
        out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ksef-demo-") as temporary:
        asyncio.run(_serve(Path(temporary), port) if page else _papers(Path(temporary), out))


async def _papers(folder: Path, out: Path) -> None:
    from agent.demo.embedded import embedded  # noqa: PLC0415 - the whole agent and the sandbox
    from agent.demo.papers import Papers  # noqa: PLC0415

    async with embedded(folder) as pair:
        await pair.agent.announcements.poll()
        papers = Papers(pair)
        async for shown in papers.all():
            await papers.write(shown, out)
            record = (await pair.agent.invoices.one(shown.invoice_id)).record
            click.echo(f"{shown.name}.png  {shown.title}: {record.number}, {record.state}, {record.ksef_number or '-'}")
        ledger = pair.sandbox.ledger.entries()
    click.echo(f"W rejestrze KSeF (piaskownica) faktur: {len(ledger)}. Wydruki: {out}/")


async def _serve(folder: Path, port: int) -> None:
    from agent.demo.embedded import embedded  # noqa: PLC0415
    from agent.sandbox.provision import export_line  # noqa: PLC0415
    from agent.serving.listeners import listening  # noqa: PLC0415
    from agent.serving.serve import supervise  # noqa: PLC0415
    from agent.system import journal  # noqa: PLC0415

    journal.configure()
    async with embedded(folder, api_port=port) as pair:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, pair.agent.shutdown.begin)
        async with listening(pair.agent, open_token=str(pair.facts["manager_token"])):
            full = f"http://127.0.0.1:{port}/"
            click.echo(f"Strona kasy: {full}")
            click.echo(f"Stan dla nadzoru: {pair.facts['health']}/health")
            click.echo(f"Sterowanie piaskownicą (awarie, Latarnia): {pair.facts['control']}")
            click.echo("Dla programistów (docs/api.md):")
            click.echo(f"  {export_line(full, pair.facts['cashier_token'])}")
            click.echo("Koniec: Ctrl+C")
            if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
                webbrowser.open(full)
            await supervise(pair.agent)
