"""`ksef-agent reprint ID`."""

from __future__ import annotations

from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.config import Settings


@click.command("reprint")
@click.argument("invoice_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(settings: Settings, invoice_id: str, as_json: bool) -> None:
    """Print an invoice again, marked WYDRUK PONOWNY; ID is its id or its number."""

    async def work(console: remote.Console) -> Any:
        found = await find_id(console, invoice_id)
        return await console.json("POST", f"/v1/invoices/{found}/reprint", body=b"{}")

    answer = remote.run(settings, work)
    if as_json:
        remote.show(answer)
        return
    click.echo(answer["hand_over"])


async def find_id(console: remote.Console, id_or_number: str) -> str:
    """Return the id of an invoice given by id or by number."""
    answer: Any = await console.json("GET", "/v1/invoices", query={"number": id_or_number})
    return str(answer["invoices"][0]["id"]) if answer["invoices"] else id_or_number
