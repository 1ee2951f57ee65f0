"""A refusal (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from agent.domain.errors import FieldError
from agent.domain.values import dataclass
from agent.web.wire import Says


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake and its place."""

    pointer: Annotated[str, Says(example="/lines/0/vat")]
    """JSON pointer into the body (RFC 6901), ?name for a query parameter."""
    message: str
    """Polish, for the cashier."""
    code: Annotated[str, Says(example="unknown-vat-rate")]
    """Stable; docs/api.md lists all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not done (RFC 9457)."""

    type: Annotated[str, Says(example="urn:ksef-agent:problem:unknown-vat-rate")]
    title: str
    """English, for developers."""
    status: int
    code: Annotated[str, Says(example="unknown-vat-rate")]
    """Stable; docs/api.md lists all."""
    detail: str
    """Polish, for the cashier."""
    errors: tuple[Mistake, ...]
    retry_safe: bool
    """Repeating with the same key is safe and may help."""


def mistakes_of(found: Sequence[FieldError]) -> tuple[Mistake, ...]:
    """Describe mistakes."""
    return tuple(Mistake(each.pointer, each.message, each.code) for each in found)
