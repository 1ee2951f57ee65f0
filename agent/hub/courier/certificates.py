"""Certificates of one NIP: the one the hub signs in with, and the Offline certificates its tills share.

Only the holder of the NIP asks KSeF. Order for an Offline certificate: key durable, request, reference durable, wait,
certificate durable; a crash at any point goes on where it was, and no key is asked for twice. A crash between the
request and its reference costs one of KSeF's 300 requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding

from agent.domain.errors import ConfigError, Refused
from agent.domain.json_io.canonical import Json
from agent.hub.courier.state import CERTIFICATES
from agent.hub.domain.certificates import CertificateCount, KeptCertificate, count_to_json, due
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.ksef.certificates import ISSUING, Certificates, CertificateType, new_key, signing_request
from agent.ksef.enrolment import GONE, REJECTED, certified
from agent.ports import TOO_MANY, CallOutcome, Clock, KsefError

LOG = logging.getLogger("agent.hub")
LOOK_SECONDS = 3600.0
WITHDRAWN_SECONDS = 15.0
"""How often a keeper looks whether one was withdrawn: a command beside a hub over SQLite wakes nobody in it."""
RETRY_SECONDS = 300.0
"""After trouble of the line."""
UNDECIDED = frozenset({ISSUING, TOO_MANY})
"""KSeF's words for a request that it has taken, or would take later."""
REFUSED_SECONDS = 24 * 3600.0
"""After a refusal: a request that is asked for again costs another of KSeF's 300."""

Renew = Callable[[], Awaitable[bool]]
"""Renews the certificate the hub signs in with, where that is due; whether it did."""


class CertificateKeeper:
    """Keeps as many Offline certificates valid as the chain chose, and counts what KSeF leaves."""

    def __init__(
        self,
        nip: str,
        lead: Leadership,
        store: HubStore,
        certificates: Certificates,
        *,
        keys: OfflineKeys,
        clock: Clock,
        renew: Renew | None = None,
    ) -> None:
        """``renew``: of the certificate that signs in, which asks for all others; None where it is no certificate."""
        self._nip = nip
        self._lead = lead
        self._store = store
        self._certificates = certificates
        self._keys = keys
        self._clock = clock
        self._renew = renew
        self._limits = CertificateCount()
        self._noted: CertificateCount | None = None
        self._issued: frozenset[int] = frozenset()
        """Those that were in use when this keeper looked last."""

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wait(await self.look())

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until one is withdrawn."""
        until = self._clock.monotonic() + seconds
        while True:
            woken = self._store.changed(certificates_channel(self._nip))
            before, self._issued = self._issued, await self._store.read(self._issued_now)
            left = until - self._clock.monotonic()
            if left <= 0 or not before <= self._issued:
                return
            with contextlib.suppress(TimeoutError):
                await self._clock.within(min(left, WITHDRAWN_SECONDS), woken)

    async def _issued_now(self, tx: HubTransaction) -> frozenset[int]:
        return frozenset(each.id for each in await tx.certificates.of(self._nip) if each.serial is not None)

    async def look(self) -> float:
        """Renew, enrol and count once; return the seconds until the next look.

        What KSeF refuses is written down for people; it does not keep the other certificates from being renewed.
        """
        troubles: list[str] = []
        rest = LOOK_SECONDS
        for work in (self._renew_own, self._enrol_due, self._ask_limits):
            try:
                await work()
            except (KsefError, Refused, ConfigError) as error:
                LOG.warning("certificates of %s: %s", self._nip, error)
                if isinstance(error, KsefError) and (
                    error.outcome is not CallOutcome.REFUSED or error.code in UNDECIDED
                ):
                    rest = RETRY_SECONDS  # the line is told of elsewhere
                else:
                    troubles.append(str(error))
        await self._note(" ".join(troubles) or None)
        return REFUSED_SECONDS if troubles else rest

    async def _renew_own(self) -> None:
        if self._renew is not None and await self._renew():
            LOG.info("the certificate that signs in for %s was renewed", self._nip)
            await self._lead.write(lambda tx: tx.log.append("certificate_renewed", {}, nip=self._nip))

    async def _enrol_due(self) -> None:
        """Get what is due; a request that KSeF refuses, or is at work on, holds up no other."""
        kept = await self._store.read(lambda tx: tx.certificates.of(self._nip))
        first: KsefError | None = None
        for slot in due(kept, self._keys.slots, now=self._clock.now(), before=self._keys.renew_before):
            pending = [each for each in kept if each.slot == slot and each.serial is None]
            try:
                await self._enrol(slot, pending[-1] if pending else None)
            except KsefError as error:
                if error.link_down or error.code == TOO_MANY:
                    raise
                LOG.warning("Offline certificate %s of %s: %s", slot, self._nip, error)
                first = first or error
        if first is not None:
            raise first

    async def _ask_limits(self) -> None:
        limits = await self._certificates.limits()
        left, requests, used = limits.certificates_left, limits.requests_left, limits.certificates_in_use
        self._limits = CertificateCount(left, requests, certificates_in_use=used)

    async def _enrol(self, slot: int, pending: KeptCertificate | None) -> None:
        if pending is None:
            key = await asyncio.to_thread(lambda: self._keys.locked(new_key()))
            pending = await self._lead.write(lambda tx: tx.certificates.draw(self._nip, slot, key))
        key_of_it = await asyncio.to_thread(self._keys.unlocked, pending.key)
        if pending.reference is None:
            limits = await self._certificates.limits()
            if not limits.can_request:
                raise Refused(
                    "KSeF nie pozwala teraz złożyć wniosku o certyfikat "
                    f"(pozostało wniosków: {limits.requests_left}, certyfikatów: {limits.certificates_left}).",
                    code="certificate-limit",
                )
            request = signing_request(key_of_it, await self._certificates.subject())
            name = f"kasy {self._nip} offline {slot}"
            reference = await self._certificates.request(CertificateType.OFFLINE, name, request)
            pending = await self._lead.write(partial(_requested, pending, reference))
        assert pending.reference is not None
        try:
            serial = await self._certificates.serial(pending.reference)
        except KsefError as error:
            await self._refused(pending, error)
            raise
        new = await certified(self._certificates, CertificateType.OFFLINE, serial, key_of_it)
        pem = new.certificate.public_bytes(Encoding.PEM)
        data: dict[str, Json] = {"serial": serial, "slot": slot, "expires": new.expires.isoformat()}

        async def work(tx: HubTransaction) -> None:
            await tx.certificates.issued(pending, serial, pem, new.expires)
            await tx.log.append("offline_certificate", data, nip=self._nip)

        await self._lead.write(work)
        self._issued |= {pending.id}
        LOG.info("Offline certificate %s of %s is there", serial, self._nip)

    async def _refused(self, pending: KeptCertificate, error: KsefError) -> None:
        """A request that will never give anything is asked anew; a key that KSeF refused is not asked for again."""
        if error.outcome is not CallOutcome.REFUSED or error.code not in GONE:
            return
        if error.code == REJECTED:
            await self._lead.write(lambda tx: tx.certificates.drop(pending))
        else:
            await self._lead.write(partial(_requested, pending, None))

    async def _note(self, trouble: str | None) -> None:
        count = replace(self._limits, trouble=trouble)
        if count != self._noted:
            await self._lead.write(lambda tx: tx.log.put(CERTIFICATES.format(self._nip), count_to_json(count)))
            self._noted = count


def certificates_channel(nip: str) -> str:
    """Return the channel that wakes the keeper of a NIP."""
    return f"certificates:{nip}"


async def _requested(kept: KeptCertificate, reference: str | None, tx: HubTransaction) -> KeptCertificate:
    return await tx.certificates.requested(kept, reference)
