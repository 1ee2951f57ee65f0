"""`ksef-agent status`: mode, queue, problems; exit code 1 where something is critical."""

from __future__ import annotations

import sys
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.settings.model import Settings


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the body of /health.")
@config_option_without_files
def command(settings: Settings, as_json: bool) -> None:
    """Show mode, queue and problems. Exit code 1 where something is critical."""

    async def work(console: remote.Console) -> Any:
        return await console.json("GET", "/v1/status"), console.own

    report, own = remote.run(settings, work)
    if as_json:
        remote.show(report)
    else:
        _tell(report, own)
    sys.exit(1 if report["status"] == "critical" else 0)


def _tell(report: Any, own: bool) -> None:
    click.echo(f"Kasa {report['till']}: {report['status']}" + (" (usługa nie działa)" if own else ""))
    click.echo(f"Tryb: {report['mode']}")
    queue = report["queue"]
    click.echo(
        f"Kolejka: nieprzesłane {queue['unsent']}, niepewne {queue['in_doubt']}, "
        f"odrzucone {queue['rejected']}, po terminie {queue['overdue']}"
    )
    for problem in report["problems"]:
        click.echo(f"- {problem['message']} [{problem['code']}]")
