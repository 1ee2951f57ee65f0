"""What the hub refuses and nobody else asks about: copies for its books, and what it is handed over once more.

An invoice that is to go to KSeF says at its own place why the hub does not take it. These have no such place: they are
told by /health, as `hub`, with the hub's reason, until the hub takes them, nothing of them is left to hand over, or (of
copies) a manager has closed the case.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection

from agent.domain.invoice import InvoiceRecord
from agent.hub_route.client import HubRefusal, Offered
from agent.ports import CallOutcome, KsefError

LOG = logging.getLogger("agent.hub")
LISTED = 3
"""Invoices that the sentence names; of the others it says how many there are."""
WAIT_FOR = frozenset({"not-found", "token-unknown", "token-missing", "till-name-duplicate"})
"""Refusals of all a till says: a hub of an older version, or one that does not know this till now. They end."""
CLOSE = " Wyjaśnioną zamyka kierownik: ksef-agent rejected close NUMER --reason OPIS."
"""How people hear no more of a copy that the hub will never take: another document has its number, for instance."""
SIGNED = "Centrala: "
"""How the words of a refusal begin where they stand alone."""


class RefusedInvoices:
    """What the hub does not take for one purpose."""

    def __init__(self, purpose: str, sentence: str, remedy: str = "") -> None:
        """``purpose``: for the log; ``sentence``: how the Polish one for people begins; ``remedy``: what ends it."""
        self._purpose = purpose
        self._sentence = sentence
        self._remedy = remedy
        self.reasons: dict[str, str] = {}
        """By id of the invoice: its number, and why the hub does not take it."""

    async def offer(self, record: InvoiceRecord, call: Awaitable[Offered | None]) -> None:
        """Offer one to the hub by this call, and note whether it refuses it.

        KsefError where it is no matter of this invoice: the hub can take none now.
        """
        answer: Offered | KsefError | None
        try:
            answer = await call
        except KsefError as error:
            if not is_refusal(error):
                raise
            answer = error
        if answer is None or (isinstance(answer, Offered) and answer.status is not None):
            self.forget(record.id)
            return
        reason = f"{record.number} – {_words(answer)}"
        if record.id not in self.reasons:
            LOG.warning("the hub does not take %s: %s", self._purpose, reason)
        self.reasons[record.id] = reason

    def forget(self, invoice_id: str) -> None:
        """Hear no more of one: the hub has it, or nothing is left to hand over."""
        self.reasons.pop(invoice_id, None)

    def keep_only(self, invoice_ids: Collection[str]) -> None:
        """Forget all others."""
        self.reasons = {name: reason for name, reason in self.reasons.items() if name in invoice_ids}

    def problem(self) -> str:
        """Return in a Polish sentence what people should know of; empty where the hub takes everything."""
        if not self.reasons:
            return ""
        more = f"; i innych: {len(self.reasons) - LISTED}" if len(self.reasons) > LISTED else ""
        named = "; ".join(sorted(self.reasons.values())[:LISTED])
        return f"{self._sentence} ({len(self.reasons)}): {named.rstrip('.')}{more}.{self._remedy}"


class Refusals:
    """All that the hub refuses and nobody else asks about."""

    def __init__(self) -> None:
        self.of_books = RefusedInvoices(
            "a copy for its books", "Centrala nie przyjmuje do swoich ksiąg faktur, których się nie wysyła", CLOSE
        )
        self.of_refill = RefusedInvoices(
            "again what it lost", "Centrala utraciła dane i nie przyjmuje ponownie faktur, których UPO ma pobrać"
        )

    def problem(self) -> str | None:
        """Return in Polish sentences what people should know of."""
        return " ".join(filter(None, (self.of_books.problem(), self.of_refill.problem()))) or None


def is_refusal(error: KsefError) -> bool:
    """Whether the hub refuses just this invoice: the next one is another matter, and a repeat changes little."""
    return isinstance(error, HubRefusal) and error.outcome is CallOutcome.REFUSED and error.problem_code not in WAIT_FOR


def _words(answer: KsefError | Offered) -> str:
    words = answer.message if isinstance(answer, KsefError) else answer.detail
    return words.removeprefix(SIGNED)
