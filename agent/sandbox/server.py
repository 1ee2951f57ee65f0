"""The sandbox: KSeF 2.9.0, Latarnia, a network printer and the control API as real servers on loopback.

    async with Sandbox() as sandbox:
        sandbox.ksef, sandbox.latarnia_url, sandbox.control
        await sandbox.plan("send", "reset_after", times=1)
        sandbox.ledger.entries()

The control API has a port of its own, so it stays within reach while the line is down.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

import schemas
from agent.domain.fa3.schema import Fa3Schema
from agent.ports import Clock
from agent.sandbox.control import Control
from agent.sandbox.ksef.auth import Auth, KsefToken
from agent.sandbox.ksef.batch import BatchSessions
from agent.sandbox.ksef.certificates import Certificates
from agent.sandbox.ksef.faults import Faults
from agent.sandbox.ksef.limits import PRODUCTION, Limit, RateLimits
from agent.sandbox.ksef.pki import CertificateAuthority, CertificateType, Credential, KeyRing, organization, rsa_key
from agent.sandbox.ksef.public_keys import PublicKeys
from agent.sandbox.ksef.query import Query
from agent.sandbox.ksef.reading import Reading
from agent.sandbox.ksef.routing import PREFIX, Observer, application
from agent.sandbox.ksef.sessions import OnlineSessions, SessionParts
from agent.sandbox.ksef.state import Behaviour, Ledger, Mood, Sessions, SkewedClock
from agent.sandbox.ksef.verdicts import MOODS, Verdicts
from agent.sandbox.ksef.wire import reference
from agent.sandbox.latarnia import Latarnia
from agent.sandbox.listener import Listener
from agent.sandbox.printer import NetworkPrinter
from agent.system.clock import SystemClock

NIP = "5265877635"
"""Taxpayer of the Ministry's UPO samples."""
COMPANY = "Sklep Piaskownica sp. z o.o."


class Sandbox:
    """All servers of the sandbox. ``clock`` None: real time; ``limits``: the rate limits in force."""

    def __init__(
        self,
        *,
        nip: str = NIP,
        name: str = COMPANY,
        clock: Clock | None = None,
        behaviour: Behaviour | None = None,
        limits: Mapping[str, Limit] = PRODUCTION,
        port: int = 0,
    ) -> None:
        self.nip = nip
        self.name = name
        self.behaviour = behaviour or Behaviour()
        self.clock = SkewedClock(clock or SystemClock())
        now = self.clock.now()
        self.authority = CertificateAuthority(now)
        self.keys = KeyRing(self.authority, now)
        self.ledger = Ledger()
        self.latarnia = Latarnia()
        self.auth = Auth(self.clock, self.behaviour, self.authority, self.keys)
        self.ksef_token = f"{reference('TK', now)}|nip-{nip}|{secrets.token_hex(32)}"
        self.auth.tokens[self.ksef_token] = KsefToken(self.ksef_token.split("|")[0], nip)
        self.limits = RateLimits(self.clock, self.behaviour, self.auth, limits)
        self.faults = Faults(self.clock, self._set_line)
        self.sessions = Sessions()
        self.observers: list[Observer] = []
        """See every exchange of KSeF; tests hold them against the OpenAPI."""
        self._port = port
        verdicts = Verdicts(self.clock, self.behaviour, self.ledger, self.sessions, Fa3Schema(schemas.load()))
        parts = SessionParts(self.clock, self.behaviour, self.auth, self.keys, self.sessions, verdicts)
        self._batches = BatchSessions(parts, lambda: self.ksef)
        self.certificates = Certificates(self.clock, self.behaviour, self.auth, self.authority)
        routes = [
            *self.auth.routes(),
            *PublicKeys(self.keys).routes(),
            *OnlineSessions(parts).routes(),
            *Reading(parts, self.ledger, lambda: self.ksef).routes(),
            *self._batches.routes(),
            *Query(self.clock, self.behaviour, self.auth, self.ledger).routes(),
            *self.certificates.routes(),
            *self.limits.routes(),
        ]
        self.routes = {(route.method, route.path) for route in routes}
        """Calls that are served, below /v2."""
        self._ksef = Listener(
            application(
                routes,
                prefix=PREFIX,
                clock=self.clock,
                faults=self.faults,
                limits=self.limits,
                observers=self.observers,
            )
        )
        self._latarnia = Listener(
            application(self.latarnia.routes(), prefix="", clock=self.clock, faults=self.faults, call="latarnia")
        )
        self.printer = NetworkPrinter(clock=clock)
        self._control = Listener(Control(self).application())

    # --- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all servers; OSError where the asked port is taken."""
        await self._ksef.start(self._port)
        await self._latarnia.start()
        await self._control.start()
        await self.printer.start()

    async def stop(self) -> None:
        """Stop all servers."""
        await self.faults.stop()
        await self.printer.stop()
        for listener in (self._control, self._latarnia, self._ksef):
            await listener.stop()
        await self._batches.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- addresses and credentials -------------------------------------------------------------------

    @property
    def ksef(self) -> str:
        """Base address of KSeF, with /v2."""
        return self._ksef.url + PREFIX

    @property
    def latarnia_url(self) -> str:
        """Base address of Latarnia."""
        return self._latarnia.url

    @property
    def control(self) -> str:
        """Base address of the control API."""
        return self._control.url

    @cached_property
    def authentication(self) -> Credential:
        """KSeF certificate of type Authentication, EC P-256."""
        return self._credential(CertificateType.AUTHENTICATION)

    @cached_property
    def offline(self) -> Credential:
        """KSeF certificate of type Offline, EC P-256."""
        return self._credential(CertificateType.OFFLINE)

    @cached_property
    def authentication_rsa(self) -> Credential:
        """KSeF certificate of type Authentication, RSA-2048."""
        return self._credential(CertificateType.AUTHENTICATION, "authentication")

    @cached_property
    def offline_rsa(self) -> Credential:
        """KSeF certificate of type Offline, RSA-2048."""
        return self._credential(CertificateType.OFFLINE, "offline")

    @cached_property
    def seal(self) -> Credential:
        """A company seal of another CA's kind: signs in, and enrols the first KSeF certificate."""
        return self._credential(CertificateType.SEAL)

    def _credential(self, kind: CertificateType, rsa_purpose: str | None = None) -> Credential:
        key = ec.generate_private_key(ec.SECP256R1()) if rsa_purpose is None else rsa_key(rsa_purpose)
        credential = self.authority.credential(organization(self.name, self.nip), key, kind, self.clock.now())
        if kind is not CertificateType.SEAL:
            self.certificates.register(f"Certyfikat {kind.value}", kind, credential.certificate)
        return credential

    # --- moods -------------------------------------------------------------------------------------

    async def plan(
        self, call: str, fault: str, times: int | None = None, seconds: float | None = None, *, after: bool = False
    ) -> None:
        """Plan a fault; see Faults.plan."""
        await self.faults.plan(call, fault, times, seconds, after=after)

    def mood(self, name: str, times: int = 1, seconds: float | None = None) -> None:
        """Decide what happens to the next ``times`` invoices; ``none`` forgets what waits."""
        if name not in MOODS:
            raise ValueError(f"unknown mood {name}")
        if name == "none":
            self.sessions.moods.clear()
            return
        mood = Mood(name) if seconds is None else Mood(name, seconds)
        self.sessions.moods.extend([mood] * times)

    def rotate_keys(self) -> None:
        """Withdraw KSeF's encryption keys and publish new ones (21470 for the old)."""
        self.keys.rotate(self.clock.now())

    def expire_sessions(self) -> None:
        """Close all interactive sessions, as KSeF does after 12 hours."""
        for session in self.sessions.by_reference.values():
            if not session.batch:
                session.expires = min(session.expires, self.clock.monotonic())

    async def _set_line(self, line: str, up: bool) -> None:
        listener = self._ksef if line == "ksef" else self._latarnia
        await (listener.up() if up else listener.down())
