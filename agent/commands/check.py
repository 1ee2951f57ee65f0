"""`ksef-agent check`: everything a till needs, every problem at once, each with its remedy. Changes nothing.

Wrong settings are findings too: with --json they come out as JSON, exit code 3. --explain says where each value stands.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import pwd
import re
import socket
import sqlite3
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import click

from agent.commands import rights
from agent.commands.as_service import as_the_service, standing
from agent.commands.common import config_file_option, show_json
from agent.commands.service_layers import environment_for
from agent.domain.calendar import local_time
from agent.domain.errors import AgentError, ConfigError, Conflict
from agent.domain.monitoring.rules.machine import LEAST_FILES
from agent.domain.values import dataclass
from agent.ksef.certificate_checks import Remark
from agent.ksef.credentials import locate, read_secret
from agent.ksef.crypto import OfflineSigner
from agent.ports import Clock, FolderAway, KsefError
from agent.services.manager_pins import ManagerPins
from agent.services.monitoring.disk import Disk
from agent.services.tokens import COMMANDS_FILE, COMMANDS_NAME, FILE_NAME, LEAST_LETTERS, Tokens
from agent.settings.explain import explain as explanations
from agent.settings.layers import Layers, read_layers
from agent.settings.load import find_config, settings_of
from agent.settings.model import OfflineSettings, Settings
from agent.settings.toml_lines import name_of
from agent.store.lock import DataLock
from agent.system.clock import SystemClock
from agent.system.os_errors import polish_reason
from agent.system.permissions import exposures, writable_for_us

LONGEST_EC_LINK = 236
"""Characters of the longest KOD II of an EC certificate (docs/printing.md, section 4)."""
LONGEST_RSA_LINK = 492
START_SECONDS = 3.0
"""What the look at the database before systemd's start may take."""
MEGABYTE = 1024 * 1024
WRONG_SETTINGS: Final = 3
"""Exit code, as agent/cli.py has it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    ok: bool
    message: str


def _errors_as_findings(command: Callable[..., None]) -> Callable[..., None]:
    """With --json, whatever keeps the check from being made is JSON as well."""

    @functools.wraps(command)
    def wrapper(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
        except AgentError as error:
            if not kwargs["as_json"] or kwargs["explain"]:
                raise
            wrong = isinstance(error, ConfigError)
            sentences = error.problems if isinstance(error, ConfigError) else (str(error),)
            _show_json([Finding("ustawienia" if wrong else "usługa", ok=False, message=each) for each in sentences])
            sys.exit(WRONG_SETTINGS if wrong else 1)

    return wrapper


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--offline", is_flag=True, help="Do not call KSeF, Latarnia and the printers (before systemd's start).")
@click.option("--explain", is_flag=True, help="Only say where each setting stands: file, line, credential, variable.")
@config_file_option
@_errors_as_findings
@as_the_service
def command(config_file: Path | None, *, as_json: bool, offline: bool, explain: bool) -> None:
    """Check settings, certificates, clock, printer, KSeF, Latarnia and disk; change and print nothing.

    Every problem at once, each with its remedy. Exit code 1 where anything is wrong, 3 where the settings are. For root
    by the rules of the service: its user, its devices, its credentials.
    """
    file = find_config(config_file)
    layers = read_layers(file, variables=environment_for(file))
    if explain:
        _explain(layers, as_json=as_json)
    settings = settings_of(layers, file, need_files=False)
    rights.step_down(settings.data_dir)
    if explain:
        return
    findings = [Finding("uprawnienia", ok=True, message=standing()), *asyncio.run(_check(settings, offline))]
    findings += _nightly_copy(layers)
    if as_json:
        _show_json(findings)
    else:
        told: set[str] = set()
        for finding in findings:
            message = "jak wyżej." if not finding.ok and finding.message in told else finding.message
            told.add(finding.message)
            click.echo(f"{'  OK  ' if finding.ok else 'PROBLEM'}  {finding.name}: {message}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _nightly_copy(layers: Layers) -> list[Finding]:
    """Find what the nightly copy does not know: its unit has none of the service's variables and credentials."""
    unseen = [
        f"{name_of(place)}: {origin}"
        for place in (("data_dir",), ("backup", "dir"))
        if (origin := next(iter(layers.said(place)), None)) is not None and origin.of_the_service
    ]
    if not unseen:
        return []
    told = f"nie zna ustawień samej usługi ({', '.join(unseen)}); zapisz je w pliku, np. w config.d."
    return [Finding("nocna kopia", ok=False, message=told)]


def _explain(layers: Layers, *, as_json: bool) -> None:
    """Print every setting with its source, wrong ones too: what is wrong follows on stderr."""
    found = list(explanations(layers))
    if as_json:
        show_json([asdict(each) for each in found], indent=2)
    else:
        click.echo("\n".join(map(str, found)))


def _show_json(findings: list[Finding]) -> None:
    show_json([asdict(finding) for finding in findings], indent=2)


async def _check(settings: Settings, offline: bool) -> list[Finding]:
    clock = SystemClock()
    from agent.store.sqlite import DATABASE  # noqa: PLC0415 - heavy, and only needed here

    look = partial(_database, seconds=START_SECONDS if offline else None)
    database = await _run("baza danych", look, settings, clock)
    stored = database.ok and (settings.data_dir / DATABASE).exists()
    checks: list[tuple[str, Callable[[Settings, Clock], Awaitable[str]]]] = [
        ("katalog danych", _data_dir),
        ("prawa plików", _rights),
        ("kody dostępu", _callers),
        ("SQLite", _sqlite),
        ("schemat FA(3)", _schema),
        ("certyfikat Offline", _offline_certificate),
        ("certyfikat uwierzytelniający", _authentication),
        ("kody QR na drukarkach", _codes),
        ("zegar", partial(_clock, stored=stored)),
        ("porty", _ports),
        ("katalog kopii", _copies),
    ]
    if stored:
        checks.append(("sprzedawca i kasa", _whose))
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
    disk = Disk(settings.data_dir)
    free = disk.free() // MEGABYTE
    if free < settings.alerts.disk_free_mb:
        raise AgentError(f"Zostało {free} MB wolnego miejsca; zwolnij co najmniej {settings.alerts.disk_free_mb} MB.")
    if (files := disk.files()) is not None and files < LEAST_FILES:
        raise AgentError(f"Zostało miejsce na {files} nowych plików (i-węzłów); usuń zbędne pliki.")
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


async def _whose(settings: Settings, _: Clock) -> str:
    """Look whether the database is this seller's, and this till's: a copied disk brings that of another one."""
    from agent.app import open_store_readonly, require_own_seller  # noqa: PLC0415
    from agent.store.maintenance import summarise  # noqa: PLC0415
    from agent.store.sqlite import DATABASE  # noqa: PLC0415
    from agent.store.witnesses import numbers_in  # noqa: PLC0415

    database = settings.data_dir / DATABASE
    store = await open_store_readonly(settings)
    try:
        await require_own_seller(settings, store)
    finally:
        await store.close()
    series = summarise(database).series
    if series and not any(settings.read_number(number) for number in numbers_in(database, settings.seller.nip)):
        raise AgentError(
            f"w bazie danych nie ma żadnej faktury kasy „{settings.till}”, są serie: {', '.join(series)}. Jeżeli dysk "
            f"skopiowano z innej kasy, zatrzymaj usługę i odłóż pliki {database}* gdzie indziej: inaczej tamte faktury "
            "będą w księgach obu kas. Jeżeli tej kasie zmieniono nazwę albo serie, nic nie trzeba robić: problem "
            "zniknie z pierwszą fakturą."
        )
    return f"NIP {settings.seller.nip}, kasa „{settings.till}”"


async def _rights(settings: Settings, _: Clock) -> str:
    """Look at every file with a secret that is there; one that is not is told where it is used."""
    secrets = (*settings.secret_files, *(settings.data_dir / name for name in (FILE_NAME, COMMANDS_FILE)))
    found = [
        sentence for path in secrets if (file := locate(path)).exists() for sentence in exposures(file, secret=True)
    ]
    found += [
        f"{path}: tajny kod ma mniej niż {LEAST_LETTERS} znaków, łatwo go zgadnąć (nowy: openssl rand -hex 32)"
        for path in settings.webhook_secret_files
        if locate(path).exists() and len(read_secret(locate(path))) < LEAST_LETTERS
    ]
    if found:
        raise AgentError("; ".join(dict.fromkeys(found)) + ".")
    return "tajne pliki czyta tylko program"


async def _callers(settings: Settings, clock: Clock) -> str:
    """Look whether the running agent can tell whose a token and a PIN is."""
    tokens = Tokens.in_directory(settings.data_dir)
    if (problem := tokens.problem()) is not None:
        raise AgentError(problem)
    ManagerPins(settings.data_dir, clock).names()
    given = sum(each.name != COMMANDS_NAME for each in tokens.list())
    return f"nadane: {given}" if given else "jeszcze ich nie ma; nadaje je ksef-agent token add"


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


async def _sqlite(_settings: Settings, _: Clock) -> str:
    from agent.store.connection import require_sqlite  # noqa: PLC0415
    from agent.store.sqlite_faults import remark  # noqa: PLC0415

    require_sqlite()
    return remark()


async def _schema(settings: Settings, _: Clock) -> str:
    from agent.app import load_schema  # noqa: PLC0415

    load_schema(settings)
    return "wczytany"


async def _offline_certificate(settings: Settings, clock: Clock) -> str:
    from agent.certificates.held import load_signer, offline_remarks  # noqa: PLC0415

    if (wanted := _only_named(settings.offline)) is not None:
        raise AgentError(f"nie ma jeszcze pliku {wanted}; zdobądź certyfikat: ksef-agent enroll --type offline.")
    signer = load_signer(settings)
    if signer is None:
        raise AgentError("nie ustawiono [offline] certificate_file; zdobądź go: ksef-agent enroll --type offline.")
    found = offline_remarks(settings, signer, clock.now())
    return _judged(signer, found, settings, clock, renews=settings.offline.renew_before_days, wanted="offline")


def _only_named(offline: OfflineSettings) -> Path | None:
    """Return the certificate of a pair that the settings name and nobody has made; None where a part of it is there.

    None also of systemd's credentials (bare names), which `enroll` does not make.
    """
    certificate, key = offline.certificate_file, offline.key_file
    if certificate is None or key is None or Path() in {certificate.parent, key.parent}:
        return None
    try:
        return None if certificate.exists() or key.exists() else certificate
    except OSError:  # what is in the way is told as the pair is read
        return None


async def _authentication(settings: Settings, clock: Clock) -> str:
    from agent.certificates.held import authentication_remarks, load_authentication  # noqa: PLC0415

    if not settings.sends_itself:
        return "kasa go nie ma; do KSeF wysyła centrala"
    certificate = load_authentication(settings)
    if certificate is None:
        return _token(settings)
    found = authentication_remarks(settings, certificate, clock.now())
    return _judged(certificate, found, settings, clock, renews=settings.ksef.renew_before_days, wanted="authentication")


def _judged(
    certificate: OfflineSigner, found: tuple[Remark, ...], settings: Settings, clock: Clock, *, renews: int, wanted: str
) -> str:
    """Return what holds of a certificate; AgentError where somebody has to do something. ``renews``: days, 0: never."""
    if found:
        raise AgentError(" ".join(remark.text for remark in found))
    holds = f"{certificate.serial}, ważny do {certificate.expires:%Y-%m-%d}"
    days = (certificate.expires - clock.now()).days
    if days >= settings.alerts.certificate_days:
        return holds
    if days >= renews:
        raise AgentError(f"{holds}, zostało dni: {days}; odnów go: ksef-agent enroll --type {wanted}.")
    return f"{holds}, zostało dni: {days}; agent odnowi go sam"


async def _ports(settings: Settings, _: Clock) -> str:
    """Look whether the listeners would find their ports free; those of this till's own running agent are right."""
    from agent.serving.listeners import REASONS  # noqa: PLC0415 - heavy, and only needed here

    taken = []
    for name, host, port in (
        ("api", settings.api.host, settings.api.port),
        ("health", settings.health.host, settings.health.port),
    ):
        try:
            with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
                pass
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _agent_runs(settings):
                continue
            remedy = REASONS.get(error.errno or 0) or polish_reason(error)
            taken.append(f"[{name}] port {port} na adresie {host}: {remedy} (co go zajmuje: ss -ltnp sport = :{port}).")
    if taken:
        raise AgentError(" ".join(taken))
    return f"{settings.api.port} i {settings.health.port}"


async def _copies(settings: Settings, _: Clock) -> str:
    """Look whether the nightly copy finds its folder: by its rights, since the service itself may not write there."""
    folder = settings.backup.dir
    if not settings.alerts.backup_hours:
        return "kopie robi coś innego (alerts.backup_hours = 0)"
    owner = pwd.getpwuid(os.geteuid()).pw_name
    remedy = f"wykonaj: install -d -m 700 -o {owner} -g {owner} {folder}."
    try:
        facts = folder.stat()
    except OSError as error:
        raise AgentError(f"{folder}: {polish_reason(error)}; {remedy}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise AgentError(f"{folder} nie jest katalogiem.")
    if not writable_for_us(facts):
        raise AgentError(f"{folder}: nocna kopia nie może tam pisać; {remedy}")
    return f"{folder}"


def _agent_runs(settings: Settings) -> bool:
    """Tell whether an agent holds this till's data: then the ports are its own."""
    from agent.store.sqlite import DATABASE  # noqa: PLC0415

    lock = DataLock(settings.data_dir / DATABASE)
    try:
        lock.take()
    except Conflict:
        return True
    except AgentError:
        return False
    lock.release()
    return False


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
    from agent.certificates.held import load_signer  # noqa: PLC0415
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
        now = await client.now()
        skew = None if now is None else (now - clock.now()).total_seconds()
        await client.group("check")
    finally:
        await client.close()
    if skew is None:
        return "zna tę kasę; właściwego czasu teraz nie zna"
    if abs(skew) > settings.issue.clock_skew_alarm_seconds:
        raise AgentError(
            f"zegar kasy różni się od czasu, który podaje centrala, o {abs(skew):.0f} s; włącz synchronizację czasu."
        )
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
    from printers.diagnosis import cause, one_device  # noqa: PLC0415
    from printers.printer_set import build  # noqa: PLC0415

    statuses = await build(settings.printers, clock).printer.status()
    if not statuses:
        raise AgentError("nie ustawiono żadnej drukarki; dokumenty będą tylko w PDF.")
    by_name = {printer.name: printer for printer in settings.printers}
    troubles = list(one_device(settings.printers))
    for each in statuses:
        if each.problem is not None:
            found = await cause(by_name[each.name]) if each.name in by_name else None
            troubles.append(each.problem + (f" Przyczyna: {found}." if found else ""))
    if troubles:
        raise AgentError(" ".join(troubles))
    return ", ".join(each.name for each in statuses)
