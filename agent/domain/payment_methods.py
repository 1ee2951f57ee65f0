"""The API's words for how a customer pays."""

from __future__ import annotations

METHODS: dict[str, int] = {"cash": 1, "card": 2, "voucher": 3, "cheque": 4, "credit": 5, "transfer": 6, "mobile": 7}
"""The API's words -> TFormaPlatnosci. Any other word is PlatnoscInna with that word as description."""

TRANSFER = "transfer"
PAID_LATER = frozenset({"credit", TRANSFER})
"""Agreed at the till, received later: never reported as paid."""
