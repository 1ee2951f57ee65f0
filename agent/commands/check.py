"""`ksef-agent check`: everything a till needs, every problem at once, each with its remedy. Changes nothing."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial

import click

from agent.commands.as_service import as_the_service, standing
from agent.commands.common import config_option_without_files
from agent.domain.calendar import local_time
from agent.domain.errors import AgentError
from agent.ksef.certificate_checks import Remark
from agent.ksef.credentials import locate, read_secret
from agent.ksef.crypto import OfflineSigner
from agent.ports import Clock, FolderAway, KsefError
from agent.services.tokens import COMMANDS_FILE, FILE_NAME
from agent.settings.model import Settings
from agent.system.clock import SystemClock
from agent.system.permissions import exposures

LONGEST_EC_LINK = 236
"""Characters of the longest KOD II of an EC certificate (docs/printing.md, section 4)."""
LONGEST_RSA_LINK = 492
START_SECONDS = 3.0
"""What the look at the database before systemd's start may take."""
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    ok: bool
    message: str


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--offline", is_flag=True, help="Do not call KSeF, Latarnia and the printers (before systemd's start).")
@as_the_service
@config_option_without_files
def command(settings: Settings, *, as_json: bool, offline: bool) -> None:
    """Check settings, certificates, clock, printer, KSeF, Latarnia and disk; change and print nothing.

    Every problem at once, each with its remedy. Exit code 1 where anything is wrong. For root by the rules of the
    service: its user, its devices, its credentials.
    """
    findings = [Finding("uprawnienia", ok=True, message=standing()), *asyncio.run(_check(settings, offline))]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        told: set[str] = set()
        for finding in findings:
            message = "jak wyżej." if not finding.ok and finding.message in told else finding.message
            told.add(finding.message)
            click.echo(f"{'  OK  ' if finding.ok else 'PROBLEM'}  {finding.name}: {message}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


async def _check(settings: Settings, offline: bool) -> list[Finding]:
    clock = SystemClock()
    from agent.store.sqlite import DATABASE  # noqa: PLC0415 - heavy, and only needed here

    look = partial(_database, seconds=START_SECONDS if offline else None)
    database = await _run("baza danych", look, settings, clock)
    stored = database.ok and (settings.data_dir / DATABASE).exists()
    checks: list[tuple[str, Callable[[Settings, Clock], Awaitable[str]]]] = [
        ("katalog danych", _data_dir),
        ("prawa plików", _rights),
        ("schemat FA(3)", _schema),
        ("certyfikat Offline", _offline_certificate),
        ("certyfikat uwierzytelniający", _authentication),
        ("kody QR na drukarkach", _codes),
        ("zegar", partial(_clock, stored=stored)),
    ]
    if settings.drop_folder.path is not None:
        checks.append(("katalog wymiany", _drop_folder))
    if not offline and settings.ksef.route == "hub":
        checks += [("centrala", _hub)]
    if not offline and settings.sends_itself:
        checks += [("KSeF i zegar", _ksef), ("logowanie do KSeF", _login)]
    if not offline:
        checks += [("Latarnia", _latarnia), ("drukarki", _printers)]
    folder, *others = [await _run(name, check, settings, clock) for name, check in checks]
    return [folder, database, *others]


async def _run(
    name: str, check: Callable[[Settings, Clock], Awaitable[str]], settings: Settings, clock: Clock
) -> Finding:
    try:
        return Finding(name, ok=True, message=await check(settings, clock))
    except (AgentError, KsefError, OSError) as error:
        return Finding(name, ok=False, message=str(error))
    except sqlite3.Error as error:
        return Finding(name, ok=False, message=f"bazy danych nie da się odczytać: {error}.")


async def _data_dir(settings: Settings, _: Clock) -> str:
    from agent.app import require_data_dir  # noqa: PLC0415 - heavy, and only needed here

    require_data_dir(settings.data_dir)
    free = shutil.disk_usage(settings.data_dir).free // MEGABYTE
    if free < settings.alerts.disk_free_mb:
        raise AgentError(f"Zostało {free} MB wolnego miejsca; zwolnij co najmniej {settings.alerts.disk_free_mb} MB.")
    return f"{settings.data_dir}, wolne {free} MB"


async def _database(settings: Settings, _: Clock, *, seconds: float | None) -> str:
    """Look as the start does; by hand at everything."""
    from agent.store.disk import is_there  # noqa: PLC0415
    from agent.store.opening import look  # noqa: PLC0415
    from agent.store.sqlite import DATABASE  # noqa: PLC0415

    database = settings.data_dir / DATABASE
    if not is_there(database):
        return "jeszcze jej nie ma; założy ją pierwszy start"
    report = look(database, seconds)
    if report.damaged:
        raise AgentError(report.sentence() or "")
    return "sprawdzona w całości" if report.complete else "sprawdzona w części; resztę sprawdza agent raz dziennie"


async def _rights(settings: Settings, _: Clock) -> str:
    """Look at every file with a secret that is there; one that is not is told where it is used."""
    secrets = (*settings.secret_files, *(settings.data_dir / name for name in (FILE_NAME, COMMANDS_FILE)))
    found = [
        sentence for path in secrets if (file := locate(path)).exists() for sentence in exposures(file, secret=True)
    ]
    if found:
        raise AgentError("; ".join(dict.fromkeys(found)) + ".")
    return "tajne pliki czyta tylko program"


async def _clock(settings: Settings, clock: Clock, *, stored: bool) -> str:
    """``stored``: there is a database, and it can be read."""
    from agent.app import open_store_readonly  # noqa: PLC0415
    from agent.services.outages.clock_check import judged  # noqa: PLC0415

    shown = f"{local_time(clock.now()):%d.%m.%Y %H:%M}, serwer czasu (NTP): {'tak' if clock.kept_by_ntp() else 'nie'}"
    if not stored:
        return shown
    store = await open_store_readonly(settings)
    try:
        verdict = await judged(clock, store, settings.issue.clock_skew_refuse_seconds)
    finally:
        await store.close()
    if verdict.problem is not None:
        raise AgentError(f"{verdict.problem} Kasa nie wystawia faktur. {verdict.remedy}.")
    return shown


async def _schema(settings: Settings, _: Clock) -> str:
    from agent.app import load_schema  # noqa: PLC0415

    load_schema(settings)
    return "wczytany"


async def _offline_certificate(settings: Settings, clock: Clock) -> str:
    from agent.app import load_signer, offline_remarks  # noqa: PLC0415

    signer = load_signer(settings)
    if signer is None:
        raise AgentError("nie ustawiono [offline] certificate_file; zdobądź go: ksef-agent enroll --type offline.")
    return _judged(signer, offline_remarks(settings, signer, clock.now()))


async def _authentication(settings: Settings, clock: Clock) -> str:
    from agent.app import authentication_remarks, load_authentication  # noqa: PLC0415

    if not settings.sends_itself:
        return "kasa go nie ma; do KSeF wysyła centrala"
    certificate = load_authentication(settings)
    if certificate is None:
        return _token(settings)
    return _judged(certificate, authentication_remarks(settings, certificate, clock.now()))


def _judged(certificate: OfflineSigner, found: tuple[Remark, ...]) -> str:
    if found:
        raise AgentError(" ".join(remark.text for remark in found))
    return f"{certificate.serial}, ważny do {certificate.expires:%Y-%m-%d}"


def _token(settings: Settings) -> str:
    """Read the KSeF token; its middle part names the context it was given out for (KSeF 2.0: ``…|nip-…|…``)."""
    if settings.ksef.token_file is None:
        raise AgentError("nie ustawiono [ksef] certificate_file ani token_file.")
    named = re.search(r"\|nip-(\d{10})\|", read_secret(settings.ksef.token_file))
    if named is not None and named[1] not in settings.authentication_nips:
        raise AgentError(
            f"token KSeF wydano dla NIP {named[1]}, a ustawienia są dla NIP {settings.seller.nip}; "
            "wygeneruj token w kontekście tej firmy."
        )
    return "logowanie tokenem KSeF"


async def _codes(settings: Settings, clock: Clock) -> str:
    from agent.app import load_signer  # noqa: PLC0415
    from printers.printer_set import build  # noqa: PLC0415

    fleet = build(settings.printers, clock)
    signer = load_signer(settings)
    rsa = signer is not None and len(signer.sign(b"")) > 64
    problems = fleet.check(LONGEST_RSA_LINK if rsa else LONGEST_EC_LINK)
    if problems:
        raise AgentError(" ".join(problems))
    return "mieszczą się"


async def _drop_folder(settings: Settings, clock: Clock) -> str:
    from agent.shared_folder import SharedFolder  # noqa: PLC0415

    chosen = settings.drop_folder
    assert chosen.path is not None
    folder = SharedFolder(chosen.path, clock, mounted=chosen.mounted)
    try:
        await folder.probe()
    except FolderAway as error:
        raise AgentError(
            f"{chosen.path}: {error.reason}. Usługa widzi tylko to, na co pozwala jej jednostka systemd: "
            f"potrzebne ReadWritePaths={chosen.path} i prawa grupy (docs/dropfolder.md)."
        ) from error
    finally:
        folder.close()
    return f"{chosen.path}, można czytać i pisać"


async def _ksef(settings: Settings, clock: Clock) -> str:
    from agent.ksef.gateway import open_gateway  # noqa: PLC0415

    gateway = open_gateway(settings.ksef, settings.seller.nip, clock)
    try:
        skew = await gateway.probe()
    finally:
        await gateway.close()
    if abs(skew) > settings.issue.clock_skew_alarm_seconds:
        raise AgentError(f"zegar kasy różni się od zegara KSeF o {abs(skew):.0f} s; włącz synchronizację czasu.")
    return f"odpowiada, różnica zegarów {abs(skew):.1f} s"


async def _login(settings: Settings, clock: Clock) -> str:
    from agent.ksef.gateway import open_gateway  # noqa: PLC0415

    gateway = open_gateway(settings.ksef, settings.seller.nip, clock)
    try:
        session = await gateway.session()
    finally:
        await gateway.close()
    return f"udane, sesja {session.reference}"


async def _hub(settings: Settings, clock: Clock) -> str:
    from agent.hub_route.chain import open_hub  # noqa: PLC0415

    client = open_hub(settings.hub, clock)
    try:
        skew = (await client.now() - clock.now()).total_seconds()
        await client.group("check")
    finally:
        await client.close()
    if abs(skew) > settings.issue.clock_skew_alarm_seconds:
        raise AgentError(f"zegar kasy różni się od zegara centrali o {abs(skew):.0f} s; włącz synchronizację czasu.")
    return f"zna tę kasę, różnica zegarów {abs(skew):.1f} s"


async def _latarnia(settings: Settings, clock: Clock) -> str:
    from agent.domain.outages.latarnia import parse  # noqa: PLC0415
    from agent.ksef.latarnia import open_latarnia  # noqa: PLC0415

    source = open_latarnia(settings.ksef, clock)
    try:
        reading = await source.read()
    finally:
        await source.close()
    status = parse(reading.status, reading.messages).status
    return "nieznany status" if status is None else status.value


async def _printers(settings: Settings, clock: Clock) -> str:
    from printers.printer_set import build  # noqa: PLC0415

    statuses = await build(settings.printers, clock).printer.status()
    if not statuses:
        raise AgentError("nie ustawiono żadnej drukarki; dokumenty będą tylko w PDF.")
    if troubles := [each.problem for each in statuses if each.problem is not None]:
        raise AgentError(" ".join(troubles))
    return ", ".join(each.name for each in statuses)
