"""`ksef-agent hub backup`: a copy of the hub's SQLite database, beside a running hub."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import click

from agent.commands.hub.common import hub_option_without_files, with_store
from agent.domain.calendar import local_date
from agent.domain.errors import AgentError
from agent.hub.services.overview import BACKUP
from agent.hub.settings.model import HubSettings
from agent.system.clock import SystemClock


@click.command("backup")
@hub_option_without_files
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--nightly", is_flag=True, help="Into [backup] dir, one file a weekday, as the timer does.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@click.option("--if-present", is_flag=True, help="Do nothing where there is no SQLite database.")
def backup(settings: HubSettings, file: Path | None, *, nightly: bool, force: bool, if_present: bool) -> None:
    """Copy the hub's SQLite database into a new FILE, whole as of one instant, and check the copy.

    The hub may run. A copy that is too old is a problem on the fleet page. Over PostgreSQL copies are made with its own
    tools (pg_basebackup, pg_dump).
    """
    from agent.hub.app import database_url  # noqa: PLC0415 - the whole hub
    from agent.hub.store.sqlite.file import DATABASE  # noqa: PLC0415
    from agent.store.maintenance import require_elsewhere  # noqa: PLC0415

    if (file is None) is not nightly:
        raise click.UsageError("Podaj plik albo --nightly, nie jedno i drugie.")
    if database_url(settings):
        if nightly or if_present:
            click.echo("Centrala ma bazę PostgreSQL: nie ma czego kopiować.")
            return
        raise AgentError("Centrala ma bazę PostgreSQL; kopie robią jego narzędzia: pg_basebackup albo pg_dump.")
    source = settings.hub.data_dir / DATABASE
    if not source.is_file():
        if nightly or if_present:
            click.echo("Nie ma jeszcze bazy centrali: nie ma czego kopiować.")
            return
        raise AgentError(f"W {settings.hub.data_dir} nie ma bazy centrali.")
    if file is not None:
        require_elsewhere(source, file)
    now = SystemClock().now()
    if file is None:
        settings.backup.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = settings.backup.dir / f"hub-{local_date(now).isoweekday()}.db"
    elif file.exists() and not force:
        raise AgentError(f"{file} już istnieje; --force zastąpi go.")
    copy(source, file)
    with_store(settings, lambda store: store.write(lambda tx: tx.log.put(BACKUP, {"at": now.isoformat()})))
    click.echo(f"Kopia bazy centrali: {file}")


def copy(source: Path, file: Path) -> None:
    """Copy a database; nothing is left under ``file`` unless it is whole, checked and synced."""
    unfinished = file.with_name(f"{file.name}.part")
    unfinished.unlink(missing_ok=True)
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
            contextlib.closing(sqlite3.connect(unfinished)) as made,
        ):
            original.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")
            found = made.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise AgentError(f"Kopia jest uszkodzona ({found}); sprawdź bazę centrali: ksef-agent hub check.")
        with unfinished.open("rb") as whole:
            os.fsync(whole.fileno())
        unfinished.replace(file)
        folder = os.open(file.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except sqlite3.Error as error:
        raise AgentError(f"Kopia się nie udała: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
