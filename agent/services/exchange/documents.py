"""The documents of an .epp, issued one after the other: FS and PA as sales, KFS as corrections.

A document has its own key (domain/exchange/requests.py), so a file that was only half done when the power went, or one
that holds documents of an earlier file, makes nothing twice. One refused document does not hold up the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.callers import Caller
from agent.domain.errors import Refused
from agent.domain.exchange.correction import correction_of
from agent.domain.exchange.file import Document, ExchangeFile, read_file
from agent.domain.exchange.requests import content_of, key_of, skipped
from agent.domain.exchange.sale import CORRECTION, Conventions, sale_of
from agent.domain.fa3.build import issue_date
from agent.domain.sale.parse import parse_sale
from agent.services.corrections.correct import Correcting
from agent.services.desk import Desk
from agent.services.exchange.outcome import Outcome, Problem
from agent.services.issuing.documents import Prepare, ready_made, sale_order
from agent.services.issuing.idempotency import Pressed
from agent.services.issuing.issue import Issuing

ISSUE_DATE = 22


class ExchangeDocuments:
    """Issues what an EDI++ file holds."""

    def __init__(self, desk: Desk, issuing: Issuing, correcting: Correcting) -> None:
        self._desk = desk
        self._issuing = issuing
        self._correcting = correcting
        chosen = desk.settings.drop_folder
        self._numbered_by_file = chosen.number == "file"
        self._conventions = Conventions(
            seller_nip=desk.settings.seller.nip,
            exemption=chosen.exemption,
            register=chosen.register,
            receipt_is_document=chosen.receipt_number == "document",
        )

    async def issue(self, data: bytes, key: str, caller: Caller, *, at_counter: bool = True) -> list[Outcome]:
        """Issue all documents; BadInput where the file cannot be read at all, Unavailable to repeat all of it later.

        ``key`` stands for documents without number, which nothing but their file tells apart.
        """
        found = await asyncio.to_thread(read_file, data)
        outcomes = []
        for position, document in enumerate(found.documents):
            outcome = Outcome(position, document.name)
            passed_over = skipped(document)
            if passed_over is not None:
                outcomes.append(replace(outcome, skipped=True, note=passed_over.sentence))
                continue
            own_key = key_of(found, document) or f"{key}:{position}"
            try:
                pressed = await self._press(found, document, own_key, caller, at_counter=at_counter)
            except Refused as error:
                outcomes.append(replace(outcome, problem=Problem.of(error)))
            else:
                outcomes.append(outcome.made(pressed, self._note(document, pressed)))
        return outcomes

    async def _press(
        self, found: ExchangeFile, document: Document, key: str, caller: Caller, *, at_counter: bool
    ) -> Pressed:
        number = document.number if self._numbered_by_file and document.number else None
        content = content_of(document)
        if document.kind == CORRECTION:
            describe = partial(correction_of, found, document, self._conventions)
            return await self._correcting.correct_described(
                describe, content, key, caller, number=number, at_counter=at_counter
            )

        def prepare(now: datetime) -> Prepare:
            request = sale_of(found, document, self._conventions)
            sale = parse_sale(request.document, today=issue_date(now), seller_nip=self._desk.settings.seller.nip)
            request.check(sale)
            return ready_made(sale_order(self._desk.settings, sale, now, number=number), sale.buyer)

        return await self._issuing.press(key, content, prepare, caller, at_counter=at_counter)

    def _note(self, document: Document, pressed: Pressed) -> str | None:
        """P_1 is the day of the press, so that KSeF takes it; the shop's books may have another day."""
        if pressed.replayed:
            return "Dokument wystawiono już wcześniej; drugi raz nie powstał."
        written = document.header.text(ISSUE_DATE)[:8]
        today = local_date(self._desk.now())
        if written and written != f"{today:%Y%m%d}":
            return f"Data wystawienia (P_1) to {today.isoformat()}, a plik podaje {written}."
        return None
