"""Which certificates the till holds, by its settings and by the hub of its chain."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from agent.domain.errors import ConfigError
from agent.ksef.certificate_checks import Remark, Use, remarks
from agent.ksef.certificate_files import CertificateFiles, finish_switch
from agent.ksef.credentials import authentication_credentials, load_credentials
from agent.ksef.crypto import OfflineSigner, open_signer
from agent.settings.model import Settings

LOG = logging.getLogger("agent")


def load_signer(settings: Settings) -> OfflineSigner | None:
    """Load the Offline certificate; None where there is none.

    What the hub of a chain handed out comes before what the settings name, unless it cannot be read or has expired.
    """
    handed_out = chain_certificate(settings)
    if handed_out is not None and handed_out.expires > datetime.now(UTC):
        return handed_out
    return open_signer(settings.offline)


def chain_certificate(settings: Settings) -> OfflineSigner | None:
    """Return the Offline certificate the hub handed out to this till; None where there is none that can be read."""
    place = chain_files(settings)
    if settings.ksef.route != "hub":
        return None
    try:
        finish_switch(place)
        if not place.certificate_file.exists():
            return None
        return OfflineSigner(load_credentials(place.certificate_file, place.key_file))
    except (ConfigError, OSError) as error:
        LOG.warning("the Offline certificate of the chain cannot be used: %s", error)
        return None


def chain_files(settings: Settings) -> CertificateFiles:
    """Return where the certificate lies that the hub hands out."""
    folder = settings.data_dir
    return CertificateFiles(folder / "hub-offline.crt", folder / "hub-offline.key")


def load_authentication(settings: Settings) -> OfflineSigner | None:
    """Load the certificate KSeF is signed in with, to watch its validity; None where a token is used.

    Nor is there one where the till leaves KSeF to a hub.
    """
    if not settings.sends_itself:
        return None
    credentials = authentication_credentials(settings.ksef)
    return None if credentials is None else OfflineSigner(credentials)


def load_certificates(settings: Settings) -> tuple[OfflineSigner | None, OfflineSigner | None]:
    """Load both certificates, that of KOD II first; ConfigError names what is wrong with either."""
    found: list[OfflineSigner | None] = []
    problems: list[str] = []
    for load in (load_signer, load_authentication):
        try:
            found.append(load(settings))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return found[0], found[1]


def offline_remarks(settings: Settings, signer: OfflineSigner, now: datetime) -> tuple[Remark, ...]:
    """Return what is to be said of the certificate of KOD II."""
    return remarks(signer.certificate, Use.OFFLINE, settings.offline_nips, now)


def authentication_remarks(settings: Settings, authentication: OfflineSigner, now: datetime) -> tuple[Remark, ...]:
    """Return what is to be said of the certificate that signs in."""
    return remarks(authentication.certificate, Use.AUTHENTICATION, settings.authentication_nips, now)


def log_remarks(
    settings: Settings, signer: OfflineSigner | None, authentication: OfflineSigner | None, now: datetime
) -> None:
    """Write into the log what a technician should see at the start; none of it keeps a shop from selling."""
    found = () if signer is None else offline_remarks(settings, signer, now)
    if authentication is not None:
        found += authentication_remarks(settings, authentication, now)
    for remark in found:
        LOG.warning("%s", remark.text)
