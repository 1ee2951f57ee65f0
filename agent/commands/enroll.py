"""`ksef-agent enroll`: get a KSeF certificate, for authentication or for KOD II."""

from __future__ import annotations

import asyncio
import math
import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from agent.commands.common import config_option_without_files, show_json
from agent.domain.errors import ConfigError, Refused, Unavailable
from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.certificates import Certificates, CertificateType
from agent.ksef.credentials import Credentials, load_credentials
from agent.ksef.enrolment import enrol
from agent.ksef.gateway import open_gateway, try_out
from agent.ksef.limits import DEFAULTS, Group
from agent.ports import CallOutcome, KsefError
from agent.settings.model import KsefSettings, Settings
from agent.system.clock import SystemClock

NAME = re.compile(r"[a-zA-Z0-9_\- ąćęłńóśźżĄĆĘŁŃÓŚŹŻ]{5,100}")
"""EnrollCertificateRequest.certificateName."""
CALLS = 5
"""What an enrolment asks: whose certificate, the request, twice how it stands, the certificate."""
WORTH_TELLING_SECONDS = 60


@click.command("enroll")
@config_option_without_files
@click.option(
    "--type",
    "kind",
    type=click.Choice(["authentication", "offline"]),
    default="offline",
    show_default=True,
    help="What the certificate is for.",
)
@click.option("--name", default="", help="Name of the certificate in KSeF (5-100 letters, digits, spaces, - and _).")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for a new pair of files; without it the files of the settings are replaced.",
)
@click.option(
    "--if-due", is_flag=True, help="Do nothing while the pair that is there holds long enough (for roll-outs)."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(settings: Settings, *, kind: str, name: str, out: Path | None, if_due: bool, as_json: bool) -> None:
    """Get a KSeF certificate: the key never leaves this machine. An interrupted enrolment is continued."""
    certificate_type = CertificateType(kind.capitalize())
    name = name or f"kasa {settings.till} {kind}"
    if not NAME.fullmatch(name):
        raise click.BadParameter("5-100 liter, cyfr, spacji oraz znaków - i _", param_hint="--name")
    place = _place(settings, certificate_type, out)
    held = _held(place) if if_due else None
    if held is not None and held.expires - SystemClock().now() > timedelta(days=_days(settings, certificate_type)):
        _answer(certificate_type, place, held, changed=False, as_json=as_json)
        return
    try:
        new = asyncio.run(_enrol(settings, certificate_type, name, place))
    except KsefError as error:
        if error.outcome is CallOutcome.REFUSED:
            raise Refused(error.message, code="ksef-refused") from error
        raise Unavailable(error.message) from error
    _answer(certificate_type, place, new, changed=True, as_json=as_json)
    if out is not None and not as_json:
        section = "ksef" if certificate_type is CertificateType.AUTHENTICATION else "offline"
        click.echo(f"Wpisz te pliki do ustawień [{section}] jako certificate_file i key_file.")


def _answer(kind: CertificateType, place: CertificateFiles, pair: Credentials, *, changed: bool, as_json: bool) -> None:
    """``changed``: KSeF gave out a new certificate; False: the one that is there holds long enough."""
    if as_json:
        answer = {
            "type": kind.value,
            "changed": changed,
            "serial": pair.serial,
            "expires": pair.expires.isoformat(),
            "certificate_file": str(place.certificate_file),
            "key_file": str(place.key_file),
        }
        show_json(answer)
        return
    kept = "" if changed else " Nowego nie trzeba."
    click.echo(f"Certyfikat {kind} {pair.serial} ważny do {pair.expires:%Y-%m-%d}.{kept}")
    click.echo(f"certyfikat: {place.certificate_file}\nklucz:      {place.key_file} (tylko dla właściciela)")


def _held(place: CertificateFiles) -> Credentials | None:
    """Return the pair that is there; None where there is none, or an enrolment under way has to be ended first."""
    if place.request.exists() or not place.certificate_file.exists() or not place.key_file.exists():
        return None
    return load_credentials(place.certificate_file, place.key_file, place.passphrase_file)


def _days(settings: Settings, kind: CertificateType) -> int:
    """Return how many days before its end a certificate is due: as it renews itself, else as its alert starts."""
    chosen = settings.ksef if kind is CertificateType.AUTHENTICATION else settings.offline
    return chosen.renew_before_days or settings.alerts.certificate_days


async def _enrol(settings: Settings, kind: CertificateType, name: str, place: CertificateFiles) -> Credentials:
    clock = SystemClock()
    gateway = open_gateway(settings.ksef, settings.seller.nip, clock)
    _tell_how_long(settings.ksef.tills_sharing_address)
    try:
        prove = partial(try_out, settings.ksef, settings.seller.nip, clock)
        trial = prove if kind is CertificateType.AUTHENTICATION else None
        return await enrol(Certificates(gateway.api, clock, patience=math.inf), kind, name, place, trial)
    finally:
        await gateway.close()


def _tell_how_long(tills: int) -> None:
    """Say that many tills behind one address have to wait for each other."""
    shares = DEFAULTS[Group.OTHER].shared(tills)
    longest = max((math.ceil(CALLS / share.calls) - 1) * share.span for share in shares)
    if longest < WORTH_TELLING_SECONDS:
        return
    click.echo(
        f"Limity KSeF dzielą kasy pod jednym adresem ({tills}), więc to potrwa do {longest / 60:.0f} min. "
        "Można przerwać: to samo polecenie dokończy.",
        err=True,
    )


def _place(settings: Settings, kind: CertificateType, out: Path | None) -> CertificateFiles:
    """Return where the pair goes: ``out``, or the files of the settings."""
    chosen = settings.ksef if kind is CertificateType.AUTHENTICATION else settings.offline
    if out is not None:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = kind.lower()
        return CertificateFiles(out / f"{stem}.crt", out / f"{stem}.key", chosen.passphrase_file)
    if chosen.certificate_file is None or chosen.key_file is None:
        section = "ksef" if isinstance(chosen, KsefSettings) else "offline"
        raise ConfigError(
            (f"Ustawienia [{section}] nie wskazują pary plików PEM: podaj --out KATALOG albo ustaw key_file.",)
        )
    return CertificateFiles(chosen.certificate_file, chosen.key_file, chosen.passphrase_file)
