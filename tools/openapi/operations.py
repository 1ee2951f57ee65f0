"""What each route does, takes and answers. A test holds the list against the routes that are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.records.outage_closing import ClosingReport
from agent.domain.records.register import MonthCount
from agent.services.records.retention import ErasureResult, RetentionPlan
from agent.web.answers.corrections import Held, HeldCorrection, HeldList
from agent.web.answers.exchange import Exchange
from agent.web.answers.health import Health
from agent.web.answers.invoice import Invoice, InvoiceList
from agent.web.answers.records import (
    EventList,
    OutageList,
    Outbox,
    PrintList,
    Register,
    RegisterBesideKsef,
    RegisterChanges,
)
from agent.web.answers.till import Changes, Clock, CurrentMode, KnownBuyer, KnownBuyers, Page, Queue, SyncBegun
from tools.openapi.inputs import (
    ClockConfirmation,
    Correction,
    ModeDeclaration,
    ModeWithdrawal,
    OutsideCorrection,
    ReasonGiven,
    Replay,
    Sale,
)

JSON: Final = "application/json"
XML: Final = "application/xml"

TAGS: Final[Mapping[str, str]] = {
    "invoices": "Issue, find, show",
    "papers": "What was, or is to be, printed",
    "corrections": "Returns, prices, buyers; also of invoices issued elsewhere",
    "rejected": "The ways out of a rejection by KSeF",
    "till": "Queue, mode, clock, status",
    "books": "Registers and evidence",
    "webhooks": "What becomes of an invoice later, told by the agent",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter in the query."""

    name: str
    schema: Mapping[str, Any]
    description: str
    required: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer that is no problem. ``content``: per media type a type of answers/, or None for a file."""

    description: str
    content: Mapping[str, Any]
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """A route."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    bodies: Mapping[str, Any] = field(default_factory=dict)
    body_required: bool = True
    query: tuple[Parameter, ...] = ()
    keyed: bool = False
    """Takes an Idempotency-Key."""
    manager: bool = False
    auditor: bool = False
    """Where managers only may: auditors too."""
    conflicts: bool = False
    """May be refused as the law, KSeF or the state of the invoice has it (409)."""
    open: bool = False
    """Needs no token."""

    @property
    def whose(self) -> str:
        """Say whose token it takes, where not everybody's."""
        if not self.manager:
            return ""
        return "For a manager's or an auditor's token." if self.auditor else "For a manager's token."


_ID: Final = "/v1/invoices/{id}"
_HELD: Final = "/v1/corrections/{id}"
_STATES: Final = "|".join(InvoiceState)
_PRINTS: Final = "|".join(PrintState)
_DAY: Final = {"type": "string", "format": "date"}
_MONTH: Final = Parameter(
    "month",
    {"type": "string", "pattern": "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]},
    "YYYY-MM",
    required=True,
)
_AS_OF: Final = Parameter("as_of", _DAY, "Day of the JPK marker; today where it is left out")
_REPLAYED: Final = ("Idempotent-Replayed",)
_MADE: Final = Answer("What this key made before, as it stands now", {JSON: Invoice}, _REPLAYED)
_CORRECTED: Final = {
    201: Answer("Issued", {JSON: Invoice}, ("Location",)),
    202: Answer("It waits for the KSeF number of its base, and is issued by itself", {JSON: HeldCorrection}),
    200: Answer("What this key made before, as it stands now", {JSON: Invoice | HeldCorrection}, _REPLAYED),
}


def _one(description: str, kind: type) -> Mapping[int, Answer]:
    return {200: Answer(description, {JSON: kind})}


def _file(description: str, media: str, *headers: str) -> Mapping[int, Answer]:
    return {200: Answer(description, {media: None}, headers)}


_PRINT: Final = Parameter(
    "print",
    {"type": "string", "enum": ["true", "false"]},
    "false: of a ready file, nothing is printed, the till does it by its own means. A JSON sale says it as print",
)

OPERATIONS: Final = (
    Operation(
        "post",
        "/v1/invoices",
        "issue",
        "invoices",
        "Issue an invoice",
        {201: Answer("Issued", {JSON: Invoice}, ("Location",)), 200: _MADE},
        "The invoice is stored before it is sent, printed and answered. The answer comes after the wait for the KSeF "
        "number (issue.budget_seconds, 3 s) and for the paper (at most 45 s): let the client wait 90 s, then ask again "
        "with the same key. Keys never expire. State `accepted` is final, `rejected` waits for a manager, `exempt` is "
        "final unless the total failure was a false alarm; all others go on by themselves.",
        {JSON: Sale, XML: None},
        query=(
            Parameter(
                "receipt_nip",
                {"type": "string", "maxLength": 60},
                "Of a ready FA(3) to a receipt (FP 1): the buyer's number as the receipt has it. Required where the "
                "buyer has a NIP or VAT UE number. A JSON sale says it as receipt.nip",
            ),
            _PRINT,
        ),
        keyed=True,
        conflicts=True,
    ),
    Operation(
        "post",
        "/v1/preview",
        "preview",
        "papers",
        "The slip of a sale as text, before it is issued",
        _file("Text", "text/plain"),
        "Read, built and checked as for an invoice, with the same refusals; no number is taken and nothing is "
        "stored, sent or printed.",
        {JSON: Sale},
    ),
    Operation(
        "get",
        "/v1/invoices",
        "search",
        "invoices",
        "Search, newest first",
        _one("Found", InvoiceList),
        query=(
            Parameter(
                "state",
                {"type": "string", "pattern": f"^({_STATES})(,({_STATES}))*$", "examples": ["issued,sending"]},
                "One or more states, separated by commas",
            ),
            Parameter("from", _DAY, "First day of P_1"),
            Parameter("to", _DAY, "Last day of P_1"),
            Parameter("number", {"type": "string"}, "P_2, exact"),
            Parameter(
                "sha256",
                {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
                "Of the FA(3) file, as KOD I has it",
            ),
            Parameter(
                "text",
                {"type": "string"},
                "Part of number, buyer (NIP in any spelling, marks or not) or reference; KSeF number; amount",
            ),
            Parameter(
                "paper",
                {"type": "string", "pattern": f"^({_PRINTS})(,({_PRINTS}))*$", "examples": ["failed,uncertain"]},
                "One or more states of the newest print",
            ),
            Parameter("base", {"type": "string"}, "id of a corrected invoice"),
            Parameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, "100 where it is left out"),
            Parameter("after", {"type": "string"}, "`next` of the page before"),
        ),
    ),
    Operation("get", _ID, "show", "invoices", "One invoice as it stands now", _one("The invoice", Invoice)),
    Operation("get", f"{_ID}/xml", "xml", "invoices", "The very bytes that KSeF gets", _file("FA(3)", XML)),
    Operation(
        "get",
        f"{_ID}/upo",
        "upo",
        "invoices",
        "KSeF's official confirmation (UPO)",
        _file("UPO", XML, "X-Upo-Scope"),
        "The invoice's own, else the page of its session's that names it (and others).",
        query=(
            Parameter(
                "scope",
                {"type": "string", "enum": ["invoice", "session"]},
                "Just this one; without it the invoice's own where there is one",
            ),
        ),
    ),
    Operation(
        "get",
        f"{_ID}/events",
        "events",
        "invoices",
        "Everything recorded about it",
        _one("EventList, in order", EventList),
    ),
    Operation(
        "post",
        "/v1/exchange",
        "exchange",
        "invoices",
        "Issue the documents of a file in EDI++ (.epp)",
        _one("The file was read; each document says what became of it", Exchange),
        "FS and PA with NIP become invoices, KFS corrections. The key tells documents without number apart; all others "
        "are known by kind, number and date, and are never issued twice.",
        {"application/x-epp": None},
        query=(_PRINT,),
        keyed=True,
    ),
    Operation(
        "get",
        f"{_ID}/receipt.png",
        "receiptPng",
        "papers",
        "Picture of the bytes last sent to the printer",
        _file("A page of at most 16,000 dots", "image/png", "X-Pages", "Link"),
        query=(Parameter("page", {"type": "integer", "minimum": 1}, "Page of the picture, from 1"),),
    ),
    Operation(
        "get", f"{_ID}/code.svg", "code", "papers", "KOD I as a QR code for a screen", _file("SVG", "image/svg+xml")
    ),
    Operation("get", f"{_ID}/receipt.txt", "receiptText", "papers", "The paper as text", _file("Text", "text/plain")),
    Operation(
        "get",
        f"{_ID}/receipt.pdf",
        "receiptPdf",
        "papers",
        "The document as PDF",
        _file("PDF", "application/pdf"),
        query=(Parameter("page", {"type": "string", "enum": ["a4", "receipt"]}, "Paper; a4 where it is left out"),),
    ),
    Operation(
        "get",
        f"{_ID}/receipt.escpos",
        "receiptEscpos",
        "papers",
        "The bytes last sent to the printer",
        _file("ESC/POS", "application/octet-stream"),
    ),
    Operation("get", f"{_ID}/prints", "prints", "papers", "Its print jobs", _one("Print jobs", PrintList)),
    Operation("post", f"{_ID}/reprint", "reprint", "papers", "Print again, marked", _one("The invoice", Invoice)),
    Operation(
        "post",
        f"{_ID}/corrections",
        "correct",
        "corrections",
        "Correct: return, price, buyer, collective",
        _CORRECTED,
        "A buyer with another identifier makes two documents; the new invoice is `replacement`.",
        {JSON: Correction},
        keyed=True,
        conflicts=True,
    ),
    Operation(
        "post",
        "/v1/corrections",
        "correctOutside",
        "corrections",
        "Correct an invoice issued elsewhere",
        _CORRECTED,
        bodies={JSON: OutsideCorrection},
        keyed=True,
        conflicts=True,
    ),
    Operation(
        "get",
        "/v1/corrections",
        "heldCorrections",
        "corrections",
        "Corrections that wait for the KSeF number of their base, and those that can never be issued",
        _one("Held corrections, oldest first", HeldList),
    ),
    Operation("get", _HELD, "heldCorrection", "corrections", "One held correction as it stands now", _one("It", Held)),
    Operation(
        "post",
        f"{_HELD}/reprint",
        "reprintSlip",
        "corrections",
        "Print the customer's slip of a waiting correction again, marked",
        _one("The correction", Held),
        conflicts=True,
    ),
    Operation(
        "post",
        f"{_HELD}/close",
        "settleCorrection",
        "corrections",
        "End the case of a correction that can never be issued",
        _one("The correction", Held),
        bodies={JSON: ReasonGiven},
        manager=True,
        conflicts=True,
    ),
    Operation(
        "post",
        f"{_ID}/technical-correction",
        "technicalCorrection",
        "rejected",
        "Send a rejected invoice again as new bytes",
        _one("The invoice", Invoice),
        "Without a body the agent makes them: the same content, once, for an invoice issued offline.",
        {XML: None},
        body_required=False,
        manager=True,
        conflicts=True,
    ),
    Operation(
        "post",
        f"{_ID}/resend",
        "resendInvoice",
        "rejected",
        "Send the same bytes again after a refusal for missing permissions",
        _one("The invoice", Invoice),
        manager=True,
        conflicts=True,
    ),
    Operation(
        "post",
        f"{_ID}/close",
        "closeInvoice",
        "rejected",
        "End the case of a rejected invoice whose sale has another document",
        _one("The invoice", Invoice),
        bodies={JSON: ReasonGiven},
        manager=True,
        conflicts=True,
    ),
    Operation("get", "/v1/queue", "queue", "till", "What KSeF does not have yet", _one("Queue", Queue)),
    Operation("post", "/v1/sync", "sync", "till", "Send what waits, now", {202: Answer("Begun", {JSON: SyncBegun})}),
    Operation("get", "/v1/mode", "mode", "till", "The mode a press would get now", _one("Mode", CurrentMode)),
    Operation(
        "post",
        "/v1/mode",
        "declareMode",
        "till",
        "Declare offline24, or confirm a total failure",
        _one("Mode", CurrentMode),
        bodies={JSON: ModeDeclaration},
        manager=True,
        conflicts=True,
    ),
    Operation(
        "delete",
        "/v1/mode",
        "withdrawMode",
        "till",
        "Withdraw what was declared",
        _one("Mode", CurrentMode),
        bodies={JSON: ModeWithdrawal},
        body_required=False,
        query=(
            Parameter("reason", {"type": "string"}, "For clients that send no body with DELETE"),
            Parameter(
                "false_alarm",
                {"type": "string", "enum": ["true", "false"]},
                "true: the total failure, confirmed or only announced, never was; every duty to send is back",
            ),
        ),
        manager=True,
        conflicts=True,
    ),
    Operation(
        "get", "/v1/clock", "clock", "till", "The till's clock, and whether it may date invoices", _one("It", Clock)
    ),
    Operation(
        "post",
        "/v1/clock",
        "confirmClock",
        "till",
        "Confirm that the clock is right",
        _one("Clock", Clock),
        "Where nothing else confirms the date: a till that was off for long, or whose clock was set, without a line.",
        {JSON: ClockConfirmation},
        manager=True,
        conflicts=True,
    ),
    Operation("get", "/v1/status", "status", "till", "The body of /health, for the till", _one("Status", Health)),
    Operation(
        "get",
        "/v1/changes",
        "changes",
        "till",
        "Long poll: answers when something is recorded after a sequence number",
        _one("Newest sequence number", Changes),
        query=(
            Parameter(
                "after",
                {"type": "integer", "minimum": -1, "maximum": 4611686018427387904},
                "The last one seen; without it the answer comes at once",
            ),
            Parameter("wait", {"type": "integer", "minimum": 0, "maximum": 25}, "Seconds; 25 where it is left out"),
        ),
    ),
    Operation(
        "get",
        "/v1/buyers",
        "buyers",
        "till",
        "Buyers remembered by name or by the beginning of their NIP, at most 20",
        _one("Buyers", KnownBuyers),
        query=(
            Parameter(
                "text",
                {"type": "string", "minLength": 3, "maxLength": 200},
                "Beginnings of words of name or address, without regard to case and diacritics; or of a NIP",
                required=True,
            ),
        ),
    ),
    Operation(
        "get",
        "/v1/buyers/{nip}",
        "buyer",
        "till",
        "Name and address by NIP: as remembered, checked against the white list",
        _one("Buyer", KnownBuyer),
    ),
    Operation("get", "/v1/page", "page", "till", "What the till page has to know at its start", _one("Page", Page)),
    Operation(
        "get",
        "/openapi.json",
        "openapi",
        "till",
        "This document",
        {200: Answer("OpenAPI 3.1", {JSON: object})},
        open=True,
    ),
    Operation(
        "get",
        "/v1/register",
        "register",
        "books",
        "The register of a month",
        {200: Answer("Register", {JSON: Register, "text/csv": None, XML: None})},
        query=(
            _MONTH,
            Parameter(
                "format",
                {"type": "string", "enum": ["json", "csv", "jpk", "jpk-csv", "payments"]},
                "json (where it is left out), csv, payments (a table by KSeF number): invoices by P_1; "
                "jpk, jpk-csv: rows of JPK_V7M(3) by tax point",
            ),
            _AS_OF,
            Parameter(
                "dialect",
                {"type": "string", "enum": ["rfc4180", "excel"]},
                "Of tables: rfc4180 where it is left out; excel: as a Polish Excel opens them",
            ),
            Parameter(
                "bom",
                {"type": "string", "enum": ["0", "1"]},
                "Byte order mark in front of a table; where it is left out, 1 with excel",
            ),
        ),
    ),
    Operation(
        "get",
        "/v1/register/changes",
        "registerChanges",
        "books",
        "Rows of a month, by tax point, that differ from those filed before",
        _one("Changes", RegisterChanges),
        query=(
            _MONTH,
            Parameter(
                "since", _DAY, "Day of filing; left out: when rows of the month were last given out (jpk, jpk-csv)"
            ),
            _AS_OF,
        ),
    ),
    Operation(
        "get",
        "/v1/register/ksef",
        "registerKsef",
        "books",
        "The register beside KSeF's own metadata of the same days of P_1",
        _one("Comparison", RegisterBesideKsef),
        query=(
            _MONTH,
            Parameter("from", _DAY, "First day of P_1, in that month"),
            Parameter("to", _DAY, "Last day of P_1, in that month"),
        ),
    ),
    Operation(
        "get",
        "/v1/register/counts",
        "registerCounts",
        "books",
        "Counts of a month: how many offline, by mode, how late",
        _one("Counts", MonthCount),
        query=(_MONTH, _AS_OF),
    ),
    Operation(
        "get",
        "/v1/evidence",
        "evidence",
        "books",
        "One zip for an auditor",
        _file("Zip", "application/zip"),
        query=(
            Parameter("from", _DAY, "First day", required=True),
            Parameter("to", _DAY, "Last day", required=True),
        ),
        manager=True,
        auditor=True,
    ),
    Operation(
        "get",
        "/v1/annex",
        "annex",
        "books",
        "The annex to the shop's accounting policy, filled from the settings",
        _file("PDF of two pages", "application/pdf"),
        manager=True,
        auditor=True,
    ),
    Operation(
        "get",
        "/v1/retention",
        "retention",
        "books",
        "How long what is kept, and consumers' data whose period is over",
        _one("Periods and what is due", RetentionPlan),
        manager=True,
        auditor=True,
    ),
    Operation(
        "post",
        "/v1/retention",
        "eraseConsumers",
        "books",
        "Erase consumers' data whose period is over",
        _one("What was erased", ErasureResult),
        manager=True,
        conflicts=True,
    ),
    Operation(
        "get",
        "/v1/outages",
        "outages",
        "books",
        "Every outage this till knows of",
        _one("Outages", OutageList),
        query=(Parameter("from", _DAY, "First day"), Parameter("to", _DAY, "Last day")),
        manager=True,
        auditor=True,
    ),
    Operation(
        "get",
        "/v1/outages/{name}",
        "outageReport",
        "books",
        "The closing report of an outage",
        {200: Answer("Report", {JSON: ClosingReport, "application/pdf": None})},
        query=(Parameter("format", {"type": "string", "enum": ["json", "pdf"]}, "json where it is left out"),),
        manager=True,
        auditor=True,
    ),
    Operation(
        "get",
        "/v1/outbox",
        "outbox",
        "webhooks",
        "How far each webhook subscriber is",
        _one("Subscribers", Outbox),
        manager=True,
    ),
    Operation(
        "post",
        "/v1/outbox/replay",
        "replay",
        "webhooks",
        "Deliver all events from a sequence number on again",
        _one("Subscribers", Outbox),
        bodies={JSON: Replay},
        manager=True,
        conflicts=True,
    ),
)
