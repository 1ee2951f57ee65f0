"""`ksef-agent queue`: what KSeF does not have yet, most urgent first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings


@click.command("queue")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(settings: Settings, as_json: bool) -> None:
    """List the invoices that KSeF does not have yet, and the corrections that wait for a number."""

    async def work(console: remote.Console) -> Any:
        return await console.json("GET", "/v1/queue")

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
        return
    for invoice in answer["invoices"]:
        deadline = invoice["deadline"] or "bez terminu"
        click.echo(f"{deadline}  {invoice['state']:9}  {invoice['mode']:14}  {invoice['number']}  {invoice['id']}")
    more = answer["invoices_total"] - len(answer["invoices"])
    if more:
        click.echo(f"i dalsze, mniej pilne: {more} (wszystkich: {answer['invoices_total']})")
    if answer["waiting_for_window"]:
        opens = datetime.fromisoformat(answer["window_opens_at"])
        click.echo(
            f"w oknie wysyłki od {opens:%d.%m.%Y %H:%M}: {answer['waiting_for_window']} (teraz: ksef-agent sync)"
        )
    for held in answer["held"]:
        amount = f"{held['gross']} {held['currency']}"
        click.echo(f"korekta czeka na numer KSeF faktury {held['base_number']}  {amount}  {held['id']}")
    for held in answer["refused"]:
        click.echo(f"korekty faktury {held['base_number']} nie można wystawić: {held['problem']}  {held['id']}")
    if not answer["invoices"]:
        click.echo("Kolejka jest pusta: KSeF ma wszystkie faktury.")
