"""`ksef-agent hub till import`: many tills at once, and again with their old tokens after a hub was lost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option_without_files, with_store
from agent.domain.errors import BadInput
from agent.hub.domain.records import Seller, Till
from agent.hub.domain.till_list import Imported, ImportedTill, ListedTill, read_list, with_token
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.administration import Administration, new_till_token
from agent.hub.settings.model import HubSettings
from agent.ksef.credentials import read_secret
from agent.system.durable_files import make_private_folders, write_as_folder_owner

WORDS = {"shop": "sklep", "series": "serie"}
"""What may differ, for people."""


@click.command("import")
@hub_option_without_files
@click.argument("list_file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.option(
    "--tokens",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with a file NIP-NAME.token for each till: read where it is, made where it is not.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def till_import(settings: HubSettings, list_file: TextIO, tokens: Path | None, *, as_json: bool) -> None:
    """Add all tills of FILE, a JSON array as `till list --json` prints it (- reads it from the standard input).

    A till's token is its member "token", else its file in the folder, else a new one that is put there. A till that the
    hub knows stays as it is, but for a token that is given and is another one. Where the list gives it another shop or
    other series, that is said, and "differs" in JSON; exit 1 then. May be run again at any time.
    """
    listed = read_list(list_file.read())

    async def work(store: HubStore) -> list[tuple[ListedTill, ImportedTill]]:
        sellers, known = await store.read(_sellers_and_tills)
        named = [replace(each, nip=each.nip or _only(sellers)) for each in listed]
        strangers = {(each.nip, each.name) for each in named} - {(each.nip, each.name) for each in known}
        complete = [_complete(each, tokens, stranger=(each.nip, each.name) in strangers) for each in named]
        return list(zip(complete, await Administration(store).import_tills(complete), strict=True))

    done = with_store(settings, work)
    _show(done, as_json=as_json)
    sys.exit(1 if any(found.differs for _, found in done) else 0)


def _show(done: Sequence[tuple[ListedTill, ImportedTill]], *, as_json: bool) -> None:
    if as_json:
        show_json(
            [
                {"nip": each.nip, "name": each.name, "result": found.result.value, "differs": list(found.differs)}
                for each, found in done
            ]
        )
        return
    counted = {result: sum(found.result is result for _, found in done) for result in Imported}
    click.echo(
        f"Dodano kas: {counted[Imported.ADDED]}, zmieniono kod: {counted[Imported.TOKEN_REPLACED]}, "
        f"bez zmian: {counted[Imported.KNOWN]}."
    )
    for each, found in done:
        if found.differs:
            what = " i ".join(WORDS[name] for name in found.differs)
            click.echo(
                f"Kasa „{each.name}”: {what} na liście i w centrali różnią się; zostaje tak jak w centrali.", err=True
            )
    if any(found.differs for _, found in done):
        click.echo(
            "Zmienia to tylko nowa kasa: ksef-agent hub till revoke NAZWA, potem till import z nowym kodem.", err=True
        )


async def _sellers_and_tills(tx: HubTransaction) -> tuple[Sequence[Seller], Sequence[Till]]:
    return await tx.parties.sellers(), await tx.parties.tills()


def _only(sellers: Sequence[Seller]) -> str:
    if len(sellers) != 1:
        raise BadInput(f"Każda kasa na liście musi mieć „nip”: sprzedawców w centrali jest {len(sellers)}.")
    return sellers[0].nip


def _complete(listed: ListedTill, tokens: Path | None, *, stranger: bool) -> ListedTill:
    """Give it its file's token; a till that the hub does not know gets a new one, durable before the hub has it."""
    if listed.token is not None:
        return listed
    if tokens is None:
        if stranger:
            raise BadInput(f"Kasa „{listed.name}” nie ma kodu; podaj --tokens, folder na pliki z kodami.")
        return listed
    name = f"{listed.nip}-{listed.name}.token"
    if "/" in name or "\0" in name:
        raise BadInput(f"Nazwa kasy „{listed.name}” nie może być nazwą pliku; podaj jej „token” na liście.")
    file = tokens / name
    if file.exists():
        return with_token(listed, read_secret(file))
    if not stranger:
        return listed
    made = with_token(listed, new_till_token())
    make_private_folders(tokens)
    write_as_folder_owner(file, f"{made.token}\n".encode())
    return made
