"""Who renews the till's certificates, and who takes up those that somebody else put in place."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial

from agent.domain.errors import AgentError
from agent.ksef.certificate_checks import Use
from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.certificate_watch import CertificateWatch
from agent.ksef.certificates import ISSUING, Certificates, CertificateType
from agent.ksef.credentials import Credentials, authentication_credentials, offline_credentials
from agent.ksef.crypto import OfflineSigner
from agent.ksef.enrolment import Renewal, RenewalResult
from agent.ksef.gateway import Gateway, try_out
from agent.ports import TOO_MANY, CallOutcome, Clock, KsefError
from agent.services.monitoring.certificates import RenewalAttempts
from agent.services.monitoring.daily import DailyJobs
from agent.services.signals import Signal
from agent.settings.model import Settings

LOG = logging.getLogger("agent")
UNDECIDED = frozenset({ISSUING, TOO_MANY})
"""KSeF's words for a request for a certificate that it has taken, or would take later."""


class CertificateUpkeep:
    """Renews what is due once a day, and looks for other certificates in the files of the settings.

    ``hub_decides``: whether the hub says which Offline certificate signs; one that the settings name stands back.
    """

    def __init__(
        self,
        renewals: Iterable[Renewal],
        watches: Iterable[CertificateWatch],
        *,
        daily: DailyJobs,
        attempts: RenewalAttempts,
        changed: Signal,
        hub_decides: Callable[[], bool],
    ) -> None:
        self._renewals = tuple(renewals)
        self._watches = tuple(watches)
        self._daily = daily
        self._attempts = attempts
        self._changed = changed
        self._hub_decides = hub_decides

    async def renew(self) -> None:
        """Renew the certificates that are due, once a day; what goes wrong waits for the next time."""
        for renewal in self._renewals:
            if renewal.kind is CertificateType.OFFLINE and self._hub_decides():
                continue
            await self._daily.once_a_day(f"renew-{renewal.kind.lower()}", partial(self._renew, renewal))

    async def _renew(self, renewal: Renewal) -> bool:
        try:
            result = await renewal.run()
        except (AgentError, KsefError) as error:
            LOG.warning("the %s certificate could not be renewed: %s", renewal.kind, error)
            await self._attempts.record(renewal.kind.lower(), str(error))
            # out of reach, or KSeF is still at it: again within the hour; refused: tomorrow
            return not (
                isinstance(error, KsefError) and (error.outcome is not CallOutcome.REFUSED or error.code in UNDECIDED)
            )
        if result is RenewalResult.RENEWED:
            LOG.info("the %s certificate was renewed", renewal.kind)
            await self._attempts.record(renewal.kind.lower(), None)
        if result is RenewalResult.ADOPTED:
            LOG.info("the %s certificate that another till renewed is used from now on", renewal.kind)
        self._changed.set()
        return result is not RenewalResult.ELSEWHERE

    async def look(self) -> None:
        """Take up certificates that somebody else put in place."""
        for watch in self._watches:
            if watch.use is Use.OFFLINE and self._hub_decides():
                continue
            found = await asyncio.to_thread(watch.look)
            if found is not None:
                watch.adopt(found)
                LOG.info("another %s certificate lies there and is used from now on: %s", watch.use, found.serial)
                self._changed.set()

    def file_problems(self) -> Mapping[str, str]:
        """Return by use what is wrong with the files of a certificate (Polish)."""
        return {watch.use.lower(): watch.problem for watch in self._watches if watch.problem is not None}


def open_upkeep(
    settings: Settings,
    clock: Clock,
    own: Gateway | None,
    *,
    offline: OfflineSigner | None,
    authentication: OfflineSigner | None,
    now: Callable[[], datetime],
    daily: DailyJobs,
    attempts: RenewalAttempts,
    changed: Signal,
    hub_decides: Callable[[], bool],
) -> CertificateUpkeep:
    """Join the upkeep that the settings order. ``own``: the till's own way to KSeF; without it nothing is renewed."""

    def adopt_authentication(new: Credentials) -> None:
        if own is not None:
            own.adopt(new)
        if authentication is not None:
            authentication.adopt(new)

    renewals: Iterator[Renewal] = iter(())
    if own is not None:
        renewals = _renewals(
            settings,
            clock,
            own,
            now=now,
            authentication=authentication,
            adopt_authentication=adopt_authentication,
            signer=offline,
        )
    return CertificateUpkeep(
        renewals,
        _watches(settings, authentication, adopt_authentication, offline),
        daily=daily,
        attempts=attempts,
        changed=changed,
        hub_decides=hub_decides,
    )


def _renewals(
    settings: Settings,
    clock: Clock,
    gateway: Gateway,
    *,
    now: Callable[[], datetime],
    authentication: OfflineSigner | None,
    adopt_authentication: Callable[[Credentials], None],
    signer: OfflineSigner | None,
) -> Iterator[Renewal]:
    """Yield the renewals the settings order. The authentication certificate goes first: it asks for the other."""
    certificates = Certificates(gateway.api, clock, patience=math.inf)
    ksef, offline = settings.ksef, settings.offline
    if authentication is not None and ksef.renew_before_days > 0 and ksef.certificate_file and ksef.key_file:
        yield Renewal(
            certificates,
            CertificateType.AUTHENTICATION,
            f"kasa {settings.till} authentication",
            CertificateFiles(ksef.certificate_file, ksef.key_file, ksef.passphrase_file),
            days=ksef.renew_before_days,
            now=now,
            current=lambda: authentication.certificate,
            adopt=adopt_authentication,
            prove=partial(try_out, ksef, settings.seller.nip, clock),
        )
    if signer is not None and offline.renew_before_days > 0 and offline.certificate_file and offline.key_file:
        yield Renewal(
            certificates,
            CertificateType.OFFLINE,
            f"kasa {settings.till} offline",
            CertificateFiles(offline.certificate_file, offline.key_file, offline.passphrase_file),
            days=offline.renew_before_days,
            now=now,
            current=lambda: signer.certificate,
            adopt=signer.adopt,
        )


def _watches(
    settings: Settings,
    authentication: OfflineSigner | None,
    adopt_authentication: Callable[[Credentials], None],
    signer: OfflineSigner | None,
) -> Iterator[CertificateWatch]:
    """Yield who looks whether another certificate lies where the settings say."""
    ksef, offline = settings.ksef, settings.offline
    if authentication is not None:
        yield CertificateWatch(
            Use.AUTHENTICATION,
            (ksef.certificate_file, ksef.key_file, ksef.passphrase_file),
            load=partial(authentication_credentials, ksef),
            current=lambda: authentication.certificate,
            adopt=adopt_authentication,
        )
    if signer is not None:
        yield CertificateWatch(
            Use.OFFLINE,
            (offline.certificate_file, offline.key_file, offline.passphrase_file),
            load=partial(offline_credentials, offline),
            current=lambda: signer.certificate,
            adopt=signer.adopt,
        )
