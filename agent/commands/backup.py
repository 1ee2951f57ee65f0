"""`ksef-agent backup FILE`: a snapshot of the database, while the agent runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from agent.commands.common import config_option_without_files, plain
from agent.domain.errors import NotFound
from agent.settings.model import Settings
from agent.store.maintenance import back_up
from agent.store.sqlite import DATABASE


@click.command("backup")
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@config_option_without_files
def command(settings: Settings, *, target: Path, force: bool, as_json: bool) -> None:
    """Copy the database into FILE and check the copy. The agent may run; presses do not wait."""
    source = settings.data_dir / DATABASE
    if not source.is_file():
        raise NotFound(f"Nie ma bazy danych {source}. Czy agent był już uruchomiony?", code="no-database")
    summary = back_up(source, target, replace=force)
    if as_json:
        click.echo(json.dumps({"file": str(target), **asdict(summary)}, ensure_ascii=False, default=plain))
        return
    click.echo(f"Zapisano i sprawdzono {target}: faktur {summary.invoices}, ostatnia {summary.last_number or '-'}.")
