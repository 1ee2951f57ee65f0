"""`ksef-agent export`: old invoices into a folder, and with --prune their bytes out of this database.

Only final invoices are exported; only what was exported, and is still readable there with the same hash, is pruned.
Rows, hashes, links and events stay for ever. The database file does not shrink; its free pages are used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import asdict, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from agent.commands.common import config_option_without_files, show_json
from agent.commands.progress import RunningCount
from agent.domain.errors import ConfigError, DocumentDamaged, Refused
from agent.domain.values import dataclass
from agent.ports import Clock
from agent.services.outages.clock_check import CODES, judged
from agent.services.presses import Presses
from agent.services.records.books import Books
from agent.settings.model import Settings
from agent.store.bundle import Archive, Bundle, collect, holds, page_path
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from agent.system.clock import SystemClock

AT_ONCE = 100
"""Invoices that are read, written and noted together: one sync of their folder, one commit."""
BYTES_AT_ONCE = 4 << 20
"""Where those have so many bytes, no more are added: an invoice of ten thousand lines has megabytes."""
NAMED = 5
"""Damaged documents that a sentence names."""
WARSAW = ZoneInfo("Europe/Warsaw")


@dataclass(slots=True)
class Report:
    """What was done."""

    exported: int = 0
    pruned: int = 0
    kept: int = 0
    """Exported before, old enough, but the file is gone or changed: not pruned."""
    damaged: list[str] = field(default_factory=list)
    """Not exported: their bytes are not those of their hash."""


@click.command("export")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder (default: retention.export_dir).")
@click.option(
    "--before", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="P_1 before this day (default: today)."
)
@click.option("--prune", is_flag=True, help="Drop bytes of exported invoices older than retention.keep_days.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@config_option_without_files
def command(settings: Settings, *, out: Path | None, before: datetime | None, prune: bool, as_json: bool) -> None:
    """Export accepted invoices, one ZIP each. The agent may run."""
    folder = out or settings.retention.export_dir
    if folder is None:
        raise ConfigError(("Nie wiadomo, dokąd eksportować: podaj --out albo ustaw retention.export_dir.",))
    clock = SystemClock()
    today = clock.now().astimezone(WARSAW).date()
    if prune:
        asyncio.run(_require_no_clock_ahead(settings, clock))
    report = asyncio.run(
        _export(
            settings.data_dir / DATABASE,
            folder.absolute(),
            before=before.date() if before else today,
            prune_before=today - timedelta(days=settings.retention.keep_days) if prune else None,
        )
    )
    if as_json:
        facts = {"folder": str(folder), **asdict(report)}
        show_json({key: value for key, value in facts.items() if value != []})
    else:
        click.echo(f"Wyeksportowano do {folder}: {report.exported}. Usunięto treść starych faktur: {report.pruned}.")
    if report.damaged:
        raise Refused(
            f"Nie wyeksportowano dokumentów, których treść jest uszkodzona ({len(report.damaged)}): "
            f"{'; '.join(report.damaged[:NAMED])}",
            code="document-damaged",
        )
    if report.kept:
        raise Refused(
            f"Treści części faktur nie usunięto ({report.kept}): ich plików nie ma w miejscu eksportu albo są inne.",
            code="export-missing",
        )


async def _require_no_clock_ahead(settings: Settings, clock: Clock) -> None:
    """Refuse to drop what is old by a clock that runs ahead: it makes everything old."""
    reader = await SqliteStore.open_readonly(settings.data_dir / DATABASE)
    try:
        verdict = await judged(clock, reader, settings.issue.clock_skew_refuse_seconds)
    finally:
        await reader.close()
    ahead = verdict.skew_seconds is not None and verdict.skew_seconds < 0
    if verdict.problem is not None and ahead:
        raise Refused(
            f"{verdict.problem} {verdict.remedy}; treści starych faktur nie usunięto.", code=CODES[verdict.state]
        )


async def _export(database: Path, folder: Path, *, before: date, prune_before: date | None) -> Report:
    reader = await SqliteStore.open_readonly(database)  # says so where there is no database, and makes none
    await reader.close()
    clock = SystemClock()
    store = await SqliteStore.open(database, clock, exclusive=False)
    report = Report()
    try:
        with RunningCount("Zapisano faktur") as running:
            archive = Archive(folder)
            async for bundles in _batches(store, before, archive.pages, report):
                saved = await asyncio.to_thread(archive.save, bundles)
                await store.write(partial(_note, bundles=bundles, saved=saved))
                report.exported += len(saved)
                for _ in saved:
                    running.step()
        if prune_before is not None:
            await Books(store, clock, Presses(clock)).read_all()  # what the books take from the bytes stays
            await _prune(store, prune_before, report)
    finally:
        await store.close()
    return report


async def _batches(store: SqliteStore, before: date, pages: Set[Path], report: Report) -> AsyncIterator[list[Bundle]]:
    """Yield what is to be exported, a few at a time; ``pages``: of sessions' UPO that the folder has by then."""
    place: int | None = 0
    while place is not None:
        read = partial(_collected, before=before, after=place, pages=pages, report=report)
        place, bundles = await store.read(read)
        if bundles:
            yield bundles


async def _collected(
    transaction: SqliteTransaction, before: date, after: int, pages: Set[Path], report: Report
) -> tuple[int | None, list[Bundle]]:
    """Read the next invoices behind a place, and the place of the last (None: there are none).

    What is damaged is told in the report and left out.
    """
    place: int | None = None
    found: list[Bundle] = []
    known, size = set(pages), 0
    for seq, invoice_id in await transaction.exports.due(before, after, AT_ONCE):
        place = seq
        try:
            bundle = await collect(transaction, invoice_id, known)
        except DocumentDamaged as error:
            report.damaged.append(error.detail)
            continue
        if bundle.session_upo is not None:
            known.add(page_path(bundle.session_upo[0]))
        found.append(bundle)
        size += bundle.size
        if size >= BYTES_AT_ONCE:
            break
    return place, found


async def _note(transaction: SqliteTransaction, bundles: Sequence[Bundle], saved: Sequence[tuple[Path, bytes]]) -> None:
    for bundle, (path, sha256) in zip(bundles, saved, strict=True):
        await transaction.exports.add(bundle.record.id, str(path), sha256)


async def _prune(store: SqliteStore, before: date, report: Report) -> None:
    after = 0
    while found := await store.read(partial(_prunable, before=before, after=after)):
        for seq, invoice_id, place, sha256 in found:
            after = seq
            if not await asyncio.to_thread(holds, Path(place), sha256):
                report.kept += 1
                continue
            await store.write(partial(_prune_one, invoice_id=invoice_id))
            report.pruned += 1


async def _prunable(transaction: SqliteTransaction, before: date, after: int) -> list[tuple[int, str, str, bytes]]:
    return await transaction.exports.prunable(before, after)


async def _prune_one(transaction: SqliteTransaction, invoice_id: str) -> None:
    await transaction.exports.prune(invoice_id)
