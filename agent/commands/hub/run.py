"""`ksef-agent hub run`: serve until SIGTERM."""

from __future__ import annotations

import asyncio
import sys

import click

from agent.commands.hub.common import hub_option
from agent.hub.settings.model import HubSettings


@click.command("run")
@hub_option
def run(settings: HubSettings) -> None:
    """Run a process of the hub until SIGTERM: takes invoices, talks to KSeF, answers tills and people.

    Over PostgreSQL any number of processes may run; each NIP is led by one of them at a time.
    """
    from agent.hub.serving import serve  # noqa: PLC0415 - only this command needs the server
    from agent.system import journal  # noqa: PLC0415

    journal.configure()
    sys.exit(asyncio.run(serve.run(settings)))
