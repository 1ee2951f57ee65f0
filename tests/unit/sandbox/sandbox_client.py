"""A plain client of the sandbox, for its own tests: knows the wire, shares no code with the agent's client."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.server import NIP, Sandbox
from tests.contract.ksef_openapi import Witness
from tests.fakes.clock import FakeClock
from tests.unit.fa3.fa3_documents import DOMESTIC_BUYER, document

SELLER = (
    f"<Podmiot1><DaneIdentyfikacyjne><NIP>{NIP}</NIP><Nazwa>Sklep Piaskownica sp. z o.o.</Nazwa></DaneIdentyfikacyjne>"
    "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Piaskowa 1</AdresL1></Adres></Podmiot1>"
)
FORM_CODE = {"systemCode": "FA (3)", "schemaVersion": "1-0E", "value": "FA"}


def invoice(number: str = "FV/1", issued_on: str = "2026-11-24", **more: str) -> bytes:
    """A valid FA(3) of the sandbox's taxpayer; FakeClock starts on 2026-11-24."""
    return document(number=number, issued_on=issued_on, **{"seller": SELLER, "buyer": DOMESTIC_BUYER, **more})


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(frozen=True)
class Answer:
    """Status, body (JSON where it is any) and headers."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        """KSeF's exception code."""
        return int(self.body["exception"]["exceptionDetailList"][0]["exceptionCode"])


@dataclass
class Client:
    """One caller."""

    sandbox: Sandbox
    clock: FakeClock
    http: aiohttp.ClientSession
    key: bytes = field(default_factory=lambda: os.urandom(32))
    iv: bytes = field(default_factory=lambda: os.urandom(16))
    access: str = ""
    refresh: str = ""
    session: str = ""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call below /v2; ``token`` None: the access token where there is one, "": none."""
        bearer = self.access if token is None else token
        sent = {**({"Authorization": f"Bearer {bearer}"} if bearer else {}), **(headers or {})}
        url = path if path.startswith("http") else self.sandbox.ksef + path
        async with self.http.request(method, url, json=body, data=data, headers=sent, allow_redirects=False) as answer:
            raw = await answer.read()
            parsed = json.loads(raw) if raw and "json" in answer.content_type else raw
            return Answer(answer.status, parsed, answer.headers)

    # --- authentication --------------------------------------------------------------------------

    async def challenge(self) -> dict[str, Any]:
        return dict((await self.call("POST", "/auth/challenge", token="")).body)

    async def public_key(self, usage: str) -> tuple[rsa.RSAPublicKey, str]:
        """Return the key in force (not the future one) and its id."""
        now = self.clock.now()
        for item in (await self.call("GET", "/security/public-key-certificates", token="")).body:
            certificate = x509.load_der_x509_certificate(base64.b64decode(item["certificate"]))
            if usage in item["usage"] and certificate.not_valid_before_utc <= now:
                key = certificate.public_key()
                assert isinstance(key, rsa.RSAPublicKey)
                return key, item["publicKeyId"]
        raise AssertionError(f"no key for {usage}")

    async def begin_token(self, text: str | None = None, **changes: Any) -> Answer:
        """POST /auth/ksef-token."""
        challenge = await self.challenge()
        key, key_id = await self.public_key("KsefTokenEncryption")
        plain = text or f"{self.sandbox.ksef_token}|{challenge['timestampMs']}"
        body = {
            "challenge": challenge["challenge"],
            "contextIdentifier": {"type": "Nip", "value": self.sandbox.nip},
            "encryptedToken": b64(key.encrypt(plain.encode(), OAEP)),
            "publicKeyId": key_id,
            **changes,
        }
        return await self.call("POST", "/auth/ksef-token", body, token="")

    async def outcome(self, begun: Answer) -> dict[str, Any]:
        """Wait and return the status of a begun authentication."""
        assert begun.status == 202, begun.body
        await self.clock.advance(1)
        token = begun.body["authenticationToken"]["token"]
        return dict((await self.call("GET", f"/auth/{begun.body['referenceNumber']}", token=token)).body["status"])

    async def redeem(self, begun: Answer) -> Answer:
        answer = await self.call("POST", "/auth/token/redeem", token=begun.body["authenticationToken"]["token"])
        if answer.status == 200:
            self.access = answer.body["accessToken"]["token"]
            self.refresh = answer.body["refreshToken"]["token"]
        return answer

    async def sign_in(self) -> None:
        """Authenticate with the KSeF token."""
        begun = await self.begin_token()
        assert (await self.outcome(begun))["code"] == 200
        assert (await self.redeem(begun)).status == 200

    # --- sessions --------------------------------------------------------------------------------

    def encrypt(self, data: bytes) -> bytes:
        padder = PKCS7(128).padder()
        worker = Cipher(algorithms.AES(self.key), modes.CBC(self.iv)).encryptor()
        return worker.update(padder.update(data) + padder.finalize()) + worker.finalize()

    def never_opens(self, blocks: int = 40) -> bytes:
        """What the session's key never opens: another key would leave a padding that fits once in 255 runs."""
        worker = Cipher(algorithms.AES(self.key), modes.CBC(self.iv)).encryptor()
        return worker.update(bytes(16 * blocks)) + worker.finalize()

    async def encryption(self, **changes: Any) -> dict[str, Any]:
        key, key_id = await self.public_key("SymmetricKeyEncryption")
        return {
            "encryptedSymmetricKey": b64(key.encrypt(self.key, OAEP)),
            "initializationVector": b64(self.iv),
            "publicKeyId": key_id,
            **changes,
        }

    async def open(self, **changes: Any) -> Answer:
        body = {"formCode": FORM_CODE, "encryption": await self.encryption(), **changes}
        answer = await self.call("POST", "/sessions/online", body)
        if answer.status == 201:
            self.session = answer.body["referenceNumber"]
        return answer

    async def send(self, xml: bytes, *, encrypted: bytes | None = None, **changes: Any) -> Answer:
        encrypted = self.encrypt(xml) if encrypted is None else encrypted
        body = {
            "invoiceHash": b64(sha256(xml)),
            "invoiceSize": len(xml),
            "encryptedInvoiceHash": b64(sha256(encrypted)),
            "encryptedInvoiceSize": len(encrypted),
            "encryptedInvoiceContent": b64(encrypted),
            "offlineMode": False,
            **changes,
        }
        return await self.call("POST", f"/sessions/online/{self.session}/invoices", body)

    async def settled(self, sent: Answer) -> dict[str, Any]:
        """Wait for the verdict of a sent invoice and return its status answer."""
        assert sent.status == 202, sent.body
        await self.clock.advance(1)
        path = f"/sessions/{self.session}/invoices/{sent.body['referenceNumber']}"
        return dict((await self.call("GET", path)).body)

    async def close(self) -> Answer:
        return await self.call("POST", f"/sessions/online/{self.session}/close")


OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


@asynccontextmanager
async def running(clock: FakeClock | None = None, **options: Any) -> AsyncIterator[Client]:
    """A sandbox under a FakeClock and a client; at the end no exchange may have broken the OpenAPI contract."""
    clock = clock or FakeClock()
    sandbox = Sandbox(**{"clock": clock, "limits": NO_LIMITS, **options})
    witness = Witness()
    sandbox.observers.append(witness)
    async with sandbox, aiohttp.ClientSession() as http:
        yield Client(sandbox, clock, http)
    assert sorted(set(witness.complaints)) == []
