"""`ksef-agent register`: the register OFF <-> KSeF of a month, what changed in it since an export, its counts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files
from agent.commands.written import write_file
from agent.domain.spreadsheets import EXCEL, RFC_4180, Dialect
from agent.settings.model import Settings

DAY = click.DateTime(["%Y-%m-%d"])


FORMS = ("text", "csv", "json", "jpk", "jpk-csv", "payments")


@click.command("register")
@click.option(
    "--month",
    required=True,
    type=click.DateTime(["%Y-%m"]),
    metavar="YYYY-MM",
    help="Month of P_1; for jpk, jpk-csv and changes: of the tax point.",
)
@click.option("--as-of", type=DAY, metavar="YYYY-MM-DD", help="Day for which the JPK markers hold; default: today.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="text",
    show_default=True,
    help="text: what fits a screen; csv, json: everything; jpk, jpk-csv: rows of JPK_V7M(3); payments: by KSeF number.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--excel", is_flag=True, help="Tables as a Polish Excel opens them: semicolon, decimal comma, BOM.")
@click.option("--bom/--no-bom", default=None, help="Byte order mark in front of a table; default: with --excel.")
@click.option(
    "--changes-since",
    type=DAY,
    metavar="YYYY-MM-DD",
    help="Only rows whose marker changed since the JPK was filed on that day.",
)
@click.option("--changes", is_flag=True, help="The same since rows of that month were last given out (jpk, jpk-csv).")
@click.option("--counts", is_flag=True, help="Only the counts: how many offline, by mode, how late.")
@click.option("--ksef", is_flag=True, help="Only the comparison with what KSeF itself holds of these days.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@config_option_without_files
def command(
    settings: Settings,
    *,
    month: datetime,
    as_of: datetime | None,
    form: str,
    as_json: bool,
    excel: bool,
    bom: bool | None,
    changes_since: datetime | None,
    changes: bool,
    counts: bool,
    ksef: bool,
    out: Path | None,
) -> None:
    """Print the register of a month with the JPK_V7M markers (OFF, BFK, DI or the KSeF number).

    Exit code 1 where --ksef finds differences.
    """
    if sum((counts, ksef, changes, changes_since is not None)) > 1:
        raise click.UsageError("Only one of --counts, --ksef, --changes, --changes-since.")
    if as_json:
        form = "json"
    query = {"month": month.date().isoformat()[:7]}
    if as_of is not None and not ksef:
        query["as_of"] = as_of.date().isoformat()
    different = False
    dialect = replace(EXCEL if excel else RFC_4180, bom=excel if bom is None else bom)
    if counts:
        text = _counts(_json(settings, "/v1/register/counts", query), form, dialect)
    elif ksef:
        compared = _json(settings, "/v1/register/ksef", query)
        different = bool(compared["differences"])
        text = _comparison(compared, form, dialect)
    elif changes or changes_since is not None:
        since = {} if changes_since is None else {"since": changes_since.date().isoformat()}
        text = _changes(_json(settings, "/v1/register/changes", query | since), form, dialect)
    else:
        text = _register(settings, query, form, dialect)
    if out is not None:
        write_file(out, text.encode())
    else:
        # a document for programs is UTF-8, whatever the terminal shows
        click.echo(text if form == "text" else text.encode(), nl=not text.endswith("\n"))
    sys.exit(1 if different else 0)


def _register(settings: Settings, query: Mapping[str, str], form: str, dialect: Dialect) -> str:
    asked = {**query, "format": "csv" if form == "text" else form}
    if form in {"csv", "jpk-csv", "payments"}:
        asked |= {"dialect": "excel" if dialect.delimiter == ";" else "rfc4180", "bom": "01"[dialect.bom]}
    data = remote.run(settings, lambda console: console.call("GET", "/v1/register", query=asked))
    text = data.decode("utf-8")
    return _aligned(list(csv.DictReader(io.StringIO(text))), COLUMNS) if form == "text" else text


COLUMNS = ("number", "issued_on", "mode", "marker", "state", "ksef_number", "deadline", "gross", "currency")
"""What fits a screen; CSV and JSON hold everything."""
CHANGE_COLUMNS = ("number", "issued_on", "old", "new", "needs_correction", "ksef_number", "id")
DIFFERENCE_COLUMNS = ("what", "number", "ksef_number", "here", "ksef")


def _json(settings: Settings, path: str, query: Mapping[str, str]) -> Any:
    return remote.run(settings, lambda console: console.json("GET", path, query=query))


def _counts(answer: Mapping[str, Any], form: str, dialect: Dialect) -> str:
    if form == "json":
        return _as_json(answer)
    flat = {**{name: value for name, value in answer.items() if name != "by_mode"}, **answer["by_mode"]}
    return _table([flat], tuple(flat), form, dialect)


def _changes(answer: Mapping[str, Any], form: str, dialect: Dialect) -> str:
    if form == "json":
        return _as_json(answer)
    return _table(answer["changes"], CHANGE_COLUMNS, form, dialect)


def _comparison(answer: Mapping[str, Any], form: str, dialect: Dialect) -> str:
    if form == "json":
        return _as_json(answer)
    table = _table(answer["differences"], DIFFERENCE_COLUMNS, form, dialect)
    if form != "text":
        return table
    here, there = answer["register"], answer["ksef"]
    lines = [
        f"Faktury z datą wystawienia od {answer['first']} do {answer['last']}",
        f"W rejestrze z numerem KSeF: {here['numbered']} (online: {here['online']}); czekające: {here['waiting']}; "
        f"poza KSeF: {here['outside']}",
        f"W KSeF: {there['invoices']}, w tym innych kas i programów: {there['unknown_here']}; "
        f"z tej kasy online: {there['online']}",
        f"Zgodne: {answer['agreeing']}. Różnice: {len(answer['differences'])}",
    ]
    if not answer["complete"]:
        lines.append("KSeF ma więcej faktur, niż wolno naraz odczytać: różnice mogą być pozorne.")
    return "\n".join((*lines, table) if answer["differences"] else lines)


def _as_json(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False, indent=2)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str, dialect: Dialect) -> str:
    if form == "text":
        cells = [{name: "" if row[name] is None else str(row[name]) for name in columns} for row in rows]
        return _aligned(cells, columns)
    return dialect.begin(columns) + "".join(dialect.line(row[name] for name in columns) for row in rows)


def _aligned(table: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    rows = [list(columns), *([row[name] for name in columns] for row in table)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
