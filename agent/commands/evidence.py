"""`ksef-agent evidence --from --to --out FILE` and `ksef-agent evidence verify FILE`.

The export reads the database beside a running agent; verify needs neither settings nor database.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import click

from agent.commands.common import config_option_without_files, show_json
from agent.commands.progress import RunningCount
from agent.domain.errors import Refused
from agent.domain.records.evidence_check import verify_bundle
from agent.settings.model import Settings
from agent.store.evidence_notes import SqliteEvidenceNotes
from agent.store.evidence_reader import ZipFiles
from agent.system.durable_files import written_whole
from agent.system.os_errors import polish_reason

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("evidence", invoke_without_command=True)
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day of issue (P_1).")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day of issue, included.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The zip to write.")
@click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), help="Settings.")
@click.pass_context
def command(
    context: click.Context, first: datetime | None, last: datetime | None, out: Path | None, config_file: Path | None
) -> None:
    """Export the evidence of a period as one zip, or verify such a zip."""
    if context.invoked_subcommand is not None:
        return
    if first is None or last is None or out is None:
        raise click.UsageError("--from, --to and --out are needed, or: evidence verify FILE.")
    if first > last:
        raise click.UsageError("--from is later than --to.")
    context.invoke(_export, first=first.date(), last=last.date(), out=out, config_file=config_file)


@click.command()
@config_option_without_files
def _export(settings: Settings, first: date, last: date, out: Path) -> None:
    """Write the zip; a half one never bears its name."""
    try:
        with written_whole(out) as file:
            count = asyncio.run(_write(settings, first, last, file))
    except OSError as error:
        raise Refused(f"Nie można zapisać {out}: {polish_reason(error)}.", code="not-written") from error
    click.echo(f"Zapisano {out}, plików: {count}.")


async def _write(settings: Settings, first: date, last: date, file: BinaryIO) -> int:
    from agent.app import open_store_readonly  # noqa: PLC0415 - verify needs none of it
    from agent.services.presses import Presses  # noqa: PLC0415
    from agent.services.records.evidence import Evidence  # noqa: PLC0415
    from agent.store.evidence_index import SqliteEvidenceIndex  # noqa: PLC0415
    from agent.system.clock import SystemClock  # noqa: PLC0415
    from printers.printer_set import build  # noqa: PLC0415

    store = await open_store_readonly(settings)
    clock = SystemClock()
    try:
        evidence = Evidence(
            store, SqliteEvidenceIndex, Presses(clock), settings.seller.nip, build(settings.printers, clock).text
        )
        with RunningCount("Zapisano plików") as running:
            return await evidence.write(first, last, file, running.step)
    finally:
        await store.close()


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def verify(file: Path, as_json: bool) -> None:
    """Check every hash, the chain of the log, and that invoices, UPO and log agree. Exit code 1: something is wrong."""
    try:
        with closing(SqliteEvidenceNotes()) as notes, file.open("rb") as opened:
            files = ZipFiles(opened, notes)
            problems = verify_bundle(files, notes)
            count = len(files)
    except OSError as error:
        raise Refused(f"Nie można odczytać {file}: {polish_reason(error)}.", code="not-a-zip") from error
    except sqlite3.Error as error:
        raise Refused(f"Nie można sprawdzić {file}: brak miejsca na pliki tymczasowe.", code="disk-full") from error
    except (BadZipFile, zlib.error) as error:
        raise Refused(f"Plik {file} nie jest poprawnym plikiem zip.", code="not-a-zip") from error
    if as_json:
        show_json({"ok": not problems, "files": count, "problems": problems})
    elif problems:
        click.echo("\n".join(problems))
    else:
        click.echo(f"Dowody są kompletne i niezmienione, plików: {count}.")
    if problems:
        raise click.exceptions.Exit(1)
