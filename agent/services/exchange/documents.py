"""The documents of an .epp, issued one after the other: FS and PA as sales, KFS as corrections.

A document has its own key (domain/exchange/requests.py), so a file that was only half done when the power went, or one
that holds documents of an earlier file, makes nothing twice. One refused document does not hold up the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.domain.callers import Caller
from agent.domain.errors import Refused
from agent.domain.exchange.file import Document, ExchangeFile, read_file
from agent.domain.exchange.requests import key_of, skipped
from agent.domain.exchange.sale import CORRECTION, Conventions
from agent.ports import Store
from agent.services.corrections.bases import BaseReader
from agent.services.exchange.issue_requests import ExchangeCorrectionRequest, ExchangeSale
from agent.services.exchange.outcome import Outcome, Problem
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.issuing.issue import Issuing
from agent.settings.model import DropFolderSettings

ISSUE_DATE = 22


class ExchangeDocuments:
    """Issues what an EDI++ file holds."""

    def __init__(
        self,
        issuing: Issuing,
        bases: BaseReader,
        *,
        store: Store,
        settings: DropFolderSettings,
        cash_register: str = "",
    ) -> None:
        """``cash_register``: of this till, where the drop folder has no register of its own."""
        self._issuing = issuing
        self._bases = bases
        self._store = store
        self._numbered_by_file = settings.number == "file"
        self._conventions = Conventions(
            seller_nip=bases.seller_nip,
            exemption=settings.exemption,
            register=settings.register or cash_register,
            receipt_is_document=settings.receipt_number == "document",
        )

    async def issue(
        self, data: bytes, key: str, caller: Caller, *, at_counter: bool = True, own_printing: bool = False
    ) -> list[Outcome]:
        """Issue all documents; BadInput where the file cannot be read at all, Unavailable to repeat all of it later.

        Corrections come last, since what they correct may stand behind them in the file. Outcomes are in its order.

        ``key`` stands for documents without number, which nothing but their file tells apart.
        """
        found = await asyncio.to_thread(read_file, data)
        outcomes = []
        for position, document in sorted(enumerate(found.documents), key=lambda each: each[1].kind == CORRECTION):
            outcome = Outcome(position, document.name)
            passed_over = skipped(document)
            if passed_over is not None:
                outcomes.append(replace(outcome, skipped=True, note=passed_over.sentence))
                continue
            own_key = key_of(found, document) or f"{key}:{position}"
            try:
                request = self._request(found, document)
                pressed = await self._issuing.issue(
                    request,
                    own_key,
                    caller,
                    at_counter=at_counter,
                    own_printing=own_printing,
                    older_content=request.older_content,
                )
            except Refused as error:
                outcomes.append(replace(outcome, problem=Problem.of(error)))
            else:
                outcomes.append(outcome.made(pressed, await self._note(document, pressed)))
        return sorted(outcomes, key=lambda each: each.position)

    def _request(self, file: ExchangeFile, document: Document) -> ExchangeSale | ExchangeCorrectionRequest:
        number = document.number if self._numbered_by_file and document.number else None
        if document.kind == CORRECTION:
            return ExchangeCorrectionRequest(file, document, self._conventions, number, self._bases)
        return ExchangeSale(file, document, self._conventions, number)

    async def _note(self, document: Document, pressed: IssueOutcome) -> str | None:
        """P_1 is the day of the press, so that KSeF takes it; the shop's books may have another day.

        It is read from what was made: the answer may come after midnight, and a correction that waits has no day yet.
        """
        if pressed.replayed:
            return "Dokument wystawiono już wcześniej; drugi raz nie powstał."
        if pressed.settles is not None:
            return "Nową fakturę wystawiono już wcześniej; powstała tylko korekta, której do niej brakowało."
        written = document.header.text(ISSUE_DATE)[:8]
        if not written:
            return None
        if pressed.held_id is not None:
            return f"Data wystawienia (P_1) będzie dniem, w którym korekta powstanie, a plik podaje {written}."
        made = await self._store.read(lambda tx: tx.invoices.get(pressed.invoice_ids[0]))
        if written == f"{made.issued_on:%Y%m%d}":
            return None
        return f"Data wystawienia (P_1) to {made.issued_on.isoformat()}, a plik podaje {written}."
