"""Domestic reverse charge (oo): only art. 145e has it, for gas, power and emission rights, until the end of 2026.

No refusal: the end was put off once already, weeks before it came (Dz.U. 2025 poz. 222), and a shop's own system may
know of another such act before this program does. A till's own sale has no such rate at all (sale/parse.py).
"""

from __future__ import annotations

from datetime import date

from agent.domain.fa3.view.document import FaView
from agent.domain.invoice import VatRate

UNTIL = date(2026, 12, 31)
"""Art. 145e ust. 1: the last day of a sale."""


def ended_hint(view: FaView) -> str | None:
    """Return a Polish sentence where an invoice has the rate for a later sale, else None."""
    days = [line.sold_on or view.day_of_sale for line in view.all_lines if line.rate == VatRate.REVERSE_CHARGE]
    if not days or max(days) <= UNTIL:
        return None
    return (
        f"Faktura ma stawkę „oo” przy sprzedaży z {max(days):%d.%m.%Y}, a odwrotne obciążenie w kraju kończy się "
        f"{UNTIL:%d.%m.%Y} (art. 145e ustawy o VAT). Powiedz kierownikowi."
    )
