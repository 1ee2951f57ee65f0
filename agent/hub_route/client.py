"""Calls to the hub: one total time each, and an outcome class for every failure.

before the first byte of the request was handed over         NOT_SENT, link down
reset, close, timeout, no answer of a hub after that         UNKNOWN, link down
hub-busy, hub-draining, disk-full, too many connections      NOT_SENT: it says that nothing was stored; UNKNOWN of more
                                                             than ALL_OR_NOTHING, of which a hub of 0.2 stored some
store-unreachable, 5xx                                       UNKNOWN
401, 403, 404, 409, 422                                      REFUSED
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub_contract.certificates import OfflinePair, pair_from_json
from agent.hub_contract.heartbeat import Heartbeat, News, heartbeat_to_json, news_from_json
from agent.hub_contract.offers import Claims, claims_to_query, offers_to_lines
from agent.hub_contract.reading import ContractError, Members
from agent.hub_contract.status import (
    Confirmation,
    ConfirmedPage,
    InvoiceStatus,
    OriginalDocument,
    OutcomeLine,
    confirmation_from_json,
    original_from_members,
    outcomes_from_json,
    page_from_json,
    status_from_json,
)
from agent.ksef.client import HttpClient, Peer
from agent.ksef.responses import Answer, retry_after
from agent.ports import CallOutcome, Clock, KsefError

T = TypeVar("T")

NOTHING_STORED = frozenset({"hub-busy", "hub-draining", "disk-full", "too-many-connections", "store-closed"})
"""Refusals after which the hub holds nothing of the request."""
ALL_OR_NOTHING = 100
"""So many invoices of one request a hub of 0.2 stores in one unit. Of more, some may be on their way to KSeF when it
says that it takes nothing; a later hub answers line by line then.
"""
NUMBER_TAKEN = "number-taken"
PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
CALL_SECONDS = 15.0
BULK_SECONDS = 120.0
PATIENCE_SECONDS = 10.0
"""What a call may take beyond the time the hub is asked to wait."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The hub's answer to one invoice: where it stands, or what holds its number, or why it is refused."""

    status: InvoiceStatus | None
    holder: OriginalDocument | None = None
    code: int = 0
    detail: str = ""

    @property
    def taken(self) -> bool:
        """Whether the number is at the hub, be it by another document."""
        return self.status is not None or self.holder is not None


@dataclass(frozen=True, slots=True)
class Handover:
    """An invoice to hand over."""

    sha256: bytes
    xml: bytes = field(repr=False)
    claims: Claims


class HubClient:
    """The contract of the hub, call by call."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        token: str,
        database: str,
        ca_file: Path | None = None,
        timeout_seconds: float = CALL_SECONDS,
    ) -> None:
        """``database`` identifies this till where two have one name."""
        self._http = HttpClient(base_url, clock, timeout_seconds=timeout_seconds, ca_file=ca_file, peer=HUB)
        self._token = token
        self._secure = base_url.startswith("https://")
        self.database = database
        self.process = ""
        """This run of the program, which tells a copied disk from its original; empty: not said."""

    async def offer(self, handover: Handover) -> Offered:
        """Hand one invoice over; durable there once this returns."""
        path = f"/v1/invoices/{handover.sha256.hex()}"
        query = claims_to_query(handover.claims)
        try:
            answer = await self._http.call(
                "PUT", path, token=self._token, xml=handover.xml, query=query, headers=self._headers()
            )
        except HubRefusal as refusal:
            if refusal.problem_code != NUMBER_TAKEN or refusal.holder is None:
                raise
            return Offered(None, refusal.holder, refusal.code, refusal.message)
        return Offered(_read(answer, status_from_json))

    async def offer_all(self, handovers: list[Handover]) -> list[Offered]:
        """Hand many over; one answer for each, in order."""
        body = offers_to_lines((each.sha256, each.xml, each.claims) for each in handovers)
        try:
            answer = await self._http.call(
                "POST",
                "/v1/invoices",
                token=self._token,
                xml=body,
                headers={**self._headers(), "Content-Type": NDJSON},
                timeout_seconds=BULK_SECONDS,
            )
        except HubRefusal as refusal:
            if refusal.outcome is CallOutcome.NOT_SENT and len(handovers) > ALL_OR_NOTHING:
                raise refusal.as_unknown() from refusal
            raise
        results = _read(answer, lambda value: Members(value, "answer").items("results"))
        if len(results) != len(handovers):
            raise _unreadable(answer, "odpowiedź dotyczy innej liczby faktur")
        return [_offered(answer, each) for each in results]

    async def status(self, sha256: bytes, wait: float = 0.0) -> InvoiceStatus | None:
        """Return where an invoice stands, at the latest after ``wait``; None where the hub does not know it."""
        query = {"wait": f"{wait:.3f}"} if wait > 0 else None
        try:
            answer = await self._get(f"/v1/invoices/{sha256.hex()}", query, wait)
        except KsefError as error:
            if error.code == HTTPStatus.NOT_FOUND and error.outcome is CallOutcome.REFUSED:
                return None
            raise
        return _read(answer, status_from_json)

    async def group(self, group: str) -> list[InvoiceStatus]:
        """Return everything handed over under one name."""
        return await self._statuses({"group": group})

    async def by_ksef_number(self, ksef_number: str) -> list[InvoiceStatus]:
        """Return this till's invoice of that number, or none."""
        return await self._statuses({"ksef_number": ksef_number})

    async def confirmation(self, sha256: bytes) -> Confirmation:
        """Return KSeF's confirmation of an invoice; KsefError 404 while there is none."""
        return _read(await self._get(f"/v1/invoices/{sha256.hex()}/upo"), confirmation_from_json)

    async def pages(self, group: str) -> list[ConfirmedPage]:
        """Return what confirms everything handed over under one name."""
        answer = await self._get("/v1/upo", {"group": group})
        pages = _read(answer, lambda value: Members(value, "answer").items("pages"))
        return [_value(answer, each, page_from_json) for each in pages]

    async def keep(self, handover: Handover) -> None:
        """Hand over an invoice that is never sent, for the books. KsefError 404 of a hub that keeps none."""
        path = f"/v1/exempt/{handover.sha256.hex()}"
        query = claims_to_query(handover.claims)
        await self._http.call("PUT", path, token=self._token, xml=handover.xml, query=query, headers=self._headers())

    async def close_case(self, sha256: bytes, at: datetime) -> None:
        """Tell that the case of a refused invoice was closed. KsefError 404 of a hub without it, or of before."""
        query = {"at": at.isoformat()}
        path = f"/v1/closed/{sha256.hex()}"
        await self._http.call("PUT", path, token=self._token, query=query, headers=self._headers())

    async def outcomes(self, after: str, wait: float) -> tuple[list[OutcomeLine], str, bool]:
        """Return what became of this till's invoices after a cursor, what to ask after next, and whether the hub
        did not know the cursor: it began anew, or was restored from a copy.
        """
        answer = await self._get("/v1/outcomes", {"after": after, "wait": f"{wait:.3f}"}, wait)
        return _read(answer, lambda value: outcomes_from_json(value if isinstance(value, Mapping) else {}))

    async def heartbeat(self, beat: Heartbeat) -> News:
        """Give a sign of life; return the news."""
        answer = await self._http.call("PUT", "/v1/heartbeat", token=self._token, json=heartbeat_to_json(beat))
        return _read(answer, news_from_json)

    async def offline_certificate(self) -> OfflinePair:
        """Fetch the Offline certificate this till shall use, with its key; never over plain HTTP."""
        if not self._secure:
            raise KsefError("Klucz Offline przychodzi z centrali tylko przez TLS.", outcome=CallOutcome.NOT_SENT)
        answer = await self._http.call("GET", "/v1/offline-certificate", token=self._token, headers=self._headers())
        return _read(answer, pair_from_json)

    async def now(self) -> datetime | None:
        """Return the right time by the hub's word, None where it knows none; anonymous."""
        answer = await self._http.call("GET", "/health/live")
        return _read(answer, _right_time)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _headers(self) -> dict[str, str]:
        said = {"X-Till-Database": self.database, "X-Till-Process": self.process}
        return {name: value for name, value in said.items() if value}

    async def _statuses(self, query: Mapping[str, str]) -> list[InvoiceStatus]:
        answer = await self._get("/v1/invoices", query)
        items = _read(answer, lambda value: Members(value, "answer").items("invoices"))
        return [_value(answer, each, status_from_json) for each in items]

    async def _get(self, path: str, query: Mapping[str, str] | None = None, wait: float = 0.0) -> Answer:
        seconds = wait + PATIENCE_SECONDS if wait > 0 else None
        return await self._http.call(
            "GET", path, token=self._token, query=query, headers=self._headers(), timeout_seconds=seconds
        )


class HubRefusal(KsefError):
    """A problem document of the hub. ``holder``: what holds the number, for number-taken."""

    def __init__(self, message: str, *, problem_code: str, holder: OriginalDocument | None, error: KsefError) -> None:
        super().__init__(
            message,
            outcome=error.outcome,
            code=error.code,
            retry_after=error.retry_after,
            body=error.body,
            link_down=error.link_down,
        )
        self.problem_code = problem_code
        self.holder = holder

    def as_unknown(self) -> KsefError:
        """Return the same where the hub may hold some of the request all the same."""
        return KsefError(
            self.message,
            outcome=CallOutcome.UNKNOWN,
            code=self.code,
            retry_after=self.retry_after,
            body=self.body,
            link_down=self.link_down,
        )


def hub_failure(answer: Answer, now: datetime) -> KsefError | None:
    """Return the error an answer of the hub stands for, None for a 2xx."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if answer.is_json:
            return None
        return answer.unusable(
            "Zamiast centrali odpowiedziało coś innego (portal logowania do sieci?).", link_down=True
        )
    problem = _problem(answer)
    if problem is None:
        return KsefError(
            f"Błąd {status} nie pochodzi z centrali.",
            outcome=CallOutcome.UNKNOWN,
            code=status,
            body=answer.evidence,
            link_down=True,
        )
    code, detail, holder = problem
    if code in NOTHING_STORED:
        sent = CallOutcome.NOT_SENT
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        sent = CallOutcome.UNKNOWN
    else:
        sent = CallOutcome.REFUSED
    base = KsefError(detail, outcome=sent, code=status, retry_after=retry_after(answer, now), body=answer.evidence)
    return HubRefusal(f"Centrala: {detail}", problem_code=code, holder=holder, error=base)


HUB = Peer(hub_failure, "Centrala nie odpowiedziała", "Połączenie z centralą")


def _problem(answer: Answer) -> tuple[str, str, OriginalDocument | None] | None:
    if answer.media_type != PROBLEM:
        return None
    try:
        members = Members(json.loads(answer.body), "problem")
        holder = members.member_or_none("holder")
        found = None if holder is None else original_from_members(holder)
        return members.text("code"), members.text("detail"), found
    except (ValueError, RecursionError):
        return None


def _right_time(value: Json) -> datetime | None:
    """Read the hub's time. A hub of before does not say whether anything confirms it: it is taken for right."""
    members = Members(value, "health")
    now = members.instant("now")
    return None if members.json("confirmed") is False else now


def _offered(answer: Answer, value: object) -> Offered:
    members = _value(answer, value, lambda each: Members(each, "result"))
    try:
        invoice, holder = members.json("invoice"), members.member_or_none("holder")
        return Offered(
            None if invoice is None else status_from_json(invoice),
            None if holder is None else original_from_members(holder),
            members.whole("status"),
            members.text_or_none("detail") or "",
        )
    except ContractError as error:
        raise _unreadable(answer, str(error)) from error


def _read(answer: Answer, read: Callable[[Json], T]) -> T:
    try:
        value: Json = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _unreadable(answer, "to nie jest JSON") from error
    return _value(answer, value, read)


def _value(answer: Answer, value: object, read: Callable[[Json], T]) -> T:
    try:
        return read(value)  # type: ignore[arg-type]  # whatever it is, the reader looks
    except ContractError as error:
        raise _unreadable(answer, str(error)) from error


def _unreadable(answer: Answer, why: str) -> KsefError:
    return answer.unusable(f"Odpowiedź centrali jest nieczytelna: {why}.")
