"""Authentication: with a certificate (XAdES) or a KSeF token, in a Nip or InternalId context (uwierzytelnianie.md).

challenge -> signed request or encrypted token -> status until decided -> tokens (given out once) -> refresh.
"""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Protocol

from agent.domain.errors import ConfigError
from agent.domain.values import dataclass
from agent.ksef.calls import Call, RateLimitedClient, as_not_sent
from agent.ksef.credentials import Credentials, authentication_credentials, read_secret
from agent.ksef.keys import PublicKey, PublicKeys, Usage
from agent.ksef.limits import Group
from agent.ksef.responses import LARGEST_MILLISECONDS, Answer, Fields
from agent.ksef.server_clock import ServerTime
from agent.ksef.single_flight import SingleFlight
from agent.ksef.xades import auth_token_request, sign
from agent.ports import TOO_MANY, CallOutcome, Clock, Json, KsefError
from agent.settings.model import KsefSettings

EARLY = timedelta(minutes=1)
"""A token is renewed so long before KSeF would refuse it."""
POLL_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Waits between status questions; the last one repeats."""
DECIDED_WITHIN_SECONDS = 60.0
REDEEMED_WITHIN_SECONDS = 8.0
IN_PROGRESS, DONE = 100, 200

FAILURES: dict[int, str] = {
    415: "Brak uprawnień w tym kontekście: nadaj w KSeF uprawnienie do wystawiania faktur.",
    425: "Uwierzytelnienie unieważniono w KSeF. Agent uwierzytelni się ponownie.",
    450: "KSeF odrzucił token KSeF: sprawdź, czy jest aktywny, niewygasły i wydany dla tego NIP.",
    460: "KSeF odrzucił certyfikat: sprawdź, czy jest ważny, nieodwołany i czy to certyfikat uwierzytelniający.",
    470: "KSeF odmówił: użyto metody uwierzytelnienia osoby zmarłej.",
    480: "KSeF zablokował uwierzytelnianie (podejrzenie incydentu bezpieczeństwa): zgłoś to Ministerstwu Finansów.",
    500: "KSeF nie dokończył uwierzytelniania z powodu własnego błędu.",
    550: "KSeF przerwał uwierzytelnianie z przyczyn wewnętrznych; można spróbować ponownie.",
}
"""Status codes of GET /auth/{ref}: what a technician should do."""
REFUSED = frozenset({415, 450, 460, 470, 480})
"""Refusals of these credentials: asking again at once would only look like an attack."""
PATIENCE_SIGN_IN_SECONDS = 120.0
"""Each call of signing in waits so long for a place: of 3,000 tills behind one address each has one in 50 s."""
REST_SECONDS = 60.0
"""How long the same refusal is repeated without asking KSeF."""


@dataclass(frozen=True, slots=True)
class Context:
    """Whose data the session works on. ``kind`` is Nip or InternalId."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """What KSeF wants signed or encrypted. ``milliseconds``: its time, Unix epoch."""

    text: str
    milliseconds: int
    at: datetime


class Proof(Protocol):
    """How we prove who we are."""

    @property
    def ends(self) -> datetime | None:
        """When KSeF takes it no more; None where nobody here knows."""
        ...

    async def present(self, wire: RateLimitedClient, challenge: Challenge, context: Context) -> Answer:
        """Send the proof; return the 202."""
        ...


class CertificateProof:
    """XAdES with a KSeF certificate of type Authentication, or a qualified seal."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    @property
    def ends(self) -> datetime:
        """Return when the certificate ends."""
        return self._credentials.expires

    async def present(self, wire: RateLimitedClient, challenge: Challenge, context: Context) -> Answer:
        """Sign the request and send it. The signing time follows KSeF's clock: the till's may be wrong."""
        request = auth_token_request(challenge.text, (context.kind, context.value))
        document = sign(request, self._credentials, challenge.at)
        call = Call(Group.ANONYMOUS, "POST", "/auth/xades-signature", xml=document, patience=PATIENCE_SIGN_IN_SECONDS)
        return await wire.run(call)


class TokenProof:
    """A KSeF token, encrypted together with the challenge's time."""

    ends = None

    def __init__(self, token: str, keys: PublicKeys) -> None:
        self._token = token
        self._keys = keys

    async def present(self, wire: RateLimitedClient, challenge: Challenge, context: Context) -> Answer:
        """Encrypt the token and send it; a withdrawn key is replaced once."""

        async def submit(key: PublicKey) -> Answer:
            body: Json = {
                "challenge": challenge.text,
                "contextIdentifier": {"type": context.kind, "value": context.value},
                "encryptedToken": key.wrap(f"{self._token}|{challenge.milliseconds}".encode()),
                "publicKeyId": key.identifier,
            }
            call = Call(Group.ANONYMOUS, "POST", "/auth/ksef-token", json=body, patience=PATIENCE_SIGN_IN_SECONDS)
            return await wire.run(call)

        return await self._keys.using(Usage.TOKEN, submit)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    valid_until: datetime

    @classmethod
    def read(cls, fields: Fields) -> _Token:
        return cls(fields.text("token"), fields.end("validUntil"))


class Authenticator:
    """agent.ksef.calls.Tokens: gives a valid access token, doing whatever that takes, once for all who wait."""

    def __init__(
        self, wire: RateLimitedClient, proof: Proof, context: Context, clock: Clock, server_time: ServerTime
    ) -> None:
        self._wire = wire
        self._proof = proof
        self._context = context
        self._clock = clock
        self._server_time = server_time
        self._access: _Token | None = None
        self._refresh: _Token | None = None
        self._refusal: tuple[KsefError, float] | None = None
        self._attempt: SingleFlight[str] = SingleFlight("ksef-authentication")

    async def token(self) -> str:
        """Return an access token that KSeF will take. KsefError with the status code where it says no."""
        if self._access is not None and self._lives(self._access):
            return self._access.value
        if self._refusal is not None and self._clock.monotonic() < self._refusal[1]:
            raise as_not_sent(self._refusal[0])
        return await self._attempt.run(self._obtain)

    def forget(self, token: str) -> None:
        """Drop the tokens after a 401, unless newer ones are there already; the next one is earned from scratch."""
        if self._access is not None and self._access.value == token:
            self._access = self._refresh = None

    def prove_with(self, proof: Proof) -> None:
        """Authenticate so from now on; the tokens earned so far stay good."""
        self._proof = proof
        self._refusal = None

    @property
    def works_until(self) -> datetime | None:
        """Until when there is a way to an access token: by the proof, or by a refresh token that outlives it.

        None where the proof has no end. A refresh token that KSeF refused is no way any more.
        """
        ends = self._proof.ends
        if ends is None or self._refresh is None:
            return ends
        return max(ends, self._refresh.valid_until - EARLY)

    async def stop(self) -> None:
        """Stop an authentication under way."""
        await self._attempt.stop()

    async def _obtain(self) -> str:
        if self._refresh is not None and self._lives(self._refresh):
            try:
                answer = await self._auth_call("POST", "/auth/token/refresh", self._refresh.value)
                self._access = _Token.read(replace(answer, secret=True).fields().object("accessToken"))
            except KsefError as error:
                if error.link_down or error.code == TOO_MANY:
                    raise
                self._access = self._refresh = None
            else:
                return self._access.value
        return await self._authenticate()

    async def _authenticate(self) -> str:
        challenge, _ = await ask_challenge(self._wire, self._clock, self._server_time)
        begun = replace(await self._proof.present(self._wire, challenge, self._context), secret=True).fields()
        operation = begun.object("authenticationToken").text("token")
        await self._decided(begun.reference("referenceNumber"), operation)
        tokens = replace(await self._redeem(operation), secret=True).fields()
        self._refresh = _Token.read(tokens.object("refreshToken"))
        self._access = _Token.read(tokens.object("accessToken"))
        return self._access.value

    async def _decided(self, reference: str, operation: str) -> None:
        give_up = self._clock.monotonic() + DECIDED_WITHIN_SECONDS
        asked = 0
        while True:
            answer = await self._auth_call("GET", f"/auth/{reference}", operation)
            status = answer.fields().object("status")
            code = status.number("code")
            if code == DONE:
                return
            if code != IN_PROGRESS:
                refusal = KsefError(
                    f"{FAILURES.get(code, 'KSeF odmówił uwierzytelnienia.')} KSeF: {code} {status.said()}",
                    outcome=CallOutcome.REFUSED,
                    code=code,
                    body=answer.evidence,
                )
                if code in REFUSED:
                    self._refusal = (refusal, self._clock.monotonic() + REST_SECONDS)
                raise refusal
            if self._clock.monotonic() > give_up:
                raise KsefError(
                    "KSeF nie rozstrzygnął uwierzytelnienia w ciągu minuty.", outcome=CallOutcome.REFUSED, code=code
                )
            await self._clock.sleep(POLL_SECONDS[min(asked, len(POLL_SECONDS) - 1)])
            asked += 1

    async def _redeem(self, operation: str) -> Answer:
        """Fetch the tokens; for some seconds KSeF may refuse to give them (docs/protocol.md, section 6)."""
        give_up = self._clock.monotonic() + REDEEMED_WITHIN_SECONDS
        for pause in chain(POLL_SECONDS, repeat(POLL_SECONDS[-1])):
            try:
                return await self._auth_call("POST", "/auth/token/redeem", operation)
            except KsefError as error:
                unanswered = error.outcome is not CallOutcome.REFUSED or error.code == TOO_MANY
                if unanswered or self._clock.monotonic() + pause > give_up:
                    raise
            await self._clock.sleep(pause)
        raise AssertionError("the pauses never end")

    async def _auth_call(self, method: str, path: str, token: str) -> Answer:
        return await self._wire.run(Call(Group.ANONYMOUS, method, path, patience=PATIENCE_SIGN_IN_SECONDS), token)

    def _lives(self, token: _Token) -> bool:
        return self._server_time.now() < token.valid_until - EARLY


def proof_of(settings: KsefSettings, keys: PublicKeys) -> Proof:
    """Return the proof the settings name, its files read."""
    credentials = authentication_credentials(settings)
    if credentials is not None:
        return CertificateProof(credentials)
    if settings.token_file is None:
        raise ConfigError(("Brak ustawienia ksef.token_file.",))
    return TokenProof(read_secret(settings.token_file), keys)


def context_of(settings: KsefSettings, seller_nip: str) -> Context:
    """Return the context the settings name; the seller's NIP unless they say otherwise."""
    if settings.context_internal_id:
        return Context("InternalId", settings.context_internal_id)
    return Context("Nip", settings.context_nip or seller_nip)


async def ask_challenge(wire: RateLimitedClient, clock: Clock, server_time: ServerTime) -> tuple[Challenge, float]:
    """Fetch a challenge; return it with the clock skew in seconds (KSeF minus here)."""
    asked_at = clock.monotonic()
    call = Call(Group.ANONYMOUS, "POST", "/auth/challenge", patience=PATIENCE_SIGN_IN_SECONDS)
    answer = (await wire.run(call)).fields()
    milliseconds = answer.number("timestampMs", LARGEST_MILLISECONDS)
    challenge = Challenge(answer.reference("challenge"), milliseconds, answer.instant("timestamp"))
    return challenge, server_time.hear(challenge.at, asked_at)
