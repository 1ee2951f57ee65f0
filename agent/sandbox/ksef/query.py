"""POST /invoices/query/metadata: search in what was accepted. The filters that a seller needs; others are refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from aiohttp import web
from lxml import etree

from agent.ports import Json
from agent.sandbox.ksef.auth import Auth
from agent.sandbox.ksef.reading import offset_page
from agent.sandbox.ksef.sessions import FORM_CODE
from agent.sandbox.ksef.state import Behaviour, Ledger, LedgerEntry, SkewedClock
from agent.sandbox.ksef.verdicts import FA3, text
from agent.sandbox.ksef.wire import (
    WARSAW,
    JsonObject,
    b64,
    choice,
    invalid,
    json_answer,
    member,
    nested,
    optional,
    read_object,
    stamp,
)

SUBJECTS = ("Subject1", "Subject2", "Subject3", "SubjectAuthorized")
DATES = ("Issue", "Invoicing", "PermanentStorage")
LONGEST_RANGE = timedelta(days=100)
KNOWN_FILTERS = frozenset(
    {"subjectType", "dateRange", "ksefNumber", "invoiceNumber", "sellerNip", "invoicingMode", "invoiceTypes"}
)
INVOICE_TYPES = {
    "VAT": "Vat",
    "ZAL": "Zal",
    "KOR": "Kor",
    "ROZ": "Roz",
    "UPR": "Upr",
    "KOR_ZAL": "KorZal",
    "KOR_ROZ": "KorRoz",
}
NET_FIELDS = ("1", "2", "3", "4", "5", "6_1", "6_2", "6_3", "7", "8", "9", "10", "11")
TAX_FIELDS = ("1", "2", "3", "4", "5")


class Query:
    """The search."""

    def __init__(self, clock: SkewedClock, behaviour: Behaviour, auth: Auth, ledger: Ledger) -> None:
        self._clock = clock
        self._behaviour = behaviour
        self._auth = auth
        self._ledger = ledger

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [web.post("/invoices/query/metadata", self.metadata)]

    async def metadata(self, request: web.Request) -> web.Response:
        """Return one page of metadata, oldest first unless sortOrder=Desc."""
        operation = self._auth.require(request)
        body = await read_object(request)
        unknown = set(body) - KNOWN_FILTERS
        if unknown:
            raise invalid(f"Piaskownica nie zna filtrów: {', '.join(sorted(unknown))}.")
        seller = required(body, "subjectType", SUBJECTS) == "Subject1"
        wanted = nested(body, "dateRange")
        kind = required(wanted, "dateType", DATES)
        start = _instant(member(wanted, "from", str))
        until = optional(wanted, "to", str)
        end = self._clock.now() + timedelta(days=1) if until is None else _instant(until)
        if end - start > LONGEST_RANGE + timedelta(days=1):
            raise invalid("Zakres dat nie może przekraczać 100 dni.")
        number, p_2 = optional(body, "ksefNumber", str), optional(body, "invoiceNumber", str)
        mode, nip = choice(body, "invoicingMode", ("Online", "Offline")), optional(body, "sellerNip", str)
        types = optional(body, "invoiceTypes", list)
        now = self._clock.monotonic()
        found = [
            entry
            for entry in self._ledger.entries()
            if seller
            and entry.context == operation.context
            and now >= entry.stored_after
            and start <= self._instant_of(entry, kind) <= end
            and number in (None, entry.ksef_number)
            and p_2 in (None, entry.key[2])
            and nip in (None, entry.key[0])
            and mode in (None, _mode(entry))
            and (types is None or INVOICE_TYPES.get(entry.key[1]) in types)
        ]
        if request.query.get("sortOrder") == "Desc":
            found.reverse()
        chosen, more = offset_page(request, found, largest=250)
        return json_answer(
            {
                "hasMore": more,
                "isTruncated": False,
                "permanentStorageHwmDate": stamp(self._clock.now()),
                "invoices": [self._describe(entry) for entry in chosen],
            }
        )

    def _instant_of(self, entry: LedgerEntry, kind: str) -> datetime:
        if kind == "Issue":
            return datetime(entry.issued_on.year, entry.issued_on.month, entry.issued_on.day, 12, tzinfo=WARSAW)
        if kind == "Invoicing":
            return entry.received_at
        return entry.accepted_at + timedelta(seconds=self._behaviour.storage_delay)

    def _describe(self, entry: LedgerEntry) -> dict[str, Json]:
        root = etree.fromstring(entry.xml)
        gross = float(text(root, "Fa/P_15"))
        return {
            "ksefNumber": entry.ksef_number,
            "invoiceNumber": entry.key[2],
            "issueDate": entry.issued_on.isoformat(),
            "invoicingDate": stamp(entry.received_at),
            "acquisitionDate": stamp(entry.accepted_at),
            "permanentStorageDate": stamp(entry.accepted_at + timedelta(seconds=self._behaviour.storage_delay)),
            "seller": {"nip": entry.key[0], "name": text(root, "Podmiot1/DaneIdentyfikacyjne/Nazwa")},
            "buyer": _buyer(root),
            "netAmount": _sum(root, "P_13_", NET_FIELDS),
            "grossAmount": gross,
            "vatAmount": _sum(root, "P_14_", TAX_FIELDS),
            "currency": text(root, "Fa/KodWaluty"),
            "invoicingMode": _mode(entry),
            "invoiceType": INVOICE_TYPES[entry.key[1]],
            "formCode": FORM_CODE,
            "isSelfInvoicing": text(root, "Fa/Adnotacje/P_17") == "1",
            "hasAttachment": False,
            "invoiceHash": b64(entry.sha256),
        }


def required(body: JsonObject, name: str, words: Iterable[str]) -> str:
    """Return a required member that is one of ``words``."""
    member(body, name, str)
    return choice(body, name, words) or ""


def _instant(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise invalid(f"Nieprawidłowa data {value}.") from error
    # without an offset KSeF reads Polish time (docs/protocol.md, section 5)
    return found if found.tzinfo else found.replace(tzinfo=WARSAW)


def _mode(entry: LedgerEntry) -> str:
    return "Offline" if entry.offline else "Online"


def _buyer(root: etree._Element) -> dict[str, Json]:
    place = f"{FA3}Podmiot2/{FA3}DaneIdentyfikacyjne/{FA3}"
    identifier: dict[str, Json] = {"type": "None"}
    for field, kind in (("NIP", "Nip"), ("NrVatUE", "VatUe"), ("NrID", "Other")):
        value = root.findtext(place + field)
        if value:
            identifier = {"type": kind, "value": value}
            break
    buyer: dict[str, Json] = {"identifier": identifier}
    name = root.findtext(place + "Nazwa")
    if name:
        buyer["name"] = name
    return buyer


def _sum(root: etree._Element, prefix: str, fields: tuple[str, ...]) -> float:
    return round(sum(float(root.findtext(f"{FA3}Fa/{FA3}{prefix}{field}") or 0) for field in fields), 2)
