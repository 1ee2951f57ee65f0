"""`ksef-agent mode show|declare|withdraw`."""

from __future__ import annotations

import json
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings


@click.group("mode")
def command() -> None:
    """Show, declare or withdraw a mode.

    A shop may declare offline24, or confirm a total failure; awarie are announced by the Ministry alone.
    """


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def show(settings: Settings, as_json: bool) -> None:
    """Show the mode a press would get now, and why."""
    _tell(remote.run(settings, lambda console: console.json("GET", "/v1/mode")), as_json)


@command.command("declare")
@click.argument("mode", type=click.Choice(["offline24", "total_failure"]))
@click.option("--reason", required=True, help="Kept in the log and in the evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def declare(settings: Settings, mode: str, reason: str, as_json: bool) -> None:
    """Declare offline24, or confirm that a total failure was announced in mass media."""
    body = json.dumps({"mode": mode, "reason": reason}).encode()
    _tell(remote.run(settings, lambda console: console.json("POST", "/v1/mode", body=body)), as_json)


@command.command("withdraw")
@click.option("--reason", required=True, help="Kept in the log and in the evidence.")
@click.option("--false-alarm", is_flag=True, help="The total failure never was: every duty to send is back.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def withdraw(settings: Settings, reason: str, false_alarm: bool, as_json: bool) -> None:
    """Withdraw what was declared; with --false-alarm reject a total failure, confirmed or only announced."""
    query = {"reason": reason, "false_alarm": str(false_alarm).lower()}
    _tell(remote.run(settings, lambda console: console.json("DELETE", "/v1/mode", query=query)), as_json)


def _tell(answer: Any, as_json: bool) -> None:
    if as_json:
        show_json(answer, indent=2)
        return
    click.echo(f"Tryb: {answer['mode']} ({answer['legal_basis']}). {answer['reason']}")
