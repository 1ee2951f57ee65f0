"""`ksef-agent clock show|confirm`."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings

STATES = {
    "confirmed": "potwierdzony",
    "assumed": "niepotwierdzony od uruchomienia kasy, ale nic mu nie przeczy",
    "unconfirmed": "niepotwierdzony: kasa nie wystawia faktur",
    "wrong": "błędny: kasa nie wystawia faktur",
}
SOURCES = {"ksef": "KSeF", "ntp": "serwer czasu (NTP)", "manager": "kierownik"}


@click.group("clock")
def command() -> None:
    """Show the till's clock, or confirm that it is right.

    A till whose date nothing confirms issues no invoices until KSeF, a time server or a manager does.
    """


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def show(settings: Settings, as_json: bool) -> None:
    """Show what the clock shows, and who confirmed it."""
    _tell(remote.run(settings, lambda console: console.json("GET", "/v1/clock")), as_json)


@command.command("confirm")
@click.argument("day", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def confirm(settings: Settings, day: datetime, as_json: bool) -> None:
    """Confirm that the clock is right; DATE is what it shows (YYYY-MM-DD)."""
    body = json.dumps({"date": day.date().isoformat()}).encode()
    _tell(remote.run(settings, lambda console: console.json("POST", "/v1/clock", body=body)), as_json)


def _tell(answer: Any, as_json: bool) -> None:
    if as_json:
        show_json(answer, indent=2)
        return
    day = date.fromisoformat(answer["date"])
    click.echo(f"Zegar: {day:%d.%m.%Y} {answer['shows'][11:16]}, {STATES[answer['state']]}.")
    if answer["confirmed_by"] is not None:
        click.echo(f"Potwierdził: {SOURCES[answer['confirmed_by']]}.")
    if answer["problem"] is not None:
        click.echo(answer["problem"])
