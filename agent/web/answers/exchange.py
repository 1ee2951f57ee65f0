"""The documents of a file in EDI++, and how each came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.services.exchange import outcome
from agent.services.exchange.made import Made, status_of
from agent.web.answers.corrections import Held, held_of
from agent.web.answers.invoice import Invoice, invoice_of
from agent.web.answers.problem import Mistake, mistakes_of
from agent.web.wire import Says, plain_object


@dataclass(frozen=True, slots=True)
class ExchangeProblem:
    """Why a document was refused, as in a problem document."""

    code: str
    detail: str
    """Polish."""
    errors: tuple[Mistake, ...]
    """``pointer`` is line:field of the file, or a pointer into the sale that was read."""


@dataclass(frozen=True, slots=True)
class ExchangeDocument:
    """One document of a file."""

    position: Annotated[int, Says(low=1)]
    name: Annotated[str | None, Says(example="FS 12/2026")]
    """What its program calls it."""
    status: Annotated[str, Says(words=("issued", "rejected", "waiting", "refused", "skipped"))]
    replayed: bool
    """It was issued before; nothing new was made."""
    note: str | None
    """Polish."""
    invoice: Invoice | None
    replacement: Invoice | None
    held: Held | None
    problem: ExchangeProblem | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """The documents of a file."""

    status: Annotated[str, Says(words=("issued", "rejected", "waiting", "refused", "partly", "skipped"))]
    """The gravest of its documents; partly where only some were refused."""
    documents: tuple[ExchangeDocument, ...]


def exchange_of(made: Sequence[Made]) -> Exchange:
    """Describe the documents of a file."""
    return Exchange(status_of(made), tuple(_document(each) for each in made))


def written(made: Sequence[Made]) -> dict[str, Json]:
    """Return the same as JSON: the drop folder's answers are those of the API."""
    return plain_object(exchange_of(made))


def _document(made: Made) -> ExchangeDocument:
    found = [invoice_of(each) for each in made.invoices]
    return ExchangeDocument(
        position=made.outcome.position + 1,
        name=made.outcome.name or None,
        status=made.status,
        replayed=made.outcome.replayed,
        note=made.outcome.note,
        invoice=found[0] if found else None,
        replacement=found[1] if len(found) > 1 else None,
        held=None if made.held is None else held_of(made.held),
        problem=_problem(made.outcome.problem),
    )


def _problem(value: outcome.Problem | None) -> ExchangeProblem | None:
    return None if value is None else ExchangeProblem(value.code, value.detail, mistakes_of(value.errors))
