"""Sample sales of the demo."""

from __future__ import annotations

from typing import Any

BUYERS: dict[str, dict[str, Any]] = {
    "nip": {
        "nip": "1111111111",
        "name": "Pracownia Stolarska Jesion sp. z o.o.",
        "address": {"line1": "ul. Źródlana 14/3", "line2": "30-123 Kraków", "country": "PL"},
    },
    "consumer": {
        "name": "Żaneta Gęślą-Jaźńska",
        "address": {"line1": "ul. Pod Dębami 3", "line2": "05-077 Warszawa", "country": "PL"},
    },
    "eu": {
        "eu_vat": "DE136695976",
        "name": "Müller Werkzeuge GmbH",
        "address": {"line1": "Hauptstraße 5", "line2": "10115 Berlin", "country": "DE"},
    },
}
LINES: list[dict[str, Any]] = [
    {"name": "Wkrętarka akumulatorowa 18 V, 2 akumulatory", "quantity": "1", "unit": "szt.", "unit_price": "549.00",
     "vat": "23"},
    {"name": "Wkręty do drewna 4×40, opak. 200 szt.", "quantity": "3", "unit": "opak.", "unit_price": "24.99",
     "vat": "23", "discount": "5.00"},
    {"name": "Poradnik „Drewno w domu”", "quantity": "1", "unit": "szt.", "unit_price": "39.90", "vat": "5"},
    {"name": "Kawa mielona na wagę", "quantity": "0.350", "unit": "kg", "unit_price": "89.00", "vat": "8"},
]  # fmt: skip


def sample_sale(buyer: str) -> dict[str, Any]:
    """Return a sale to ``nip``, ``consumer`` or ``eu`` as a till gives it."""
    receipt = {"number": "W001234", "register": "EAZ 2301234567"}
    number = BUYERS[buyer].get("nip") or BUYERS[buyer].get("eu_vat")
    if number is not None:
        receipt["nip"] = number
    return {
        "buyer": BUYERS[buyer],
        "prices": "gross",
        "lines": LINES,
        "payments": [{"method": "card", "amount": "690.02"}],
        "receipt": receipt,
        "external_ref": "ZAM/2026/11/0042",
    }
