"""`ksef-agent backup FILE`: a snapshot of the database, while the agent runs; `--nightly` for the timer.

What becomes of it is noted beside the database: the running agent tells HQ of a copy that failed or is old.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from agent.commands import rights
from agent.commands.common import config_file_option, show_json
from agent.commands.service_layers import read_settings
from agent.domain.calendar import local_date
from agent.domain.errors import AgentError, NotFound
from agent.store import copies
from agent.store.maintenance import Summary, back_up
from agent.store.sqlite import DATABASE
from agent.system.clock import SystemClock


@click.command("backup")
@click.argument("target", metavar="FILE", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--nightly", is_flag=True, help="Into [backup] dir, one file a weekday, as the timer does.")
@click.option("--if-present", is_flag=True, help="Nothing to do where there is no database yet.")
@click.option(
    "--data-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The database in DIR; the settings, which may be wrong, are not read.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@config_file_option
def command(
    target: Path | None,
    *,
    force: bool,
    nightly: bool,
    if_present: bool,
    data_dir: Path | None,
    as_json: bool,
    config_file: Path | None,
) -> None:
    """Copy the database into FILE and check the copy. The agent may run; presses do not wait.

    A copy that fails, or is too old, is a problem in /health.
    """
    if (target is None) is not nightly:
        raise click.UsageError("Podaj plik albo --nightly, nie jedno i drugie.")
    if data_dir is None or target is None:
        settings = read_settings(config_file, need_files=False)
        data_dir = settings.data_dir if data_dir is None else data_dir
        target = target or settings.backup.dir / f"agent-{local_date(SystemClock().now()).isoweekday()}.db"
    rights.step_down(data_dir)
    source = data_dir / DATABASE
    if (if_present or nightly) and not source.is_file() and copies.read(source).last_at is None:
        click.echo(f"Nie ma jeszcze bazy danych {source}: nie ma czego kopiować.")
        return
    summary = _copy(source, target, unattended=force or nightly)
    if as_json:
        show_json({"file": str(target), **asdict(summary)})
        return
    click.echo(f"Zapisano i sprawdzono {target}: faktur {summary.invoices}, ostatnia {summary.last_number or '-'}.")


def _copy(source: Path, target: Path, *, unattended: bool) -> Summary:
    """Make the copy and note what became of it; a failure to note one never hides why the copy failed.

    Without --force and --nightly a person is there to read why it was not made: no matter for HQ.
    """
    clock = SystemClock()
    try:
        if not source.is_file():
            raise NotFound(f"Nie ma bazy danych {source}. Czy agent był już uruchomiony?", code="no-database")
        summary = back_up(source, target, replace=unattended)
    except AgentError as error:
        if unattended:
            with suppress(OSError):
                copies.note_failure(source, clock.now(), str(error))
        raise
    copies.note_copy(source, clock.now(), target.absolute())
    return summary
