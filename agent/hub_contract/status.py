"""Where an invoice stands at the hub, and what became of it: the answer to PUT and GET, and a line of the outcomes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub_contract.reading import ContractError, Members

WAITING, SENDING, DOUBT, SENT, ACCEPTED, REJECTED, DUPLICATE = (
    "waiting",
    "sending",
    "doubt",
    "sent",
    "accepted",
    "rejected",
    "duplicate",
)
"""States of an invoice at the hub, and kinds of outcomes. duplicate: KSeF holds another document of that number."""
UPO = "upo"
"""Kind of an outcome that brings KSeF's confirmation."""
DECIDED = frozenset({ACCEPTED, REJECTED, DUPLICATE})


@dataclass(frozen=True, slots=True)
class OriginalDocument:
    """What KSeF, or the hub, holds under the same NIP, kind and number; ``ksef_number`` None: not yet in KSeF."""

    sha256: bytes
    ksef_number: str | None
    session: str | None


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """Where an invoice stands. ``code``, ``description`` and ``details``: KSeF's refusal, 0 where there is none."""

    sha256: bytes
    state: str
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    session: str | None = None
    code: int = 0
    description: str = ""
    details: tuple[str, ...] = ()
    original: OriginalDocument | None = None
    confirmed: bool = False
    """The hub has KSeF's confirmation (UPO)."""
    trouble: str | None = None
    """What went wrong at the last attempt, in Polish."""

    @property
    def decided(self) -> bool:
        """Whether KSeF has said its word."""
        return self.state in DECIDED


@dataclass(frozen=True, slots=True)
class Confirmation:
    """KSeF's confirmation of one invoice.

    The invoice's own UPO as received; or, where the session's page names invoices of other tills too, the part of it
    that names this one, with the page's hash: the page itself stays at the hub.
    """

    sha256: bytes
    ksef_number: str
    xml: bytes = field(repr=False)
    session: str | None = None
    page: int | None = None
    page_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedPage:
    """What confirms several invoices of a till: one own UPO, or the part of a page that names them.

    ``documents``: KSeF number and SHA-256 of each.
    """

    reference: str
    xml: bytes = field(repr=False)
    documents: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """One line of what became of a till's invoices; ``cursor`` is what to ask after next."""

    cursor: str
    at: datetime
    kind: str
    status: InvoiceStatus
    confirmation: Confirmation | None = None


def status_to_json(status: InvoiceStatus) -> dict[str, Json]:
    """Return the JSON of a status."""
    original = status.original
    return {
        "sha256": status.sha256.hex(),
        "state": status.state,
        "ksef_number": status.ksef_number,
        "accepted_at": None if status.accepted_at is None else status.accepted_at.isoformat(),
        "session": status.session,
        "code": status.code,
        "description": status.description,
        "details": list(status.details),
        "original": None if original is None else original_to_json(original),
        "confirmed": status.confirmed,
        "trouble": status.trouble,
    }


def status_from_json(value: object) -> InvoiceStatus:
    """Read a status; ContractError where it is none."""
    members = Members(value, "invoice")
    original = members.member_or_none("original")
    return InvoiceStatus(
        sha256=members.hexadecimal("sha256"),
        state=members.text("state"),
        ksef_number=members.text_or_none("ksef_number"),
        accepted_at=members.instant_or_none("accepted_at"),
        session=members.text_or_none("session"),
        code=members.whole("code", 0),
        description=members.text_or_none("description") or "",
        details=members.texts("details"),
        original=None if original is None else original_from_members(original),
        confirmed=members.flag("confirmed"),
        trouble=members.text_or_none("trouble"),
    )


def original_to_json(original: OriginalDocument) -> dict[str, Json]:
    """Return the JSON of an original."""
    return {
        "sha256": original.sha256.hex(),
        "ksef_number": original.ksef_number,
        "session": original.session,
    }


def original_from_members(members: Members) -> OriginalDocument:
    """Read an original."""
    return OriginalDocument(
        members.hexadecimal("sha256"), members.text_or_none("ksef_number"), members.text_or_none("session")
    )


def confirmation_to_json(confirmation: Confirmation) -> dict[str, Json]:
    """Return the JSON of a confirmation."""
    page_sha256 = confirmation.page_sha256
    return {
        "sha256": confirmation.sha256.hex(),
        "ksef_number": confirmation.ksef_number,
        "xml": base64.b64encode(confirmation.xml).decode("ascii"),
        "session": confirmation.session,
        "page": confirmation.page,
        "page_sha256": None if page_sha256 is None else page_sha256.hex(),
    }


def confirmation_from_json(value: object) -> Confirmation:
    """Read a confirmation; ContractError where it is none."""
    members = Members(value, "confirmation")
    page_sha256 = members.text_or_none("page_sha256")
    session = members.text_or_none("session")
    return Confirmation(
        sha256=members.hexadecimal("sha256"),
        ksef_number=members.text("ksef_number"),
        xml=_xml(members),
        session=session,
        page=None if session is None else members.whole("page"),
        page_sha256=None if page_sha256 is None else members.hexadecimal("page_sha256"),
    )


def page_to_json(page: ConfirmedPage) -> dict[str, Json]:
    """Return the JSON of a page."""
    return {
        "reference": page.reference,
        "xml": base64.b64encode(page.xml).decode("ascii"),
        "documents": [{"ksef_number": number, "sha256": sha256.hex()} for number, sha256 in page.documents],
    }


def page_from_json(value: object) -> ConfirmedPage:
    """Read a page; ContractError where it is none."""
    members = Members(value, "page")
    named = [Members(each, "document") for each in members.items("documents")]
    documents = tuple((each.text("ksef_number"), each.hexadecimal("sha256")) for each in named)
    return ConfirmedPage(members.text("reference"), _xml(members), documents)


def line_to_json(line: OutcomeLine) -> dict[str, Json]:
    """Return the JSON of a line of the outcomes."""
    document: dict[str, Json] = {
        "cursor": line.cursor,
        "at": line.at.isoformat(),
        "kind": line.kind,
        "invoice": status_to_json(line.status),
    }
    if line.confirmation is not None:
        document["confirmation"] = confirmation_to_json(line.confirmation)
    return document


def line_from_json(value: object) -> OutcomeLine:
    """Read a line of the outcomes; ContractError where it is none."""
    members = Members(value, "outcome")
    confirmation = members.json("confirmation")
    return OutcomeLine(
        cursor=members.text("cursor"),
        at=members.instant("at"),
        kind=members.text("kind"),
        status=status_from_json(members.json("invoice")),
        confirmation=None if confirmation is None else confirmation_from_json(confirmation),
    )


def outcomes_to_json(lines: list[OutcomeLine], cursor: str, *, from_beginning: bool) -> dict[str, Json]:
    """Return the answer to GET /v1/outcomes. ``from_beginning``: the hub did not know the cursor that was asked."""
    return {
        "outcomes": [line_to_json(line) for line in lines],
        "cursor": cursor,
        "from_beginning": from_beginning,
    }


def outcomes_from_json(value: Mapping[str, Json]) -> tuple[list[OutcomeLine], str, bool]:
    """Read the answer to GET /v1/outcomes: its lines, what to ask after next, whether they begin anew."""
    members = Members(value, "outcomes")
    begun = members.flag("from_beginning")
    return [line_from_json(each) for each in members.items("outcomes")], members.text("cursor"), begun


def _xml(members: Members) -> bytes:
    try:
        return base64.b64decode(members.text("xml"), validate=True)
    except binascii.Error as error:
        raise ContractError("„xml” nie jest zapisem base64") from error
