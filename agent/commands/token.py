"""`ksef-agent token`: who may use the agent over HTTP. The token itself is shown once and kept nowhere."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from agent.commands.common import config_option_without_files, show_json
from agent.domain.callers import Role
from agent.services.manager_pins import ManagerPins
from agent.services.tokens import LEAST_LETTERS, Tokens
from agent.settings.model import Settings
from agent.system.clock import SystemClock


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
@click.option(
    "--from-file",
    "given",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Take the token of this file, made elsewhere (-: standard input). May be repeated; nothing is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add(settings: Settings, name: str, role: str, *, given: TextIO | None, as_json: bool) -> None:
    """Make a token for NAME and print it, this once.

    With --from-file headquarters gives the token: the name has it then, whatever it had before.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given is not None:
        changed = Tokens.in_directory(settings.data_dir).ensure(name, Role(role), _read(given))
        if as_json:
            show_json({"name": name, "role": role, "changed": changed})
        else:
            click.echo(f"Kod dostępu „{name}” {'zapisano' if changed else 'już jest'}.", err=True)
        return
    token = Tokens.in_directory(settings.data_dir).add(name, Role(role))
    if as_json:
        show_json({"name": name, "role": role, "token": token})
        return
    click.echo(token)
    address = f"{settings.api.address}/#token={token}"
    click.echo(f"Adres strony kasy z tym kodem (kod widać tylko teraz): {address}", err=True)


def _read(file: TextIO) -> str:
    """Return the token of a file; a usage error where it is none."""
    try:
        token = file.read(10_000).strip()
    except ValueError as error:
        raise click.BadParameter("plik nie jest tekstem UTF-8", param_hint="--from-file") from error
    if len(token) < LEAST_LETTERS or not token.isascii() or not token.isprintable() or " " in token:
        text = f"kod ma mieć co najmniej {LEAST_LETTERS} znaków ASCII bez spacji, np. z: openssl rand -hex 32"
        raise click.BadParameter(text, param_hint="--from-file")
    return token


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


@command.command("pin")
@config_option_without_files
@click.argument("name")
@click.option("--remove", is_flag=True, help="Take the PIN of NAME away.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the PIN from standard input instead of asking.")
def pin(settings: Settings, name: str, *, remove: bool, from_stdin: bool) -> None:
    """Set the PIN with which the manager NAME comes in at the till page; it ends a lock.

    6 to 12 digits. No program can use it: it is asked for beside the till's own token, at most ten times in a row.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    pins = ManagerPins(settings.data_dir, SystemClock())
    if remove:
        pins.remove(name)
        click.echo(f"Kierownik „{name}” nie ma już PIN-u.", err=True)
        return
    given = (
        sys.stdin.readline().strip() if from_stdin else click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    )
    pins.set(name, given)
    click.echo(f"Ustawiono PIN kierownika „{name}”.", err=True)


@command.command("revoke")
@config_option_without_files
@click.argument("name")
def revoke(settings: Settings, name: str) -> None:
    """Take the token of NAME back."""
    Tokens.in_directory(settings.data_dir).revoke(name)
    click.echo(f"Wycofano kod dostępu „{name}”.", err=True)
