"""`ksef-agent correct ID FILE`: a return, a price, a wrong buyer; `--outside FILE`: of an invoice issued elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.commands.reprint import find_id
from agent.settings.model import Settings


@click.command("correct")
@click.argument("invoice_id", metavar="[ID]", required=False)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--full-return", is_flag=True, help="Return of everything that is left; no FILE needed.")
@click.option(
    "--outside",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of an invoice this till does not hold: JSON with base (as it was) and correction; no ID.",
)
@click.option("--reason", default="zwrot towaru", show_default=True, help="With --full-return.")
@click.option("--key", help="Idempotency key: the same key never makes a second correction.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(
    settings: Settings,
    *,
    invoice_id: str | None,
    file: Path | None,
    full_return: bool,
    outside: Path | None,
    reason: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Correct an invoice given by id or number; FILE holds the correction as JSON (docs/api.md).

    A base without KSeF number makes the correction wait; it is issued by itself when the number arrives. Exit
    code 1: nothing was issued, or KSeF rejected it.
    """
    if outside is not None and (invoice_id is not None or full_return):
        raise click.UsageError("--outside goes without ID, FILE and --full-return.")
    if outside is None and (invoice_id is None or full_return == (file is not None)):
        raise click.UsageError("ID and either FILE or --full-return; or --outside FILE.")
    given = outside or file
    full = {"kind": "full_return", "reason": reason}
    body = json.dumps(full).encode() if given is None else given.read_bytes()

    async def work(console: remote.Console) -> Any:
        path = "/v1/corrections"
        if invoice_id is not None:
            path = f"/v1/invoices/{await find_id(console, invoice_id)}/corrections"
        return await console.json("POST", path, body=body, key=remote.key_for(body, key))

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
    else:
        click.echo(f"{answer.get('number', 'Korekta w kolejce')}  {answer['state']}")
        click.echo(answer["hand_over"])
        _tell_new_invoice(answer)
    remote.exit_with(answer)


def _tell_new_invoice(answer: Any) -> None:
    """Tell of the second document of a wrong buyer or an exchange."""
    if (new := answer.get("replacement")) is None:
        return
    click.echo(f"{new['number']}  {new['state']}")
    click.echo("Tę nową fakturę wystawiono już wcześniej." if answer.get("replacement_earlier") else new["hand_over"])
