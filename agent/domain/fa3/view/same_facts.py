"""Whether a document tells what the store's row of it does."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from xml.sax.saxutils import escape

from agent.domain.errors import BadInput
from agent.domain.fa3.view.read import read_heading
from agent.domain.vat import round_cents


def tells(xml: bytes, number: str, issued_on: date, gross: Decimal) -> bool:
    """Tell whether P_2, P_1 and P_15 of a document are these. What cannot be read tells nothing else.

    The agent's own documents are not read for it, but looked through for the three fields as it writes them.
    """
    fields = {"P_2": escape(number), "P_1": issued_on.isoformat(), "P_15": str(gross)}
    if all(f"<{name}>{value}</{name}>".encode() in xml for name, value in fields.items()):
        return True
    try:
        heading = read_heading(xml)
    except BadInput:
        return True
    return (heading.number, heading.issued_on, round_cents(heading.gross)) == (number, issued_on, gross)
