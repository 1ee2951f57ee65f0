"""`ksef-agent run`: serve until SIGTERM."""

from __future__ import annotations

import sys

import click

from agent.commands.common import config_option
from agent.commands.service import serve
from agent.settings.model import Settings


@click.command("run")
@config_option
def command(settings: Settings) -> None:
    """Run the agent until SIGTERM: the till's API and page, HQ's /health, printing, sending.

    systemd starts this. A stop finishes the presses under way.
    """
    sys.exit(serve(settings))
