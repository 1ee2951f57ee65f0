"""`ksef-agent register`: the register OFF <-> KSeF of a month, as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.config import Settings


@click.command("register")
@click.option("--month", required=True, metavar="YYYY-MM", help="Month of P_1.")
@click.option("--as-of", metavar="YYYY-MM-DD", help="Day for which the JPK markers hold; default: today.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="text: what fits a screen; csv and json: everything.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@config_option_without_files
def command(settings: Settings, month: str, as_of: str | None, form: str, out: Path | None) -> None:
    """Print the register of a month with the JPK_V7M markers (OFF, BFK, DI or the KSeF number)."""
    query = {"month": month, "format": "json" if form == "json" else "csv"}
    if as_of is not None:
        query["as_of"] = as_of
    data = remote.run(settings, lambda console: console.call("GET", "/v1/register", query=query))
    if form == "text":
        data = _aligned(data.decode("utf-8-sig")).encode()
    if out is not None:
        out.write_bytes(data)
        return
    click.echo(data.decode("utf-8"))


COLUMNS = ("number", "issued_on", "mode", "marker", "state", "ksef_number", "deadline", "gross", "currency")
"""What fits a screen; CSV and JSON hold everything."""


def _aligned(text: str) -> str:
    table = csv.DictReader(io.StringIO(text))
    rows = [list(COLUMNS), *([row[name] for name in COLUMNS] for row in table)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
