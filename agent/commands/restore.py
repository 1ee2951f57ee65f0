"""`ksef-agent restore FILE`: put a backup back in place.

What a backup can not know are the invoices issued after it. Their numbers are on paper and may be in KSeF, so they must
not be given again: --continue-after names the last one used of each series.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import click

from agent.commands.common import config_option_without_files, plain
from agent.domain.errors import Conflict
from agent.settings.model import Settings
from agent.store.disk import DataLock
from agent.store.maintenance import Summary, restore, summarise
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from agent.system.clock import SystemClock

REASON = "przywrócenie kopii zapasowej"


def _last_numbers(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """Split each SERIES=NUMBER; a usage error otherwise."""
    found = []
    for value in values:
        series, _, number = value.rpartition("=")
        if not series or not number.isdecimal() or int(number) < 1:
            raise click.BadParameter("potrzeba SERIA=NUMER, np. FV-1=1042")
        found.append((series, int(number)))
    return tuple(found)


@click.command("restore")
@click.argument("backup", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--continue-after",
    "last_numbers",
    metavar="SERIES=NUMBER",
    multiple=True,
    callback=_last_numbers,
    help="The last number used of a series, also after the backup. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON; implies --yes.")
@config_option_without_files
def command(
    settings: Settings, *, backup: Path, last_numbers: tuple[tuple[str, int], ...], yes: bool, as_json: bool
) -> None:
    """Check FILE and put it in place of the database, which is kept beside it. The agent must not run."""
    found = summarise(backup)
    _require_same_seller(found, settings)
    if not yes and not as_json:
        _tell(found)
        click.confirm("Przywrócić tę kopię?", abort=True)
    target = settings.data_dir / DATABASE
    sha256 = hashlib.sha256(backup.read_bytes()).hexdigest()
    lock = DataLock(target)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock.take()
    try:
        existed = target.exists()
        moment = SystemClock().now().strftime("%Y%m%dT%H%M%S.%fZ")
        aside = target.with_name(f"{target.name}.replaced-{moment}")
        # in the copy, before it takes the name: an agent that starts after a crash must not give numbers twice
        restore(backup, target, aside, lambda copy: asyncio.run(_record(copy, found, sha256, last_numbers)))
    finally:
        lock.release()
    if as_json:
        facts = {"database": str(target), "replaced": str(aside) if existed else None, **asdict(found)}
        click.echo(json.dumps(facts, ensure_ascii=False, default=plain))
        return
    click.echo(f"Przywrócono {target}.")
    if existed:
        click.echo(f"Poprzednia baza została w {aside}.")


def _require_same_seller(found: Summary, settings: Settings) -> None:
    if found.seller_nip is not None and found.seller_nip != settings.seller.nip:
        raise Conflict(
            f"Kopia zawiera faktury sprzedawcy {found.seller_nip}, a ustawienia są dla {settings.seller.nip}.",
            code="other-seller",
        )


def _tell(found: Summary) -> None:
    click.echo(f"Kopia: faktur {found.invoices}, ostatnia {found.last_number or '-'} z {found.last_issued_at or '-'}.")
    for series, last in found.series.items():
        click.echo(f"Ostatni numer serii {series}: {last}.")
    click.echo(
        "Faktur wystawionych po zrobieniu kopii w niej nie ma. Jeżeli wydano papiery z dalszymi numerami, przerwij "
        "i podaj ostatni z nich: --continue-after SERIA=NUMER."
    )


async def _record(copy: Path, found: Summary, sha256: str, last_numbers: tuple[tuple[str, int], ...]) -> None:
    """Migrate where needed, go on after the numbers already used, and write the restore into the log."""
    store = await SqliteStore.open(copy, SystemClock())

    async def work(transaction: SqliteTransaction) -> None:
        for series, after in last_numbers:
            await transaction.invoices.resume_series(series, after, REASON)
        await transaction.events.append(
            "store.restored",
            {
                "backup_sha256": sha256,
                "invoices": found.invoices,
                "last_event": found.last_event,
                "continue_after": dict(last_numbers),
            },
        )

    try:
        await store.write(work)
    finally:
        await store.close()
