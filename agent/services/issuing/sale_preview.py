"""What the paper of a sale will show, before the press: read, built and checked as an invoice is; nothing is kept."""

from __future__ import annotations

from agent.domain.fa3.view.read import read
from agent.domain.paper.choice import Document, PaperChoice
from agent.domain.paper.compose import compose
from agent.ports import Store
from agent.services.buyers.lookup import BuyerLookup
from agent.services.issuing.documents import DocumentBuilder, Number
from agent.services.issuing.requests import RequestReader
from agent.services.outages.trusted_time import TrustedTime
from agent.services.paper.previews import Previews

NUMBER = "PODGLĄD"
"""Stands where P_2 will: no number is taken."""


class SalePreview:
    """Shows sales as they would be printed."""

    def __init__(
        self,
        *,
        requests: RequestReader,
        buyers: BuyerLookup,
        documents: DocumentBuilder,
        trusted_time: TrustedTime,
        store: Store,
        previews: Previews,
        footer: tuple[str, ...],
    ) -> None:
        self._requests = requests
        self._buyers = buyers
        self._documents = documents
        self._trusted_time = trusted_time
        self._store = store
        self._previews = previews
        self._footer = footer

    async def text(self, body: bytes) -> str:
        """Return the slip of a JSON sale as text. Errors as of Issuing.sale(), and Unavailable where too many wait."""
        request = self._requests.sale(body)
        if (nip := request.nip_alone) is not None:
            request = request.naming(await self._buyers.named(nip))
        now = await self._trusted_time.for_document()
        checked = request.check(now)
        plan = await self._store.read(checked.plan)
        built = self._documents.build(plan.documents[0], Number(NUMBER), now)
        choice = PaperChoice(
            document=Document.INVOICE,
            label=f"Faktura VAT nr {NUMBER}",
            caption_invoice=None,
            caption_certificate=None,
            notice="To jeszcze nie jest faktura: niczego nie wystawiono.",
        )
        return await self._previews.unprinted(compose(read(built.xml), choice, link_invoice="", footer=self._footer))
