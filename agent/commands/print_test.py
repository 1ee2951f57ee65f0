"""`ksef-agent print-test`: the calibration slip on each configured printer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from agent.commands.as_service import as_the_service, standing
from agent.commands.common import config_option_without_files, show_json
from agent.domain.errors import ConfigError
from agent.ports import Outcome, PrintResult
from agent.settings.model import Settings
from agent.system.clock import SystemClock
from printers import calibration
from printers.printer_set import PrinterSet, build
from printers.profiles.models import PROFILES


def _list_profiles(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from printers.profiles import python_escpos  # noqa: PLC0415 - python-escpos's database, read only where it is asked for

    for name, profile in PROFILES.items():
        click.echo(f"{name:24}{profile.title}")
    for name in python_escpos.names():
        click.echo(f"{name:24}{python_escpos.title(name)} (baza python-escpos)")
    context.exit()


@click.command("print-test")
@click.option("--printer", "name", metavar="NAME", help="Only this printer (default: all).")
@click.option(
    "--profiles",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_profiles,
    help="List all profiles, ours and those of python-escpos, and exit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@click.option(
    "--full", is_flag=True, help="Lead through a day of trials with one printer: paper, cover, cables, power."
)
@click.option(
    "--protocol",
    "protocol_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --full: what was found, as JSON; one not ended goes on (default: in the data directory).",
)
@as_the_service
@config_option_without_files
def command(settings: Settings, name: str | None, as_json: bool, full: bool, protocol_file: Path | None) -> None:
    """Print a slip with letters, widths and QR codes, and say what to set. For root by the rules of the service."""
    fleet = build(settings.printers, SystemClock())
    names = _chosen(fleet, name)
    if full or protocol_file:
        _full(settings, names, protocol_file, wanted=full and not as_json)
        return
    results = asyncio.run(_print_all(fleet, names))
    if as_json:
        show_json([_as_json(result) for result in results])
    else:
        click.echo(f"Uprawnienia: {standing()}.")
        for result in results:
            click.echo(_sentence(result))
            if result.outcome is not Outcome.NOT_SENT:
                click.echo(calibration.advice(fleet.profile(result.printer)))
    if any(result.outcome is not Outcome.DONE for result in results):
        sys.exit(1)


def _full(settings: Settings, names: list[str], file: Path | None, *, wanted: bool) -> None:
    from agent.commands import print_test_full  # noqa: PLC0415 - for this only

    if not wanted:
        raise click.UsageError("--protocol należy do --full; --full zapisuje JSON do pliku i nie łączy się z --json")
    if len(names) > 1:
        raise click.UsageError(f"--full prowadzi przez próby jednej drukarki; podaj --printer: {', '.join(names)}")
    (printer,) = (one for one in settings.printers if one.name == names[0])
    click.echo(f"Uprawnienia: {standing()}.")
    if not print_test_full.run(settings, printer, file, SystemClock()):
        sys.exit(1)


def _chosen(fleet: PrinterSet, name: str | None) -> list[str]:
    if not fleet.individual:
        raise ConfigError(("W ustawieniach nie ma żadnej drukarki ([[printer]]).",))
    if name is None:
        return list(fleet.individual)
    if name not in fleet.individual:
        raise click.BadParameter(f"nie ma drukarki „{name}”; są: {', '.join(fleet.individual)}", param_hint="--printer")
    return [name]


async def _print_all(fleet: PrinterSet, names: list[str]) -> list[PrintResult]:
    async def nothing_to_store(_printer: str, _data: bytes) -> None:
        """A calibration slip is no document."""

    def encode(printer: str) -> bytes:
        return calibration.slip(printer, fleet.profile(printer))

    return [await fleet.individual[name].print(encode, nothing_to_store) for name in names]


def _sentence(result: PrintResult) -> str:
    if result.outcome is Outcome.UNKNOWN:
        return f"{result.problem} Sprawdź, czy wydruk wyszedł."
    if result.outcome is Outcome.NOT_SENT:
        return result.problem or ""
    if result.confirmed:
        return f"Drukarka „{result.printer}”: wydrukowano, drukarka to potwierdziła."
    return f"Drukarka „{result.printer}”: wysłano; ta drukarka nie potwierdza wydruków. Sprawdź papier."


def _as_json(result: PrintResult) -> dict[str, str | bool | None]:
    return {
        "printer": result.printer,
        "outcome": result.outcome.value,
        "confirmed": result.confirmed,
        "code": result.code,
        "problem": result.problem,
    }
