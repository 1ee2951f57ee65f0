"""`ksef-agent token`: who may use the agent over HTTP. The token itself is shown once and kept nowhere."""

from __future__ import annotations

import click

from agent.commands.common import config_option_without_files, show_json
from agent.domain.callers import Role
from agent.services.tokens import Tokens
from agent.settings.model import Settings


@click.group("token")
def command() -> None:
    """Tokens of tills and managers. A running agent follows every change at once."""


@command.command("add")
@config_option_without_files
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.CASHIER),
    show_default=True,
    help="cashier: issue, correct, reprint; manager: also modes, evidence, technical corrections; auditor: read.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add(settings: Settings, name: str, role: str, *, as_json: bool) -> None:
    """Make a token for NAME and print it, this once."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = Tokens.in_directory(settings.data_dir).add(name, Role(role))
    if as_json:
        show_json({"name": name, "role": role, "token": token})
        return
    click.echo(token)
    address = f"http://{settings.api.host}:{settings.api.port}/#token={token}"
    click.echo(f"Adres strony kasy z tym kodem (kod widać tylko teraz): {address}", err=True)


@command.command("list")
@config_option_without_files
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def show(settings: Settings, *, as_json: bool) -> None:
    """List names and roles."""
    entries = Tokens.in_directory(settings.data_dir).list()
    if as_json:
        show_json([{"name": entry.name, "role": entry.role} for entry in entries])
        return
    for entry in entries:
        click.echo(f"{entry.role:8}  {entry.name}")


@command.command("revoke")
@config_option_without_files
@click.argument("name")
def revoke(settings: Settings, name: str) -> None:
    """Take the token of NAME back."""
    Tokens.in_directory(settings.data_dir).revoke(name)
    click.echo(f"Wycofano kod dostępu „{name}”.", err=True)
