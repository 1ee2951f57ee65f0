"""`ksef-agent hub token`: who may look at the fleet, the register and the evidence."""

from __future__ import annotations

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option_without_files, one_nip, with_store
from agent.hub.domain.records import HubRole
from agent.hub.services.administration import Administration
from agent.hub.settings.model import HubSettings


@click.group("token")
def token() -> None:
    """Tokens of people. A running hub follows every change at once."""


@token.command("add")
@hub_option_without_files
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in HubRole]),
    default=str(HubRole.VIEWER),
    show_default=True,
    help="viewer: fleet and search; auditor: register, evidence, search; manager: everything; monitor: /metrics.",
)
@click.option("--nip", callback=one_nip, default="", help="Only this seller; without it, all of the hub.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add(settings: HubSettings, name: str, role: str, nip: str, *, as_json: bool) -> None:
    """Make a token for NAME and print it, this once."""
    chosen = HubRole(role)
    secret = with_store(settings, lambda store: Administration(store).add_person(name, chosen, nip or None))
    if as_json:
        show_json({"name": name, "role": role, "nip": nip or None, "token": secret})
        return
    click.echo(secret)
    if chosen is HubRole.MONITOR:
        return
    click.echo(f"To kod dostępu, widać go tylko teraz. Wpisuje się go na stronie {_login(settings)}", err=True)


def _login(settings: HubSettings) -> str:
    """Return the address of the login page; where the hub listens on every address, its name is not known here."""
    hub = settings.hub
    scheme = "http" if hub.tls_certificate_file is None else "https"
    everywhere = hub.host in {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
    host = f"[{hub.host}]" if ":" in hub.host else hub.host
    return f"{scheme}://{'ADRES-CENTRALI' if everywhere else host}:{hub.port}/login"


@token.command("list")
@hub_option_without_files
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def show(settings: HubSettings, *, as_json: bool) -> None:
    """List names, roles and sellers."""
    found = with_store(settings, lambda store: store.read(lambda tx: tx.parties.people()))
    if as_json:
        show_json([{"name": each.name, "role": each.role, "nip": each.nip} for each in found])
        return
    for each in found:
        click.echo(f"{each.role:8}  {each.nip or 'wszystkie':10}  {each.name}")


@token.command("revoke")
@hub_option_without_files
@click.argument("name")
def revoke(settings: HubSettings, name: str) -> None:
    """Take the token of NAME back."""
    with_store(settings, lambda store: Administration(store).revoke_person(name))
    click.echo(f"Wycofano kod dostępu „{name}”.", err=True)
