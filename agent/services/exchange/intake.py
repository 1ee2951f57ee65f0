"""One file, by its content and name: a JSON sale, a JSON correction, a ready FA(3) or EDI++, issued as the API would.

A correction in JSON is the body of the API's with the invoice beside it:

    {"invoice": id or number (P_2), "correction": {...}}      of an invoice of this till
    {"base": {...}, "correction": {...}}                      of one issued elsewhere (POST /v1/corrections)
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from functools import partial

from agent.domain.callers import Caller
from agent.domain.errors import BadInput, FieldError, NotFound, Refused
from agent.domain.json_io.body import parse_object
from agent.domain.json_io.canonical import Json
from agent.domain.json_io.encoding import to_utf_8
from agent.ports import InvoiceFilter, Store, Transaction
from agent.services.exchange import names
from agent.services.exchange.documents import ExchangeDocuments
from agent.services.exchange.outcome import Outcome, Problem
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.issuing.issue import Issuing

MAX_EPP_BYTES = 8 * 1024 * 1024
"""A day of a shop with its whole catalogue of products."""
_END_OF_XML = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?Faktura\s*>\s*\Z")


class Intake:
    """Issues what files hold."""

    def __init__(self, store: Store, issuing: Issuing, documents: ExchangeDocuments, max_body_bytes: int) -> None:
        self._store = store
        self._issuing = issuing
        self._max_body_bytes = max_body_bytes
        self._documents = documents

    def largest(self, kind: str) -> int:
        """Return how many bytes a file of a format may have."""
        return MAX_EPP_BYTES if kind == names.EPP else self._max_body_bytes

    async def take(self, data: bytes, *, kind: str, key: str, caller: Caller, at_counter: bool) -> tuple[Outcome, ...]:
        """Issue everything in the file, or say of each document why not; Unavailable: repeat with the same key."""
        try:
            if kind == names.EPP:
                return tuple(await self._documents.issue(data, key, caller, at_counter=at_counter))
            pressed = await self._single(data, kind, key, caller, at_counter=at_counter)
        except Refused as error:
            return (Outcome(problem=Problem.of(error)),)
        return (Outcome().made(pressed),)

    async def _single(self, data: bytes, kind: str, key: str, caller: Caller, *, at_counter: bool) -> IssueOutcome:
        if kind == names.XML:
            return await self._issuing.supplied(data, key, caller, at_counter=at_counter)
        body = to_utf_8(data)
        document = parse_object(body)
        if "correction" not in document:
            return await self._issuing.sale(body, key, caller, at_counter=at_counter)
        if "invoice" not in document:
            return await self._issuing.correct_external(body, key, caller, at_counter=at_counter)
        return await self._correct(document, key, caller, at_counter=at_counter)

    async def _correct(
        self, document: Mapping[str, Json], key: str, caller: Caller, *, at_counter: bool
    ) -> IssueOutcome:
        called, correction = document["invoice"], document["correction"]
        if set(document) != {"invoice", "correction"} or not isinstance(called, str):
            text = "Spodziewane pola: invoice (numer faktury albo jej id) i correction (korekta)."
            raise BadInput(text, errors=(FieldError("/invoice", text, "required"),))
        invoice_id = await self._store.read(partial(_find, called.strip()))
        body = json.dumps(correction, ensure_ascii=False).encode()
        return await self._issuing.correct(invoice_id, body, key, caller, at_counter=at_counter)


def is_whole(data: bytes, kind: str) -> bool:
    """Tell whether a file ends as a finished one does: a copy is seen while it grows, or filled with zeros before."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "ignore").encode("utf-8", "ignore")
    if kind == names.XML:
        return _END_OF_XML.search(data[-200:]) is not None
    if kind == names.EPP:
        return data.rstrip(b" \t\x1a").endswith((b"\n", b"\r"))
    return data.rstrip().endswith(b"}")


async def _find(called: str, tx: Transaction) -> str:
    """Return the id of an invoice by its id or P_2; NotFound."""
    for record in await tx.invoices.find(InvoiceFilter(number=called, limit=1)):
        return record.id
    try:
        return (await tx.invoices.get(called)).id
    except NotFound as error:
        raise NotFound(f"Na tej kasie nie ma faktury „{called[:60]}”.", code="invoice-not-found") from error
