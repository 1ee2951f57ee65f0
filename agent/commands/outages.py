"""`ksef-agent outages [NAME]`: the outages this till knows of, and the closing report of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.commands.written import write_file
from agent.settings.model import Settings

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("outages")
@click.argument("name", required=False)
@click.option("--from", "first", type=DAY, metavar="YYYY-MM-DD", help="Only outages that touch this day or later.")
@click.option("--to", "last", type=DAY, metavar="YYYY-MM-DD", help="Only outages that touch this day or earlier.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the report of NAME as PDF.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@config_option_without_files
def command(
    settings: Settings,
    *,
    name: str | None,
    first: datetime | None,
    last: datetime | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """List the outages (KSeF, maintenance, the line of this shop), or report on one of them by its NAME."""
    if name is None:
        if out is not None:
            raise click.UsageError("--out needs the NAME of an outage.")
        if first is not None and last is not None and first > last:
            raise click.UsageError("--from is later than --to.")
        days = {"from": first, "to": last}
        query = {key: day.date().isoformat() for key, day in days.items() if day is not None}
        answer: Any = remote.run(settings, lambda console: console.json("GET", "/v1/outages", query=query))
        show_json(answer, indent=2) if as_json else _tell_list(answer)
        return
    if first is not None or last is not None:
        raise click.UsageError("--from and --to are for the list, not for one outage.")
    path = f"/v1/outages/{quote(name, safe='')}"
    if out is not None:
        pdf = remote.run(settings, lambda console: console.call("GET", path, query={"format": "pdf"}))
        write_file(out, pdf)
        return
    report: Any = remote.run(settings, lambda console: console.json("GET", path))
    show_json(report, indent=2) if as_json else _tell(report)


def _tell_list(answer: Mapping[str, Any]) -> None:
    for outage in answer["outages"]:
        click.echo(f"{outage['name']}  {_clock(outage['begin'])} - {_clock(outage['end'])}  {outage['basis']}")
    if not answer["outages"]:
        click.echo("Kasa nie zna żadnej przerwy z tego okresu.")


def _tell(report: Mapping[str, Any]) -> None:
    counts = report["counts"]
    click.echo(f"{report['title']}: {_clock(report['begin'])} - {_clock(report['end'])}")
    click.echo(f"Podstawa: {report['basis']}")
    click.echo(
        f"Wystawione: {counts['issued']}, w KSeF: {counts['in_ksef']}, czekają: {counts['waiting']}, "
        f"odrzucone: {counts['rejected']}, nie podlegają: {counts['exempt']}, po terminie: {counts['late']}"
    )
    for value in report["values"]:
        click.echo(f"Wartość brutto: {value['gross']} {value['currency']} (faktur: {value['invoices']})")
    for invoice in report["late"]:
        click.echo(f"po terminie {invoice['deadline']}: {invoice['number']}, {invoice['why']}")
    for sentence in report["conclusions"]:
        click.echo(f"- {sentence}")


def _clock(text: str | None) -> str:
    return "trwa" if text is None else f"{datetime.fromisoformat(text):%d.%m.%Y %H:%M}"
