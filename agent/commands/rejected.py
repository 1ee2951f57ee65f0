"""`ksef-agent rejected …`: what a manager can do about what KSeF rejected, and about a correction it cannot get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.commands.reprint import find, find_id
from agent.settings.model import Settings


@click.group("rejected")
def command() -> None:
    """End the case of a rejected invoice: technical correction, resend, close.

    ID is the invoice's id or number; `queue` and `status` show what waits for a decision.
    """


@command.command("technical")
@click.argument("invoice_id", metavar="ID")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def technical(settings: Settings, invoice_id: str, file: Path | None, as_json: bool) -> None:
    """Send the same content as a new file (technical correction), once; for invoices issued offline.

    FILE: a corrected FA(3) of the same content; without it the agent makes the new file from the stored one.
    """
    xml = None if file is None else file.read_bytes()
    _act(settings, invoice_id, "technical-correction", as_json, xml=xml)


@command.command("resend")
@click.argument("invoice_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def resend(settings: Settings, invoice_id: str, as_json: bool) -> None:
    """Send the same file again, after the permissions that KSeF missed (410, 415) were granted."""
    _act(settings, invoice_id, "resend", as_json)


@command.command("close")
@click.argument("invoice_id", metavar="ID")
@click.option("--reason", required=True, help="Kept in the log and in the evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def close(settings: Settings, invoice_id: str, reason: str, as_json: bool) -> None:
    """Close the case of a rejected invoice whose sale has another document, or of a correction that cannot be issued.

    Also that of a copy which the hub refuses for its books. Its alerts end; this cannot be undone.
    """
    body = json.dumps({"reason": reason}).encode()

    async def work(console: remote.Console) -> Any:
        path = await find(console, invoice_id)
        return await console.json("POST", f"{path}/close", body=body)

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
        return
    click.echo(f"Zamknięto sprawę: {answer.get('number') or 'korekta faktury ' + answer['base_number']}.")


def _act(settings: Settings, invoice_id: str, way: str, as_json: bool, *, xml: bytes | None = None) -> None:
    async def work(console: remote.Console) -> Any:
        found = await find_id(console, invoice_id)
        content_type = "application/json" if xml is None else "application/xml"
        body = b"{}" if xml is None else xml
        return await console.json("POST", f"/v1/invoices/{found}/{way}", body=body, content_type=content_type)

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
    else:
        click.echo(f"{answer['number']}  {answer['state']}  {answer['ksef_number'] or 'bez numeru KSeF'}")
        click.echo(answer["hand_over"])
    remote.exit_with(answer)
