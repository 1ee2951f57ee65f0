"""`ksef-agent restore FILE`: put a backup back in place.

What a backup cannot know are the invoices issued after it. Their numbers are on paper and may be in KSeF, so they must
not be given again: everybody who knows of them is asked (restore_sources.py), and where nobody can know, a person is.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from agent.commands.common import config_option_without_files, show_json
from agent.commands.restore_sources import Sources, gather
from agent.domain.calendar import local_time
from agent.domain.errors import Conflict, Refused
from agent.domain.event_kinds import EventKind
from agent.domain.monitoring.webhook_ids import NOTE, WebhookIds
from agent.domain.numbering import SERIAL_DIGITS
from agent.domain.records.used_numbers import Plan, UsedDocument, plan
from agent.ports import Json
from agent.services.corrections.pending import refuse_waiting
from agent.settings.model import Settings
from agent.store.lock import DataLock
from agent.store.maintenance import Summary
from agent.store.mark import Mark, mark_path, write_mark
from agent.store.restore import examine, restore, save_documents, sha256_of
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from agent.store.witnesses import numbers_in
from agent.system.clock import SystemClock
from agent.system.os_errors import polish_reason

REASON = "przywrócenie kopii zapasowej"
TOLD_IN_LOG = 1000
"""Numbers of lacking invoices that the event of the restore names."""
HELD_PROBLEM = (
    "Bazę przywrócono z kopii i nie wiadomo, czy tę korektę już wystawiono. "
    "Sprawdź w KSeF; jeżeli nie, zleć ją jeszcze raz."
)


def _last_numbers(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    """Split each SERIES=NUMBER; a usage error otherwise."""
    found = {}
    for value in values:
        series, _, number = value.rpartition("=")
        if not series or not number.isascii() or not number.isdecimal() or len(number) > SERIAL_DIGITS:
            raise click.BadParameter(
                f"potrzeba SERIA=NUMER, np. FV-1=1042 (0: w serii nie wydano żadnego); najwyżej {SERIAL_DIGITS} cyfr"
            )
        found[series] = int(number)
    return found


@click.command("restore")
@click.argument("backup", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--continue-after",
    "ordered",
    metavar="SERIES=NUMBER",
    multiple=True,
    callback=_last_numbers,
    help="The last number used of a series, where it is not the one that was found. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask. Refused where nobody knows the last number of a series.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON; implies --yes.")
@config_option_without_files
def command(settings: Settings, *, backup: Path, ordered: dict[str, int], yes: bool, as_json: bool) -> None:
    """Check FILE and put it in place of the database, which is kept beside it. The agent must not run.

    Numbers go on after the last one used: by the database that is replaced, the mark beside it, other copies, KSeF.
    """
    found = examine(backup)
    _require_same_seller(found, settings)
    database = settings.data_dir / DATABASE
    lock = DataLock(database)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock.take()
    try:
        if database.is_file():
            lock.take_database()
        sources = gather(settings, backup, found, database, SystemClock())
        if not ordered:
            _require_same_till(backup, found, settings, sources)
        agreed = partial(plan, found.series, sources.witnesses, active=sources.active)
        numbers = agreed(ordered=ordered)
        if yes or as_json:
            _require_known(numbers)
        else:
            _tell(found, sources)
            numbers = agreed(ordered=ordered | _ask_for(numbers))
            _tell_plan(found, numbers)
            click.confirm("Przywrócić tę kopię? (y: tak)", abort=True)
        outcome = _restore(backup, database, found, sources, numbers)
    finally:
        lock.release()
    if as_json:
        facts = {**outcome, **asdict(found), "continue_after": dict(numbers.after)}
        facts |= {"lacking": [asdict(each) for each in sources.lacking]}
        facts |= {"sources": [{"name": each.name, "trouble": each.trouble} for each in sources.witnesses]}
        show_json(facts)
        return
    if yes:
        _tell(found, sources)
        _tell_plan(found, numbers)
    _tell_outcome(outcome)


def _restore(backup: Path, database: Path, found: Summary, sources: Sources, numbers: Plan) -> dict[str, Json]:
    """Do it; return what lies where."""
    moment = SystemClock().now().strftime("%Y%m%dT%H%M%S.%fZ")
    target = database.resolve()
    aside = target.with_name(f"{target.name}.replaced-{moment}")
    existed = target.exists()
    unsent = [document.number for document in sources.lacking if document.ksef_number is None]
    folder = aside.with_name(f"{aside.name}-xml")
    try:
        lost = save_documents([*([target] if existed else []), *sources.copies], folder, unsent)
    except OSError as error:
        raise Refused(
            f"Nie można zapisać plików XML obok {target}: {polish_reason(error)}.", code="not-writable"
        ) from error
    sha256 = sha256_of(backup)

    def complete(copy: Path) -> None:
        # in the copy, before it takes the name: an agent that starts after a crash must not give numbers twice
        head = asyncio.run(_record(copy, found, sha256, sources, numbers))
        # without one, or with a damaged one, the old database is bound by nothing either
        before = sources.mark or Mark()
        write_mark(mark_path(database), before.raised(numbers.after, head))

    restore(backup, target, aside, complete)
    return {
        "database": str(database),
        "replaced": str(aside) if existed else None,
        "documents": str(folder) if len(lost) < len(unsent) else None,
        "without_document": list(lost),
    }


async def _record(copy: Path, found: Summary, sha256: str, sources: Sources, numbers: Plan) -> tuple[int, str]:
    """Migrate where needed, go on after the numbers already used, write the restore into the log; its event."""
    clock = SystemClock()
    store = await SqliteStore.open_copy(copy, clock)
    data: dict[str, Json] = {
        "backup_sha256": sha256,
        "invoices": found.invoices,
        "last_event": found.last_event,
        "continue_after": dict(numbers.after),
        "lacking": [document.number for document in sources.lacking[:TOLD_IN_LOG]],
        "lacking_count": len(sources.lacking),
        "sources": {witness.name: witness.trouble or "" for witness in sources.witnesses},
    }

    async def work(transaction: SqliteTransaction) -> tuple[int, str]:
        for series, after in numbers.after.items():
            if after > found.series.get(series, 0):
                await transaction.invoices.resume_series(series, after, REASON)
        await refuse_waiting(transaction, HELD_PROBLEM, still_waiting=sources.still_waiting or frozenset())
        ids = WebhookIds.kept(await transaction.key_values.get(NOTE))
        given = max([sources.last_webhook, *(ids.of(seq) for seq, _ in (sources.mark or Mark()).heads)])
        ids = ids.after_restore(found.last_event, given, clock.now())
        await transaction.key_values.put(NOTE, ids.to_keep())
        data["webhooks_from"] = ids.steps[-1][1]
        event = await transaction.events.append(EventKind.STORE_RESTORED, data)
        return event.seq, event.chain

    try:
        return await store.write(work)
    finally:
        await store.close()


def _require_same_seller(found: Summary, settings: Settings) -> None:
    if found.seller_nip is not None and found.seller_nip != settings.seller.nip:
        raise Conflict(
            f"Kopia zawiera faktury sprzedawcy {found.seller_nip}, a ustawienia są dla {settings.seller.nip}.",
            code="other-seller",
        )


def _require_same_till(backup: Path, found: Summary, settings: Settings, sources: Sources) -> None:
    """Refuse a copy in which nothing is of this till's series; whoever gives last numbers has looked."""
    if not found.series or found.series.keys() & set(sources.active):
        return
    if any(settings.read_number(number) for number in numbers_in(backup, settings.seller.nip)):
        return
    raise Conflict(
        f"W kopii nie ma żadnej faktury tej kasy (till = „{settings.till}”), są serie: {', '.join(found.series)}. "
        "Jeżeli to kopia innej kasy, wskaż właściwą. Jeżeli zmieniono tylko nazwę serii albo wzór numeru, podaj "
        "--continue-after SERIA=NUMER dla serii, w których będą następne faktury (0: nie wydano żadnego).",
        code="other-till",
    )


def _require_known(numbers: Plan) -> None:
    if not numbers.unknown:
        return
    options = " ".join(f"--continue-after {series}=NUMER" for series in numbers.unknown)
    raise Conflict(
        f"Nie wiadomo, na jakim numerze skończyły się serie: {', '.join(numbers.unknown)}. Zastępowanej bazy i zapisu "
        "najwyższych numerów nie ma, nie da się ich odczytać albo są starsze od tego, co wiedzą inni, a KSeF nie zna "
        "faktur, których mu nie przesłano. "
        f"Sprawdź ostatnie wydruki i podaj: {options} (0: nie wydano żadnego).",
        code="last-number-unknown",
    )


def _ask_for(numbers: Plan) -> dict[str, int]:
    """Ask a person for the ends of series that nobody knows."""
    if numbers.unknown:
        click.echo("Nikt nie wie na pewno, na jakim numerze skończyły się serie. Sprawdź ostatnie wydruki i KSeF.")
    return {
        series: click.prompt(
            f"Ostatni wydany numer serii {series} (0: żaden)",
            type=click.IntRange(min=numbers.after[series], max=10**SERIAL_DIGITS - 1),
        )
        for series in numbers.unknown
    }


def _tell(found: Summary, sources: Sources) -> None:
    newest = "-" if found.last_issued_at is None else f"{local_time(found.last_issued_at):%d.%m.%Y %H:%M}"
    click.echo(f"Kopia: faktur {found.invoices}, ostatnia {found.last_number or '-'} z {newest}.")
    for series, last in found.series.items():
        click.echo(f"Ostatni numer serii {series} w kopii: {last}.")
    for witness in sources.witnesses:
        known = ", ".join(f"{series} do {last}" for series, last in sorted(witness.least.items())) or "nic"
        click.echo(f"{witness.name}: zna {known}." + (f" {witness.trouble}" if witness.trouble else ""))
    if not sources.lacking:
        click.echo("Nie znaleziono faktur, których w kopii brakuje.")
        return
    click.echo(f"Faktury, których w kopii brakuje ({len(sources.lacking)}):")
    for document in sources.lacking:
        click.echo("  " + _line(document))


def _line(document: UsedDocument) -> str:
    amount = "-" if document.gross is None else f"{document.gross} {document.currency or ''}".strip()
    date = "-" if document.issued_on is None else document.issued_on.isoformat()
    return f"{document.number}  {date}  {amount}  {document.ksef_number or 'bez numeru KSeF'}"


def _tell_plan(found: Summary, numbers: Plan) -> None:
    for series, last in numbers.after.items():
        skipped = last - found.series.get(series, 0)
        click.echo(f"Seria {series}: następny numer {last + 1}" + (f" (pominięte: {skipped})." if skipped else "."))


def _tell_outcome(outcome: dict[str, Json]) -> None:
    click.echo(f"Przywrócono {outcome['database']}.")
    if outcome["replaced"] is not None:
        click.echo(f"Poprzednia baza została w {outcome['replaced']}.")
    if outcome["documents"] is not None:
        click.echo(
            f"Pliki XML faktur bez numeru KSeF są w {outcome['documents']}. Tych, których KSeF nie ma, nie prześle już "
            "nikt inny: po starcie agenta ksef-agent issue PLIK.xml dla każdej."
        )
    if lost := outcome["without_document"]:
        assert isinstance(lost, list)
        click.echo(
            f"Plików XML tych faktur nikt nie ma ({len(lost)}): {', '.join(map(str, lost))}. Sprawdź każdą w KSeF; "
            "której tam nie ma, tej nikt nie prześle: odszukaj wydruk i oddaj sprawę księgowości."
        )
