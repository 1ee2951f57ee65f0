"""`ksef-agent hub seller|till`: for whom the hub sends, and which tills report to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option_without_files, one_nip, with_store
from agent.domain.errors import BadInput, ConfigError, NotFound
from agent.domain.identifiers import valid_nip
from agent.domain.json_io.canonical import Json
from agent.hub.app import seller_settings
from agent.hub.domain.records import Seller
from agent.hub.services.administration import Administration
from agent.hub.settings.model import HubSettings
from agent.ksef.credentials import authentication_credentials, read_secret

FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


@click.group("seller")
def seller() -> None:
    """Sellers (NIP) the hub sends for, each with its own credentials."""


@seller.command("add")
@hub_option_without_files
@click.argument("nip", callback=one_nip)
@click.option("--name", default="", help="Shown on the fleet page.")
@click.option("--certificate-file", type=FILE, help="KSeF certificate of type Authentication (PEM, or PKCS#12).")
@click.option("--key-file", type=FILE, help="Its private key (PEM); not for PKCS#12.")
@click.option("--passphrase-file", type=FILE, help="Passphrase of the key.")
@click.option("--token-file", type=FILE, help="A KSeF token instead of a certificate.")
@click.option(
    "--certificate-nip", callback=one_nip, default="", help="Whose the certificate is, where it is not the seller's."
)
@click.option(
    "--context-nip", callback=one_nip, default="", help="Context of the log-in, where it is not the seller's NIP."
)
@click.option("--context-internal-id", default="", help="Internal identifier as the context of the log-in.")
@click.option("--renew-before-days", type=click.IntRange(0, 300), default=0, help="Renew the certificate by itself.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add_seller(settings: HubSettings, /, nip: str, name: str, *, as_json: bool, **files: object) -> None:
    """Add the seller NIP. The files stay where they are; the hub reads them there."""
    if not valid_nip(nip):
        raise BadInput(f"NIP „{nip}” jest błędny: potrzeba dziesięciu cyfr z poprawną cyfrą kontrolną.")
    access = _access(files)
    _require_usable(settings, Seller(nip, name, access, datetime.now(UTC)))
    added = with_store(settings, lambda store: Administration(store).add_seller(nip, name, access))
    _say(as_json, {"nip": added.nip, "name": added.name}, f"Dodano sprzedawcę {added.nip}.")


@seller.command("list")
@hub_option_without_files
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def list_sellers(settings: HubSettings, *, as_json: bool) -> None:
    """List the sellers."""
    found = with_store(settings, lambda store: store.read(lambda tx: tx.parties.sellers()))
    if as_json:
        rows = [{"nip": each.nip, "name": each.name, "access": each.access} for each in found]
        show_json(rows)
        return
    for each in found:
        click.echo(f"{each.nip}  {each.name}")


@seller.command("remove")
@hub_option_without_files
@click.argument("nip", callback=one_nip)
def remove_seller(settings: HubSettings, nip: str) -> None:
    """Stop sending for the seller NIP; it must have no tills, and no invoices that are not in KSeF yet."""
    with_store(settings, lambda store: Administration(store).remove_seller(nip))
    click.echo(f"Usunięto sprzedawcę {nip}.", err=True)


@click.group("till")
def till() -> None:
    """Tills that report to the hub."""


@till.command("add")
@hub_option_without_files
@click.argument("name")
@click.option("--nip", callback=one_nip, default="", help="Its seller; needed where there are several.")
@click.option("--shop", default="", help="Where it stands; shown on the fleet page.")
@click.option(
    "--series",
    multiple=True,
    help="A series of its invoice numbers, e.g. FV-7; may be repeated. Without it, it may hand over any number.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def add_till(settings: HubSettings, name: str, nip: str, shop: str, series: tuple[str, ...], *, as_json: bool) -> None:
    """Add the till NAME and print its token, this once."""
    made = with_store(settings, lambda store: Administration(store).add_till(name, nip, shop, series))
    added, token = made.till, made.token
    if as_json:
        rows = {"name": added.name, "nip": added.nip, "series": list(added.series), "token": token}
        show_json(rows)
        return
    click.echo(token)
    click.echo(
        'Kod widać tylko teraz. Na kasie zapisz go w pliku (0600) i ustaw: [ksef] route = "hub", '
        "[hub] url = adres centrali, token_file = ten plik.",
        err=True,
    )


@till.command("list")
@hub_option_without_files
@click.option("--nip", callback=one_nip, default="", help="Only of this seller.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def list_tills(settings: HubSettings, nip: str, *, as_json: bool) -> None:
    """List the tills in use."""
    found = with_store(settings, lambda store: store.read(lambda tx: tx.parties.tills(nip or None)))
    if as_json:
        rows = [
            {"nip": each.nip, "name": each.name, "shop": each.shop, "series": list(each.series), "added": each.added_at}
            for each in found
        ]
        show_json(rows)
        return
    for each in found:
        click.echo(f"{each.nip}  {each.name:20}  {each.shop:30}  {', '.join(each.series)}")


@till.command("revoke")
@hub_option_without_files
@click.argument("name")
@click.option("--nip", callback=one_nip, default="", help="Its seller; needed where there are several.")
def revoke_till(settings: HubSettings, name: str, nip: str) -> None:
    """Take the till's token back, for good: it is refused from the next request on. What it handed over goes on."""
    with_store(settings, lambda store: Administration(store).revoke_till(name, nip))
    click.echo(f"Wycofano kasę „{name}”.", err=True)


@till.command("token")
@hub_option_without_files
@click.argument("name")
@click.option("--nip", callback=one_nip, default="", help="Its seller; needed where there are several.")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def renew_token(settings: HubSettings, name: str, nip: str, *, as_json: bool) -> None:
    """Print a new token for the till NAME in place of its old one, this once."""
    token = with_store(settings, lambda store: Administration(store).renew_token(name, nip)).token
    _say(as_json, {"name": name, "token": token}, token)


@till.command("adopt")
@hub_option_without_files
@click.argument("name")
@click.option("--nip", callback=one_nip, default="", help="Its seller; needed where there are several.")
def adopt(settings: HubSettings, name: str, nip: str) -> None:
    """Let whoever reports next as NAME be the till: after a new disk, or once the second till of its name is gone.

    A new database counts its series from 1. Restore a copy of the old one, or give the till another series first.
    """
    with_store(settings, lambda store: Administration(store).adopt(name, nip))
    click.echo(f"Kasą „{name}” będzie ta, która zgłosi się jako następna.", err=True)


@till.command("settle")
@hub_option_without_files
@click.argument("number")
@click.option("--why", required=True, help="How it was settled; for the hub's log.")
@click.option("--nip", callback=one_nip, default="", help="Its seller; needed where there are several.")
def settle(settings: HubSettings, number: str, why: str, nip: str) -> None:
    """Note that the invoice NUMBER, which KSeF refused and whose till is gone, was looked after in its place."""
    if not with_store(settings, lambda store: Administration(store).settle_number(number, nip, why)):
        raise NotFound(f"Nie ma odrzuconej faktury {number}, której nie odczytała jej kasa.", code="invoice-not-found")
    click.echo(f"Sprawa faktury {number} jest załatwiona.", err=True)


def _access(files: Mapping[str, object]) -> dict[str, Json]:
    access: dict[str, Json] = {
        name: str(value) if isinstance(value, Path) else value  # type: ignore[misc]  # text or number
        for name, value in files.items()
        if value not in {None, "", 0}
    }
    certificate, token = "certificate_file" in access, "token_file" in access
    if certificate == token:
        raise BadInput("Podaj certyfikat (--certificate-file, --key-file) albo token (--token-file), jedno z nich.")
    access["auth"] = "token" if token else "certificate"
    return access


def _require_usable(settings: HubSettings, candidate: Seller) -> None:
    """Read the credentials now: a wrong file is found at the terminal, not by the service at night."""
    own = seller_settings(settings.ksef, candidate)
    try:
        authentication_credentials(own)
        if own.token_file is not None:
            read_secret(own.token_file)
    except ConfigError as error:
        raise BadInput(str(error)) from error


def _say(as_json: bool, document: Mapping[str, Json], sentence: str) -> None:
    if as_json:
        show_json(document)
    else:
        click.echo(sentence)
