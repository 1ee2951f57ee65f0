"""Handing Offline certificates out to tills, and taking one out of use."""

from __future__ import annotations

import asyncio

from agent.domain.errors import NotFound
from agent.hub.courier.certificates import certificates_channel
from agent.hub.domain.certificates import KeptCertificate, in_use, slot_of
from agent.hub.domain.records import Till
from agent.hub.offline_keys import OfflineKeys, handed_out
from agent.hub.ports import HubStore, HubTransaction
from agent.hub_contract.certificates import OfflinePair
from agent.ports import Clock


class OfflineCertificates:
    """Tells each till which certificate it uses, and gives it the key: whoever asks over TLS, with the till's token."""

    def __init__(self, store: HubStore, clock: Clock, keys: OfflineKeys) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys

    async def serial(self, tx: HubTransaction, till: Till) -> str | None:
        """Return the serial number a till shall use, None where the hub hands out none, or has none yet."""
        found = await self._of(tx, till)
        return None if found is None else found.serial

    async def give(self, till: Till) -> OfflinePair:
        """Return certificate and key, and log who got them. NotFound "no-offline-certificate"."""

        async def work(tx: HubTransaction) -> KeptCertificate:
            found = await self._of(tx, till)
            if found is None:
                raise NotFound("Centrala nie wydaje tej kasie certyfikatu Offline.", code="no-offline-certificate")
            data = {"serial": found.serial, "till": till.name}
            await tx.log.append("offline_certificate_given", data, nip=till.nip, till_id=till.id)
            return found

        kept = await self._store.write(work)
        key = await asyncio.to_thread(lambda: handed_out(self._keys.unlocked(kept.key)))
        assert kept.serial is not None
        assert kept.certificate is not None
        return OfflinePair(kept.serial, kept.certificate.decode("ascii"), key.decode("ascii"))

    async def withdraw(self, serial: str) -> KeptCertificate:
        """Let no till use a certificate any more: its slot gets a new one. NotFound "certificate-unknown"."""

        async def work(tx: HubTransaction) -> KeptCertificate:
            withdrawn = await tx.certificates.withdraw(serial)
            await tx.log.append("offline_certificate_withdrawn", {"serial": serial}, nip=withdrawn.nip)
            await tx.tell(certificates_channel(withdrawn.nip))
            return withdrawn

        return await self._store.write(work)

    async def _of(self, tx: HubTransaction, till: Till) -> KeptCertificate | None:
        if not self._keys.slots:
            return None
        current = in_use(await tx.certificates.of(till.nip), self._clock.now())
        return current.get(slot_of(till.id, self._keys.slots))
