"""`ksef-agent run`: serve until SIGTERM."""

from __future__ import annotations

import asyncio
import sys

import click

from agent.commands.common import config_option
from agent.settings.model import Settings


@click.command("run")
@config_option
def command(settings: Settings) -> None:
    """Run the agent until SIGTERM: the till's API and page, HQ's /health, printing, sending.

    systemd starts this. A stop finishes the presses under way.
    """
    from agent import app  # noqa: PLC0415 - only this command needs the whole agent
    from agent.serving import serve  # noqa: PLC0415
    from agent.system import journal  # noqa: PLC0415

    journal.configure(till=settings.till)
    app.require_data_dir(settings.data_dir)
    sys.exit(asyncio.run(serve.run(settings)))
