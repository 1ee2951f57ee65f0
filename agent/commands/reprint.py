"""`ksef-agent reprint ID`."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.settings.model import Settings

PRINTED = {"printed", "printing"}
"""printing: metres of paper that are still coming."""


@click.command("reprint")
@click.argument("invoice_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(settings: Settings, invoice_id: str, as_json: bool) -> None:
    """Print an invoice again, marked WYDRUK PONOWNY; ID is its id or its number.

    The id of a correction that waits (`queue` shows it) prints the customer's slip again. Exit code 1
    where no paper came out.
    """

    async def work(console: remote.Console) -> Any:
        path = await find(console, invoice_id)
        return await console.json("POST", f"{path}/reprint", body=b"{}")

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
    else:
        click.echo(answer["hand_over"])
    paper = answer.get("paper")  # a slip of a correction that waits has none
    sys.exit(0 if paper is None or paper["state"] in PRINTED else 1)


async def find(console: remote.Console, id_or_number: str) -> str:
    """Return the path of an invoice by id or number, or of a held correction by id."""
    waiting: Any = await console.json("GET", "/v1/corrections")
    if any(each["id"] == id_or_number for each in (*waiting["held"], *waiting["refused"])):
        return f"/v1/corrections/{id_or_number}"
    return f"/v1/invoices/{await find_id(console, id_or_number)}"


async def find_id(console: remote.Console, id_or_number: str) -> str:
    """Return the id of an invoice given by id or by number, fit for a path."""
    answer: Any = await console.json("GET", "/v1/invoices", query={"number": id_or_number})
    return str(answer["invoices"][0]["id"]) if answer["invoices"] else quote(id_or_number, safe="")
