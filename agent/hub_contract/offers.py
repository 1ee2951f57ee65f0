"""An invoice handed over: what only the till knows of it, as query parameters of PUT and members of a line of POST."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import date

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub_contract.reading import ContractError, Members

MOST_AT_ONCE = 1000
"""Invoices of one POST."""
MOST_WAIT_SECONDS = 30.0
"""How long the hub holds a request back for news."""
MOST_VERSIONS = 1000
"""A till makes one technical correction, KSeF takes no second one; no database column ends before this."""
SHA256_BYTES = 32


class NotALine(ContractError):
    """A line of POST is not JSON at all."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the bytes do not say.

    ``offline``   the invoice was issued in an offline mode
    ``deadline``  the last day of the till's duty to send, as it knows it now
    ``version``   2 and later: a technical correction, and ``corrects`` is the SHA-256 of the file it replaces
    ``group``     the till's name for what it hands over together
    ``mode``      of the invoice, as the till decided it; empty from tills that do not say
    ``urgent``    seconds that a customer still waits at the counter, 0 where nobody does
    """

    offline: bool
    group: str
    deadline: date | None = None
    version: int = 1
    corrects: bytes | None = None
    urgent: float = 0.0
    mode: str = ""


def claims_to_query(claims: Claims) -> dict[str, str]:
    """Return the query parameters of PUT."""
    query = {"offline": "true" if claims.offline else "false", "group": claims.group, "version": str(claims.version)}
    if claims.mode:
        query["mode"] = claims.mode
    if claims.deadline is not None:
        query["deadline"] = claims.deadline.isoformat()
    if claims.corrects is not None:
        query["corrects"] = claims.corrects.hex()
    if claims.urgent > 0:
        query["urgent"] = f"{claims.urgent:.3f}"
    return query


def claims_from_query(query: Mapping[str, str]) -> Claims:
    """Read the query parameters of PUT; ContractError names the wrong one."""
    values: dict[str, object] = dict(query)
    if "offline" in query:
        if query["offline"] not in {"true", "false"}:
            raise ContractError("„query.offline” to true albo false")
        values["offline"] = query["offline"] == "true"
    try:
        values["version"] = int(query.get("version", "1"))
        values["urgent"] = float(query.get("urgent", "0"))
    except ValueError as error:
        raise ContractError("„query.version” albo „query.urgent” nie jest liczbą") from error
    return _claims(Members(values, "query"))


def offers_to_lines(offers: Iterable[tuple[bytes, bytes, Claims]]) -> bytes:
    """Return the NDJSON body of POST for hashes, bytes and claims."""
    lines = []
    for sha256, xml, claims in offers:
        document: dict[str, Json] = {
            "sha256": sha256.hex(),
            "xml": base64.b64encode(xml).decode("ascii"),
            "offline": claims.offline,
            "group": claims.group,
            "mode": claims.mode,
            "version": claims.version,
            "deadline": None if claims.deadline is None else claims.deadline.isoformat(),
            "corrects": None if claims.corrects is None else claims.corrects.hex(),
        }
        lines.append(json.dumps(document, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode("ascii")


def offer_from_line(line: bytes) -> tuple[bytes, bytes, Claims]:
    """Read one line of POST: hash, bytes, claims; NotALine where it is no JSON, ContractError for a wrong member."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotALine("to nie jest JSON") from error
    members = Members(document, "line")
    text = members.text("xml")
    try:
        xml = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ContractError("„line.xml” nie jest zapisem base64") from error
    return members.hexadecimal("sha256"), xml, _claims(members)


def _claims(members: Members) -> Claims:
    corrects = None if members.text_or_none("corrects") is None else members.hexadecimal("corrects")
    version = members.whole("version", 1)
    urgent = members.number("urgent")
    if not 1 <= version <= MOST_VERSIONS:
        raise ContractError(f"„version” to liczba od 1 do {MOST_VERSIONS}")
    if (version > 1) != (corrects is not None):
        raise ContractError("od wersji 2 „corrects” wskazuje zastąpiony plik, a w wersji 1 go nie ma")
    if corrects is not None and len(corrects) != SHA256_BYTES:
        raise ContractError("„corrects” to skrót SHA-256: 64 znaki szesnastkowe")
    if not 0 <= urgent < float("inf"):
        raise ContractError("„urgent” to liczba sekund")
    return Claims(
        offline=members.flag("offline", default=True),
        group=members.text_or_none("group") or "",
        deadline=members.day_or_none("deadline"),
        version=version,
        corrects=corrects,
        urgent=urgent,
        mode=members.text_or_none("mode") or "",
    )
