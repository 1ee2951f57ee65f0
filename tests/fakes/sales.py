"""Mixed sales from a seed: buyers, rates, prices, quantities, payments as a shop has them."""

from __future__ import annotations

import random
from typing import Any

BUYERS: list[dict[str, Any]] = [
    {"nip": "1111111111", "name": "Nabywca S.A.", "address": {"line1": "ul. Polna 2", "country": "PL"}},
    {"nip": "9999999999", "name": "Żółw i Spółka", "address": {"line1": "ul. Łąkowa 3", "country": "PL"}},
    {"name": "Jan Kowalski", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}},
    {"none": True, "name": "Ґалаґан Їжакевич", "address": {"line1": "вул. Хрещатик 1", "country": "UA"}},
    {"eu_vat": "DE136695976", "name": "Müller GmbH", "address": {"line1": "Hauptstraße 5", "country": "DE"}},
    {
        "foreign_id": {"country": "US", "number": "12-3456789"},
        "name": "ACME Inc.",
        "address": {"line1": "1 Main St", "country": "US"},
    },
]
NAMES = ["Kawa „Złota” 1 kg", "Chleb żytni", "Śruba M8×40", "Usługa montażu", "Gazeta", "Książka – poradnik"]


def mixed_sale(seed: int) -> dict[str, Any]:
    """Return the sale of a seed; always the same for the same seed."""
    draw = random.Random(seed)
    lines = [
        {
            "name": draw.choice(NAMES),
            "quantity": draw.choice(["1", "2", "3", "0.350", "12.125"]),
            "unit": draw.choice(["szt.", "kg", "opak."]),
            "unit_price": f"{draw.randint(1, 99_999) / 100:.2f}",
            "vat": draw.choice(["23", "23", "23", "8", "5", "0 KR", "zw"]),
        }
        for _ in range(draw.randint(1, 6))
    ]
    sale: dict[str, Any] = {
        "buyer": draw.choice(BUYERS),
        "prices": draw.choice(["gross", "gross", "net"]),
        "lines": lines,
        "external_ref": f"ZAM/{seed}",
    }
    if any(line["vat"] == "zw" for line in lines):
        sale["exemption"] = "art. 43 ust. 1 pkt 1 ustawy"
    if draw.random() < 0.3:
        sale["receipt"] = {"number": f"W{seed:06}", "register": "EAZ 2301234567"}
        if number := sale["buyer"].get("nip") or sale["buyer"].get("eu_vat"):
            sale["receipt"]["nip"] = number
    return sale
