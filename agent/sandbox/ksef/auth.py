"""Authentication: challenge, XAdES, KSeF token, status, redeem, refresh, revoke (OpenAPI: /auth)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import field
from datetime import datetime, timedelta

from aiohttp import web
from cryptography import x509

from agent.domain.values import dataclass
from agent.ports import Json
from agent.sandbox.ksef import xades
from agent.sandbox.ksef.pki import TOKEN_ENCRYPTION, CertificateAuthority, CertificateType, KeyRing, subject_nip
from agent.sandbox.ksef.state import Behaviour, SkewedClock, Status
from agent.sandbox.ksef.wire import (
    ApiProblem,
    JsonObject,
    b64,
    binary,
    invalid,
    json_answer,
    member,
    nested,
    optional,
    read_object,
    reference,
    stamp,
    unauthorized,
)

IN_PROGRESS = Status(100, "Uwierzytelnianie w toku")
SUCCESS = Status(200, "Uwierzytelnianie zakończone sukcesem")
NO_PERMISSION = Status(415, "Uwierzytelnianie zakończone niepowodzeniem", ("Brak przypisanych uprawnień",))
REVOKED = Status(
    425,
    "Uwierzytelnienie unieważnione",
    ("Uwierzytelnienie i powiązane refresh tokeny zostały unieważnione przez użytkownika",),
)
BLOCKED = Status(
    480,
    "Uwierzytelnienie zablokowane",
    ("Podejrzenie incydentu bezpieczeństwa. Skontaktuj się z Ministerstwem Finansów przez formularz zgłoszeniowy.",),
)


def bad_token(detail: str) -> Status:
    """Status 450."""
    return Status(450, "Uwierzytelnianie zakończone niepowodzeniem z powodu błędnego tokenu", (detail,))


def bad_certificate(detail: str) -> Status:
    """Status 460."""
    return Status(460, "Uwierzytelnianie zakończone niepowodzeniem z powodu błędu certyfikatu", (detail,))


@dataclass(slots=True)
class KsefToken:
    """A token that the taxpayer made in KSeF earlier."""

    reference: str
    context: str
    state: str = "active"
    """active, revoked or inactive."""


@dataclass(slots=True)
class Operation:
    """One authentication and everything that hangs on it."""

    reference: str
    method: str
    context_type: str
    context: str
    started_at: datetime
    ready: float
    """Monotonic."""
    outcome: Status
    proof: tuple[str, str]
    """Element and value of Uwierzytelnienie in the UPO."""
    certificate: x509.Certificate | None = None
    redeemed: bool = False
    refresh_valid_until: datetime | None = None
    refreshed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token given out. ``kind``: authentication, access or refresh."""

    kind: str
    operation: Operation
    expires: float
    valid_until: datetime


@dataclass
class Auth:
    """The /auth part."""

    clock: SkewedClock
    behaviour: Behaviour
    authority: CertificateAuthority
    keys: KeyRing
    grants: set[tuple[str, str]] = field(default_factory=set)
    """Further permissions: NIP of the subject, context."""
    tokens: dict[str, KsefToken] = field(default_factory=dict)
    _challenges: dict[str, tuple[float, int]] = field(default_factory=dict)
    _operations: dict[str, Operation] = field(default_factory=dict)
    _bearers: dict[str, Bearer] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [
            web.post("/auth/challenge", self.challenge),
            web.post("/auth/xades-signature", self.xades_signature),
            web.post("/auth/ksef-token", self.ksef_token),
            web.post("/auth/token/redeem", self.redeem),
            web.post("/auth/token/refresh", self.refresh),
            web.get("/auth/sessions", self.active_sessions),
            web.delete("/auth/sessions/current", self.revoke_current),
            web.delete("/auth/sessions/{reference}", self.revoke),
            web.get("/auth/{reference}", self.status),
        ]

    # --- for the other parts ---------------------------------------------------------------------

    def require(self, request: web.Request, *kinds: str) -> Operation:
        """Return the authentication behind the request's bearer token; 401 where there is none in force."""
        return self._bearer(request, *(kinds or ("access",))).operation

    def expire_tokens(self, kind: str = "access") -> None:
        """Forget all tokens of a kind, as when they expire in the middle of a queue."""
        self._bearers = {text: bearer for text, bearer in self._bearers.items() if bearer.kind != kind}

    # --- handlers --------------------------------------------------------------------------------

    async def challenge(self, request: web.Request) -> web.Response:
        """POST /auth/challenge."""
        now = self.clock.now()
        milliseconds = int(now.timestamp() * 1000)
        text = reference("CR", now)
        self._challenges[text] = (self.clock.monotonic() + self.behaviour.challenge_lifetime, milliseconds)
        return json_answer(
            {
                "challenge": text,
                "timestamp": stamp(now),
                "timestampMs": milliseconds,
                "clientIp": request.remote or "127.0.0.1",
            }
        )

    async def xades_signature(self, request: web.Request) -> web.Response:
        """POST /auth/xades-signature: the signature is verified at once, the certificate's trust a moment later."""
        if request.content_type not in ("application/xml", "text/xml"):
            raise ApiProblem(400, 9101, "Nieprawidłowy dokument.", "Oczekiwano application/xml.")
        signed = xades.verify(await request.read(), self.clock.now())
        self._use_challenge(signed.challenge)
        chain = request.query.get("verifyCertificateChain", "true").lower() != "false"
        problem = self.authority.problem(signed.certificate, self.clock.now(), verify_chain=chain)
        nip = subject_nip(signed.certificate)
        if problem is not None:
            outcome = bad_certificate(problem)
        elif nip is None and signed.subject_type == "certificateSubject":
            raise ApiProblem(400, 21115, "Nieprawidłowy certyfikat.", "Certyfikat nie zawiera identyfikatora podmiotu.")
        elif nip is not None and self._permitted(nip, signed.context_value):
            outcome = SUCCESS
        else:
            outcome = NO_PERMISSION
        seal = self.authority.types.get(signed.certificate.serial_number) is CertificateType.SEAL
        return self._begin(
            "QualifiedSeal" if seal else "InternalCertificate",
            (signed.context_type, signed.context_value),
            outcome,
            ("SkrotDokumentuUwierzytelniajacego", b64(signed.proof)),
            signed.certificate,
        )

    async def ksef_token(self, request: web.Request) -> web.Response:
        """POST /auth/ksef-token: ``token|timestampMs`` under RSA-OAEP."""
        body = await read_object(request)
        text = member(body, "challenge", str)
        context = nested(body, "contextIdentifier")
        context_type, context_value = member(context, "type", str), member(context, "value", str)
        pattern = xades.CONTEXTS.get(context_type)
        if pattern is None or not pattern.fullmatch(context_value):
            raise invalid("Nieprawidłowy identyfikator kontekstu.")
        encrypted = binary(body, "encryptedToken")
        milliseconds = self._use_challenge(text)
        key_id = optional(body, "publicKeyId", str)
        key = self.keys.find(TOKEN_ENCRYPTION, key_id, self.clock.now())
        if key is None:
            raise unknown_key(key_id)
        outcome, token = self._check_token(encrypted, key.decrypt, milliseconds, context_value)
        proof = token.reference if token else reference("TK", self.clock.now())
        return self._begin("Token", (context_type, context_value), outcome, ("NumerReferencyjnyTokenaKSeF", proof))

    async def status(self, request: web.Request) -> web.Response:
        """GET /auth/{reference}."""
        bearer = self._bearer(request, "authentication")
        wanted = request.match_info["reference"]
        operation = self._operations.get(wanted)
        if operation is None or bearer.operation is not operation:
            detail = f"Operacja uwierzytelniania o numerze referencyjnym {wanted} nie została znaleziona."
            raise ApiProblem(400, 21304, "Brak uwierzytelnienia.", detail)
        return json_answer(self._describe(operation))

    async def redeem(self, request: web.Request) -> web.Response:
        """POST /auth/token/redeem: once only."""
        operation = self.require(request, "authentication")
        status = self._status(operation)
        if operation.redeemed:
            detail = f"Tokeny dla operacji uwierzytelniania {operation.reference} zostały już pobrane."
            raise ApiProblem(400, 21301, "Brak autoryzacji.", detail)
        if status.code != SUCCESS.code:
            detail = f"Status uwierzytelniania ({status.code}) nie pozwala na pobranie tokenów."
            raise ApiProblem(400, 21301, "Brak autoryzacji.", detail)
        if self.clock.monotonic() < operation.ready + self.behaviour.redeem_delay:
            detail = "Status uwierzytelniania (450) nie pozwala na pobranie tokenów."
            raise ApiProblem(400, 21301, "Brak autoryzacji.", detail)
        operation.redeemed = True
        refresh = self._give("refresh", operation, self.behaviour.refresh_token_lifetime)
        access = self._give("access", operation, self.behaviour.access_token_lifetime)
        operation.refresh_valid_until = datetime.fromisoformat(str(refresh["validUntil"]))
        return json_answer({"accessToken": access, "refreshToken": refresh})

    async def refresh(self, request: web.Request) -> web.Response:
        """POST /auth/token/refresh."""
        operation = self.require(request, "refresh")
        status = self._status(operation)
        if status.code != SUCCESS.code:
            detail = f"Status uwierzytelniania ({status.code}) nie pozwala na odświeżenie tokenu dostępowego."
            raise ApiProblem(400, 21301, "Brak autoryzacji.", detail)
        operation.refreshed_at = self.clock.now()
        return json_answer({"accessToken": self._give("access", operation, self.behaviour.access_token_lifetime)})

    async def active_sessions(self, request: web.Request) -> web.Response:
        """GET /auth/sessions."""
        current = self.require(request)
        items: list[Json] = [
            {
                **self._describe(operation),
                "referenceNumber": operation.reference,
                "isCurrent": operation is current,
            }
            for operation in self._operations.values()
            if operation.context == current.context and operation.redeemed and operation.outcome is SUCCESS
        ]
        return json_answer({"continuationToken": None, "items": items})

    async def revoke_current(self, request: web.Request) -> web.Response:
        """DELETE /auth/sessions/current."""
        self.require(request, "access", "refresh").outcome = REVOKED
        return web.Response(status=204)

    async def revoke(self, request: web.Request) -> web.Response:
        """DELETE /auth/sessions/{reference}."""
        current = self.require(request)
        operation = self._operations.get(request.match_info["reference"])
        if operation is None or operation.context != current.context:
            raise invalid("Sesja uwierzytelnienia nie została znaleziona.")
        operation.outcome = REVOKED
        return web.Response(status=204)

    # --- inside ----------------------------------------------------------------------------------

    def _use_challenge(self, text: str) -> int:
        """Each challenge serves once; return its time in milliseconds."""
        expires, milliseconds = self._challenges.pop(text, (0.0, 0))
        if self.clock.monotonic() >= expires:
            raise ApiProblem(400, 21111, "Nieprawidłowe wyzwanie autoryzacyjne.")
        return milliseconds

    def _permitted(self, nip: str, context: str) -> bool:
        return context.split("-", maxsplit=1)[0] == nip or (nip, context) in self.grants

    def _check_token(
        self, encrypted: bytes, decrypt: Callable[[bytes], bytes], milliseconds: int, context: str
    ) -> tuple[Status, KsefToken | None]:
        try:
            text, _, moment = decrypt(encrypted).decode("utf-8").rpartition("|")
        except UnicodeDecodeError:
            return bad_token("Nieprawidłowe kodowanie tokena"), None
        except ValueError:
            return bad_token("Nieprawidłowe szyfrowanie tokena"), None
        token = self.tokens.get(text)
        if token is None:
            return bad_token("Nieprawidłowy token"), None
        complaints = (
            (moment != str(milliseconds), "Nieprawidłowy czas tokena"),
            (token.state == "revoked", "Token unieważniony"),
            (token.state == "inactive", "Token nieaktywny"),
            (token.context != context, f"Token nie może być użyty w kontekście {context}"),
        )
        complaint = next((words for wrong, words in complaints if wrong), None)
        return (SUCCESS if complaint is None else bad_token(complaint)), token

    def _begin(
        self,
        method: str,
        context: tuple[str, str],
        outcome: Status,
        proof: tuple[str, str],
        certificate: x509.Certificate | None = None,
    ) -> web.Response:
        now = self.clock.now()
        operation = Operation(
            reference=reference("AU", now),
            method=method,
            context_type=context[0],
            context=context[1],
            started_at=now,
            ready=self.clock.monotonic() + self.behaviour.auth_delay,
            outcome=BLOCKED if self.behaviour.blocked else outcome,
            proof=proof,
            certificate=certificate,
        )
        self._operations[operation.reference] = operation
        token = self._give("authentication", operation, self.behaviour.authentication_token_lifetime)
        return json_answer({"referenceNumber": operation.reference, "authenticationToken": token}, status=202)

    def _give(self, kind: str, operation: Operation, lifetime: float) -> JsonObject:
        valid_until = self.clock.now() + timedelta(seconds=lifetime)
        # three dot-separated parts, as a JWT; nobody but the server may look inside
        text = ".".join(secrets.token_urlsafe(size) for size in (24, 48, 32))
        self._bearers[text] = Bearer(kind, operation, self.clock.monotonic() + lifetime, valid_until)
        return {"token": text, "validUntil": stamp(valid_until)}

    def _bearer(self, request: web.Request, *kinds: str) -> Bearer:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        bearer = self._bearers.get(text)
        if scheme.lower() != "bearer" or bearer is None:
            raise unauthorized()
        if bearer.kind not in kinds:
            raise unauthorized("Nieprawidłowy rodzaj tokena.")
        if self.clock.monotonic() >= bearer.expires:
            raise unauthorized("Token wygasł.")
        return bearer

    def _status(self, operation: Operation) -> Status:
        return operation.outcome if self.clock.monotonic() >= operation.ready else IN_PROGRESS

    def _describe(self, operation: Operation) -> dict[str, Json]:
        token = operation.method == "Token"
        described: dict[str, Json] = {
            "startDate": stamp(operation.started_at),
            "authenticationMethod": operation.method,
            "authenticationMethodInfo": {
                "category": "Token" if token else "XadesSignature",
                "code": "token.ksef" if token else f"xades.{operation.method}",
                "displayName": "Token KSeF" if token else "Certyfikat KSeF",
            },
            "status": self._status(operation).to_json(),
            "isTokenRedeemed": operation.redeemed,
        }
        if operation.refreshed_at is not None:
            described["lastTokenRefreshDate"] = stamp(operation.refreshed_at)
        if operation.refresh_valid_until is not None:
            described["refreshTokenValidUntil"] = stamp(operation.refresh_valid_until)
        return described


def unknown_key(key_id: str | None) -> ApiProblem:
    """Return 21470."""
    return ApiProblem(
        400,
        21470,
        "Przesłany identyfikator klucza jest nieznany lub wskazuje na wycofany klucz.",
        f"Klucz o identyfikatorze {key_id} nie jest wspierany.",
    )
