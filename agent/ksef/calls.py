"""A call to KSeF as a value, and the two ways to make it: anonymous, and with an access token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from http import HTTPStatus
from typing import Protocol, TypeVar

from agent.domain.values import dataclass
from agent.ksef.client import HttpClient
from agent.ksef.limits import PATIENCE_SECONDS, Group, RateBudget
from agent.ksef.responses import Answer
from agent.ports import CallMetrics, CallOutcome, Json, KsefError

T = TypeVar("T")

PATH_WORDS = frozenset(
    {
        "auth",
        "batch",
        "certificates",
        "challenge",
        "close",
        "context",
        "data",
        "enrollments",
        "invoices",
        "ksef",
        "ksef-token",
        "limits",
        "metadata",
        "online",
        "public-key-certificates",
        "query",
        "rate-limits",
        "redeem",
        "refresh",
        "retrieve",
        "revoke",
        "security",
        "sessions",
        "token",
        "upo",
        "xades-signature",
    }
)
"""Steps of the paths that are called; everything else in a path is a reference."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``patience``: seconds it may wait for a place in its rate limit group."""

    group: Group
    method: str
    path: str
    json: Json = field(default=None, repr=False)
    xml: bytes | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    patience: float = PATIENCE_SECONDS

    @property
    def endpoint(self) -> str:
        """Return method and path without references: one of a few dozen words, whatever KSeF names its sessions."""
        steps = (step if step in PATH_WORDS else "{}" for step in self.path.strip("/").split("/"))
        return f"{self.method} /{'/'.join(steps)}"


class Tokens(Protocol):
    """Where access tokens come from (agent.ksef.auth)."""

    async def token(self) -> str:
        """Return a valid access token."""
        ...

    def forget(self, token: str) -> None:
        """KSeF refused this one."""
        ...


class RateLimitedClient:
    """Calls inside the rate limits, with the token given or none."""

    def __init__(self, client: HttpClient, budget: RateBudget, metrics: CallMetrics | None = None) -> None:
        self._client = client
        self._budget = budget
        self._metrics = metrics

    async def run(self, call: Call, token: str | None = None) -> Answer:
        """Make the call once. KsefError as HttpClient and RateBudget raise it."""
        begun: float | None = None
        outcome = CallOutcome.UNKNOWN.value  # of a call that is cancelled
        try:
            async with self._budget.place(call.group, call.patience):
                begun = self._client.clock.monotonic()
                answer = await self._client.call(
                    call.method,
                    call.path,
                    token=token,
                    json=call.json,
                    xml=call.xml,
                    query=call.query,
                    headers=call.headers,
                )
            outcome = "ok"
        except KsefError as error:
            outcome = _outcome(error)
            raise
        finally:
            self._count(call, outcome, begun)
        return answer

    def _count(self, call: Call, outcome: str, begun: float | None) -> None:
        if self._metrics is None:
            return
        if begun is None:
            self._metrics.ksef_called(call.endpoint, "held_back", None)
        else:
            self._metrics.ksef_called(call.endpoint, outcome, self._client.clock.monotonic() - begun)


def _outcome(error: KsefError) -> str:
    """Return the word of CallMetrics for a call that failed."""
    if error.outcome is not CallOutcome.REFUSED:
        return error.outcome.value
    return "rate_limited" if error.code == HTTPStatus.TOO_MANY_REQUESTS else "refused"


class AuthenticatedClient:
    """Calls with an access token. After a 401 a new token is fetched and the call made once more (401: not taken)."""

    def __init__(self, wire: RateLimitedClient, tokens: Tokens) -> None:
        self._wire = wire
        self._tokens = tokens

    async def ready(self) -> None:
        """Authenticate where needed. After that KSeF's time is known, by which its keys are chosen."""
        await not_sent_unless_done(self._tokens.token)

    async def run(self, call: Call) -> Answer:
        """Make the call. Where no token can be had, ``call`` itself was NOT_SENT."""
        token = await not_sent_unless_done(self._tokens.token)
        try:
            return await self._wire.run(call, token)
        except KsefError as error:
            if error.code != HTTPStatus.UNAUTHORIZED:
                raise
        self._tokens.forget(token)
        return await self._wire.run(call, await not_sent_unless_done(self._tokens.token))


async def not_sent_unless_done(step: Callable[[], Awaitable[T]]) -> T:
    """Do a step that comes before the bytes that matter: whatever happens to it, those were not sent."""
    try:
        return await step()
    except KsefError as error:
        raise as_not_sent(error) from error


def as_not_sent(error: KsefError) -> KsefError:
    """Return the same error for a caller whose own bytes surely did not reach KSeF."""
    return KsefError(
        error.message,
        outcome=CallOutcome.NOT_SENT,
        code=error.code,
        retry_after=error.retry_after,
        body=error.body,
        link_down=error.link_down,
    )
