"""`ksef-agent issue FILE`: the invoice of a sale (JSON), or a ready FA(3) (XML)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.settings.model import Settings


@click.command("issue")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="Idempotency key: the same key never makes a second invoice.")
@click.option("--receipt-nip", help="Of an FA(3) to a fiscal receipt (FP): the buyer's number as the receipt has it.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(settings: Settings, file: Path, key: str | None, receipt_nip: str | None, as_json: bool) -> None:
    """Issue and print the invoice of the sale in FILE (JSON, or FA(3) XML).

    Without --key every call is a new sale. docs/api.md describes the sale.
    """
    body = file.read_bytes()
    ready = body.lstrip()[:1] == b"<"
    if receipt_nip is not None and not ready:
        raise click.UsageError("--receipt-nip goes with an FA(3) XML; a JSON sale says it as receipt.nip.")
    content_type = "application/xml" if ready else "application/json"
    query = None if receipt_nip is None else {"receipt_nip": receipt_nip}

    async def work(console: remote.Console) -> Any:
        used = remote.key_for(body, key)
        return await console.json("POST", "/v1/invoices", body=body, content_type=content_type, key=used, query=query)

    answer = remote.run(settings, work)
    if as_json:
        remote.show(answer)
        return
    click.echo(f"{answer['number']}  {answer['state']}  {answer['ksef_number'] or 'bez numeru KSeF'}")
    click.echo(f"Tryb: {answer['mode']} ({answer['legal_basis']}). {answer['reason']}")
    if answer["deadline"] and not answer["ksef_number"]:
        click.echo(f"Termin przesłania do KSeF: {answer['deadline']}")
    click.echo(answer["hand_over"])
