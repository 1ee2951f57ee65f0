"""`ksef-agent status`: mode, queue, problems; exit code 1 where something is critical, or no service runs."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings

STOPPED = "service-stopped"
STOPPED_MESSAGE = "Usługa nie działa: kasa nie wystawia faktur i nic nie wysyła. Uruchom ją: systemctl start ksef-agent"


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the body of /health.")
@config_option_without_files
def command(settings: Settings, as_json: bool) -> None:
    """Show mode, queue and problems. Exit code 1 where something is critical, or the service is stopped."""

    async def work(console: remote.Console) -> Any:
        report = await console.json("GET", "/v1/status")
        return _stopped(report) if console.own else report

    report = remote.run(settings, work)
    if as_json:
        show_json(report, indent=2)
    else:
        _tell(report)
    sys.exit(1 if report["status"] == "critical" else 0)


def _stopped(report: Any) -> Any:
    """Add what no agent can say of itself: none was running, and the one of this command ends with it."""
    problem = {"code": STOPPED, "message": STOPPED_MESSAGE, "since": report["at"], "severity": "critical"}
    more = {"status": "critical", "problems": [problem, *report["problems"]]}
    return {**report, **more, "problems_total": report["problems_total"] + 1}


def _tell(report: Any) -> None:
    click.echo(f"Kasa {report['till']}: {report['status']}")
    click.echo(f"Tryb: {report['mode']}")
    queue = report["queue"]
    click.echo(
        f"Kolejka: nieprzesłane {queue['unsent']}, niepewne {queue['in_doubt']}, "
        f"odrzucone {queue['rejected']}, po terminie {queue['overdue']}"
    )
    if queue["waiting_for_window"]:
        opens = datetime.fromisoformat(queue["window_opens_at"])
        click.echo(
            f"Czekają na okno wysyłki (sync.backlog_hours): {queue['waiting_for_window']}, od {opens:%d.%m.%Y %H:%M}"
        )
    for problem in report["problems"]:
        click.echo(f"- {problem['message']} [{problem['code']}]")
