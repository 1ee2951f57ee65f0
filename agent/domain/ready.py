"""Ready FA(3) documents from the shop's own system: checked as strictly as our own, bytes kept to the last one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from agent.domain.fa3_schema import Fa3Schema
from agent.domain.fa3_view_types import FaView
from agent.domain.invoice import Buyer, CorrectedBase, Totals

MAX_BYTES = 1_000_000
"""KSeF's limit for one invoice without attachment."""


@dataclass(frozen=True, slots=True)
class ReadyInvoice:
    """A ready document that may be issued as it is. ``bases`` is empty unless it corrects something."""

    xml: bytes = field(repr=False)
    view: FaView = field(repr=False)
    number: str
    kind: str
    issued_on: date
    buyer: Buyer
    totals: Totals
    bases: tuple[CorrectedBase, ...] = ()


def check_ready(xml: bytes, *, schema: Fa3Schema, seller_nip: str, today: date) -> ReadyInvoice:
    """Return what the document says, or raise BadInput with a plain Polish sentence for every mistake found.

    ``today`` is the Polish civil date of the press.
    """
    raise NotImplementedError
