"""`ksef-agent register`: the register OFF <-> KSeF of a month, what changed in it since an export, its counts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.domain.errors import Refused
from agent.settings.model import Settings
from agent.system.durable_files import write_whole
from agent.system.os_errors import polish_reason

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("register")
@click.option("--month", required=True, type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM", help="Month of P_1.")
@click.option("--as-of", type=DAY, metavar="YYYY-MM-DD", help="Day for which the JPK markers hold; default: today.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="text: what fits a screen; csv and json: everything.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--changes-since",
    type=DAY,
    metavar="YYYY-MM-DD",
    help="Only rows whose marker changed since that day's export.",
)
@click.option("--counts", is_flag=True, help="Only the counts: how many offline, by mode, how late.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@config_option_without_files
def command(
    settings: Settings,
    *,
    month: datetime,
    as_of: datetime | None,
    form: str,
    as_json: bool,
    changes_since: datetime | None,
    counts: bool,
    out: Path | None,
) -> None:
    """Print the register of a month with the JPK_V7M markers (OFF, BFK, DI or the KSeF number)."""
    if counts and changes_since is not None:
        raise click.UsageError("Either --counts or --changes-since.")
    if as_json:
        form = "json"
    query = {"month": month.date().isoformat()[:7]}
    if as_of is not None:
        query["as_of"] = as_of.date().isoformat()
    if counts:
        text = _counts(_json(settings, "/v1/register/counts", query), form)
    elif changes_since is not None:
        text = _changes(
            _json(settings, "/v1/register/changes", query | {"since": changes_since.date().isoformat()}), form
        )
    else:
        query["format"] = "json" if form == "json" else "csv"
        data = remote.run(settings, lambda console: console.call("GET", "/v1/register", query=query))
        text = data.decode("utf-8")
        if form == "text":
            text = _aligned(list(csv.DictReader(io.StringIO(text))), COLUMNS)
    if out is not None:
        try:
            write_whole(out, text.encode())
        except OSError as error:
            raise Refused(f"Nie można zapisać {out}: {polish_reason(error)}.", code="not-written") from error
        return
    click.echo(text)


COLUMNS = ("number", "issued_on", "mode", "marker", "state", "ksef_number", "deadline", "gross", "currency")
"""What fits a screen; CSV and JSON hold everything."""
CHANGE_COLUMNS = ("number", "issued_on", "old", "new", "ksef_number", "id")


def _json(settings: Settings, path: str, query: Mapping[str, str]) -> Any:
    return remote.run(settings, lambda console: console.json("GET", path, query=query))


def _counts(answer: Mapping[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(answer, ensure_ascii=False, indent=2)
    flat = {**{name: value for name, value in answer.items() if name != "by_mode"}, **answer["by_mode"]}
    return _table([flat], tuple(flat), form)


def _changes(answer: Mapping[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(answer, ensure_ascii=False, indent=2)
    return _table(answer["changes"], CHANGE_COLUMNS, form)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str) -> str:
    cells = [{name: "" if row[name] is None else str(row[name]) for name in columns} for row in rows]
    if form == "text":
        return _aligned(cells, columns)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(cells)
    return text.getvalue()


def _aligned(table: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    rows = [list(columns), *([row[name] for name in columns] for row in table)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
