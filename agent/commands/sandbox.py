"""`ksef-agent sandbox`: the embedded KSeF, Latarnia and printer, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import tempfile
from pathlib import Path

import click

from agent.domain.errors import Unavailable
from agent.system.os_errors import polish_reason


@click.command("sandbox", short_help="Run the embedded KSeF, Latarnia and printer.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of KSeF; 0 (default): a free one.")
@click.option(
    "--write-config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write settings for `ksef-agent run --config FILE`; its data lies beside FILE.",
)
@click.option(
    "--limits",
    type=click.Choice(["production", "none"]),
    default="production",
    show_default=True,
    help="Rate limits: those of production (429 beyond them), or none.",
)
def command(port: int, config: Path | None, limits: str) -> None:
    """Run KSeF 2.9.0, Latarnia and a network printer on loopback, awkward on request.

    The first line on stdout is JSON with all addresses and credentials.
    """
    with tempfile.TemporaryDirectory(prefix="ksef-sandbox-") as temporary:
        directory = Path(temporary) if config is None else config.absolute().with_name(f"{config.stem}-certificates")
        asyncio.run(_serve(port, config, limits, directory))


async def _serve(port: int, config: Path | None, limits: str, directory: Path) -> None:
    from agent.sandbox.ksef.limits import TABLES  # noqa: PLC0415 - only this command needs the servers
    from agent.sandbox.provision import describe, export_line, write_config  # noqa: PLC0415
    from agent.sandbox.server import Sandbox  # noqa: PLC0415

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    sandbox = Sandbox(port=port, limits=TABLES[limits])
    try:
        await sandbox.start()
    except OSError as error:
        await sandbox.stop()
        raise Unavailable(f"Nie można otworzyć portu {port}: {polish_reason(error)}.") from error
    try:
        facts = describe(sandbox, directory)
        if config is not None:
            facts = write_config(sandbox, config, facts)
        click.echo(json.dumps(facts))
        if config is not None:
            click.echo(f"ksef-agent run --config {shlex.quote(str(config))}", err=True)
            click.echo(export_line(facts["api"], facts["cashier_token"]), err=True)
        await stopped.wait()
    finally:
        await sandbox.stop()
