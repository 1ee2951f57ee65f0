"""Corrections that wait for the KSeF number of their base, and the answer to a press."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from agent.domain.values import dataclass
from agent.services.corrections.pending import HeldAnswer
from agent.services.queries.invoices import IssueAnswer
from agent.web.answers.invoice import Invoice, invoice_of
from agent.web.wire import OMITTED, Says

HELD_STATES = ("waiting", "issued", "refused")


@dataclass(frozen=True, slots=True)
class Held:
    """A correction that waits for the KSeF number of its base; it has no number of its own yet."""

    id: str
    base_id: str
    base_number: str
    state: Annotated[str, Says(words=HELD_STATES)]
    gross: Decimal
    """The difference."""
    due: Decimal
    """What changes hands: the difference and the deposits, less what a new invoice settles; below zero: given back."""
    currency: str
    created_at: datetime
    hand_over: str
    """What the cashier hands over now: one Polish sentence."""
    problem: str | None
    """Polish: why it can never be issued."""
    invoice_id: str | None
    """The correction, once issued."""
    to_settle: bool
    """Refused, and no manager has closed the case yet."""


@dataclass(frozen=True, slots=True)
class HeldCorrection:
    """Answer to a correction that waits for the KSeF number of its base; it is issued by itself."""

    held: Held
    state: Annotated[str, Says(words=HELD_STATES)]
    hand_over: str
    held_by: str
    """Number of the base."""
    replacement: Annotated[Invoice | None, OMITTED] = None
    """The new invoice of a wrong buyer or an exchange, after the correction; only in the answer to its press."""
    replacement_earlier: Annotated[bool | None, OMITTED] = None
    """True where an earlier press made it, whose correction was lost: only the correction is new."""


@dataclass(frozen=True, slots=True)
class HeldList:
    """Corrections that are not issued, oldest first."""

    held: tuple[Held, ...]
    refused: tuple[Held, ...]
    """Can never be issued; until a manager closes the case."""


def held_of(value: HeldAnswer) -> Held:
    """Describe a held correction."""
    return Held(
        id=value.id,
        base_id=value.base_id,
        base_number=value.base_number,
        state=value.state,
        gross=value.gross,
        due=value.due,
        currency=value.currency,
        created_at=value.created_at,
        hand_over=value.hand_over,
        problem=value.problem,
        invoice_id=value.invoice_id,
        to_settle=value.to_close,
    )


def all_held(values: Sequence[HeldAnswer]) -> tuple[Held, ...]:
    """Describe many."""
    return tuple(held_of(value) for value in values)


def pressed(answer: IssueAnswer) -> Invoice | HeldCorrection:
    """Describe what a press made: an invoice, or a correction that waits. Either may come with a replacement."""
    if answer.held is None:
        return invoice_of(*answer.invoices[:2], replacement_earlier=answer.settles)
    held = held_of(answer.held)
    replacement = invoice_of(answer.invoices[0]) if answer.invoices else None
    earlier = True if answer.settles else None
    return HeldCorrection(held, held.state, held.hand_over, held.base_number, replacement, earlier)
