"""`ksef-agent evidence --from --to --out FILE` and `ksef-agent evidence verify FILE`.

The export reads the database beside a running agent; verify needs neither settings nor database.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from agent.commands.common import config_option_without_files, show_json
from agent.commands.progress import RunningCount
from agent.domain.errors import Refused
from agent.domain.records.evidence_check import verify_zip_files
from agent.domain.records.evidence_files import LOG
from agent.settings.model import Settings
from agent.system.durable_files import written_whole
from agent.system.os_errors import polish_reason

MAX_FILE_BYTES = 256 * 1024 * 1024
"""A file in the zip that would unpack to more is refused, not unpacked."""
MAX_DIRECTORY_BYTES = 256 * 1024 * 1024
"""A zip whose list of files is longer is refused before it is read: it holds half a million invoices."""

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
        with _Opened(file.open("rb", buffering=0)) as opened, zipfile.ZipFile(opened) as archive:
            files = ZipFiles(archive)
            problems = verify_zip_files(files, partial(files.lines, LOG))
            count = len(files)
    except OSError as error:
        raise Refused(f"Nie można odczytać {file}: {polish_reason(error)}.", code="not-a-zip") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refused(f"Plik {file} nie jest poprawnym plikiem zip.", code="not-a-zip") from error
    if as_json:
        show_json({"ok": not problems, "files": count, "problems": problems})
    elif problems:
        click.echo("\n".join(problems))
    else:
        click.echo(f"Dowody są kompletne i niezmienione, plików: {count}.")
    if problems:
        raise click.exceptions.Exit(1)


class _Opened(io.BufferedReader):
    """A zip of which no part is read in one piece that is larger than any of a bundle: zipfile has no such limit."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; BadZipFile where too much is asked for. Without a size zipfile reads the comment at the end only."""
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its list of files is too large")
        return super().read(size)


class ZipFiles(Mapping[str, bytes]):
    """The files of a zip, read one at a time. BadZipFile where a name comes twice or a file is a bomb."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        self._archive = archive
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise zipfile.BadZipFile("two files of one name")

    def __getitem__(self, path: str) -> bytes:
        entry = self._entries[path]
        if entry.file_size > MAX_FILE_BYTES:
            raise zipfile.BadZipFile(f"{path} is too large")
        return self._archive.read(entry)

    def lines(self, path: str) -> Iterator[bytes]:
        """Yield the lines of a file of any size, with their ends; none where it is not there."""
        if path not in self._entries:
            return
        with self._archive.open(self._entries[path]) as file:
            while line := file.readline(MAX_FILE_BYTES):
                if len(line) == MAX_FILE_BYTES:
                    raise zipfile.BadZipFile(f"a line of {path} is too long")
                yield from line.splitlines(keepends=True)

    def __contains__(self, path: object) -> bool:
        """A Mapping would read the file for it."""
        return path in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
