"""The documents of a file as they stand now: what was made, and what has become of it since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from agent.domain.callers import Caller
from agent.domain.lifecycle import HeldState, InvoiceState
from agent.domain.values import dataclass
from agent.ports import Store, Transaction
from agent.services.corrections.pending import HeldAnswer, PendingCorrections
from agent.services.exchange.documents import ExchangeDocuments
from agent.services.exchange.outcome import Outcome
from agent.services.queries.invoice_answer import InvoiceAnswer, answer

_BY_GRAVITY = ("refused", "rejected", "waiting", "issued", "skipped")


@dataclass(frozen=True, slots=True)
class Made:
    """A document as it stands now."""

    outcome: Outcome
    invoices: tuple[InvoiceAnswer, ...]
    held: HeldAnswer | None

    @property
    def unnumbered(self) -> tuple[str, ...]:
        """Ids of its invoices of which KSeF has not said its last word."""
        return tuple(
            each.record.id
            for each in self.invoices
            if each.record.state is not InvoiceState.ACCEPTED and each.record.closed_at is None
        )

    @property
    def waits(self) -> bool:
        """Whether KSeF, the number of a base, or a manager with a correction that was refused will still change it."""
        held = self.held is not None and (self.held.state is HeldState.WAITING or self.held.to_close)
        return held or bool(self.unnumbered)

    @property
    def status(self) -> str:
        """issued, rejected (by KSeF, or a correction with its base), waiting (for its base), refused, skipped."""
        if self.outcome.problem is not None:
            return "refused"
        if self.outcome.skipped:
            return "skipped"
        if self.held is not None and self.held.state is HeldState.REFUSED:
            return "rejected"
        if self.held is not None and not self.invoices:
            return "waiting"
        return "rejected" if any(each.record.state is InvoiceState.REJECTED for each in self.invoices) else "issued"


def status_of(documents: Sequence[Made]) -> str:
    """Return the status of a file: the gravest of its documents, partly where only some were refused."""
    statuses = {document.status for document in documents}
    if "refused" in statuses and statuses - {"refused", "skipped"}:
        return "partly"
    return next(word for word in _BY_GRAVITY if word in statuses)


async def made_of(store: Store, pending: PendingCorrections, outcome: Outcome) -> Made:
    """Read how a document stands; a correction that has been issued meanwhile is an invoice."""
    held = None if outcome.held is None else await pending.one(outcome.held)
    if held is not None and held.invoice_id is not None:
        outcome = replace(outcome, invoices=(held.invoice_id, *outcome.invoices), held=None)
        held = None

    return Made(outcome, await store.read(partial(_read, outcome.invoices)), held)


async def _read(invoice_ids: Sequence[str], tx: Transaction) -> tuple[InvoiceAnswer, ...]:
    return tuple([await answer(tx, await tx.invoices.get(each)) for each in invoice_ids])


class ExchangeRequests:
    """An .epp handed in by a call instead of a file (POST /v1/exchange)."""

    def __init__(self, store: Store, pending: PendingCorrections, documents: ExchangeDocuments) -> None:
        self._store = store
        self._pending = pending
        self._documents = documents

    async def issue(self, data: bytes, key: str, caller: Caller, *, own_printing: bool) -> list[Made]:
        """Issue its documents and return how each stands; BadInput where the file cannot be read at all."""
        outcomes = await self._documents.issue(data, key, caller, own_printing=own_printing)
        return [await made_of(self._store, self._pending, outcome) for outcome in outcomes]
