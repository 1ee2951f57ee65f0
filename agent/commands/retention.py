"""`ksef-agent retention`: how long what is kept, and consumers' data whose period is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.domain.errors import Refused
from agent.settings.model import Settings


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only tell the periods and what is due; erase nothing.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@config_option_without_files
def command(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Erase consumers' data whose retention is over, as the agent does by itself once a day."""
    if dry_run:
        plan: Any = remote.run(settings, lambda console: console.json("GET", "/v1/retention"))
        show_json(plan, indent=2) if as_json else _tell(plan)
        return
    result: Any = remote.run(settings, lambda console: console.json("POST", "/v1/retention"))
    if as_json:
        show_json(result, indent=2)
    else:
        click.echo(f"Usunięto dane osób z faktur: {result['erased']}.")
    if result["waiting"]:
        raise Refused(
            f"Nie usunięto: {', '.join(result['waiting'][:5])}. Ich plików nie ma w archiwum albo są inne; "
            "podłącz archiwum (retention.export_dir) i powtórz.",
            code="export-missing",
        )


def _tell(plan: Mapping[str, Any]) -> None:
    for period in plan["periods"]:
        click.echo(f"{period['what']}: {period['how_long']} ({period['basis']})")
    if plan["hold_until"]:
        click.echo(f"Wstrzymano do {plan['hold_until']} (retention.hold_until).")
    if not plan["clock_confirmed"]:
        click.echo("Nikt nie potwierdza zegara: teraz niczego nie usunie.")
    click.echo(f"Usunięto dotąd z faktur: {plan['erased_count']}. Do usunięcia teraz: {plan['due_count']}.")
    for each in plan["due"]:
        click.echo(f"  {each['number']} z {each['issued_on']}, okres minął {each['period_ended']}")
