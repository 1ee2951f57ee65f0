"""`ksef-agent annex`: the annex to the shop's accounting policy, filled from the settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from agent.commands.common import config_option_without_files, show_json
from agent.commands.written import write_file
from agent.settings.model import Settings


@click.command("annex")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The PDF to write.")
@click.option("--json", "as_json", is_flag=True, help="Only print what it is filled with, as JSON.")
@config_option_without_files
def command(settings: Settings, *, out: Path | None, as_json: bool) -> None:
    """Write the annex to the accounting policy: PDF, Polish, two pages, filled from the settings."""
    from agent.domain.calendar import local_date  # noqa: PLC0415 - heavy, and not needed for --help
    from agent.domain.records.policy_annex import policy_annex  # noqa: PLC0415
    from agent.services.records.annex import annex_facts  # noqa: PLC0415
    from agent.system.clock import SystemClock  # noqa: PLC0415
    from printers.printer_set import build  # noqa: PLC0415

    clock = SystemClock()
    facts = annex_facts(settings, local_date(clock.now()))
    if as_json:
        show_json(asdict(facts), indent=2)
        return
    if out is None:
        raise click.UsageError("--out or --json is needed.")
    write_file(out, build((), clock).report(policy_annex(facts)))
    click.echo(f"Zapisano {out}. Uzupełnij nazwiska, przejrzyj z księgowością i podpisz.")
