"""`ksef-agent outbox`: how far the shop's system is with the webhooks, and delivering them again."""

from __future__ import annotations

import json
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings


@click.group("outbox")
def command() -> None:
    """Webhooks to the shop's system (docs/webhooks.md)."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def status(settings: Settings, as_json: bool) -> None:
    """Show what each subscriber has, and what keeps it."""
    _tell(remote.run(settings, lambda console: console.json("GET", "/v1/outbox")), as_json)


@command.command("replay")
@click.option("--from", "start", type=click.IntRange(min=1), required=True, metavar="N", help="First event again.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def replay(settings: Settings, start: int, as_json: bool) -> None:
    """Deliver all events from N on again; N beyond the cursor leaves out what lies between."""
    body = json.dumps({"from": start}).encode()
    _tell(remote.run(settings, lambda console: console.json("POST", "/v1/outbox/replay", body=body)), as_json)


def _tell(answer: Any, as_json: bool) -> None:
    if as_json:
        show_json(answer, indent=2)
        return
    for each in answer["subscribers"]:
        trouble = f"  nie przyjmuje od {each['failing_since']}: {each['failing_with']}" if each["failing_with"] else ""
        click.echo(f"{each['name']}  {each['cursor']}/{each['newest']}  {each['url']}{trouble}")
    if not answer["subscribers"]:
        click.echo("Nie ustawiono odbiorców zdarzeń (outbox.url, alerts.webhook_url).")
