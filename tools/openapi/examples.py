"""Requests and answers for readers; tests send the requests and hold the answers against their schemas."""

from __future__ import annotations

from typing import Any, Final

MINISTRY: Final = {
    "nip": "5260250274",
    "name": "Ministerstwo Finansów",
    "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa"},
}
COFFEE: Final = {"name": "Kawa ziarnista 1 kg", "quantity": "2", "unit": "szt.", "unit_price": "64.90", "vat": "23"}

BUYERS: Final[dict[str, dict[str, Any]]] = {
    "nip": {"summary": "a Polish firm whose name the agent finds", "value": {"nip": "5260250274"}},
    "firm": {"summary": "a Polish firm", "value": MINISTRY},
    "consumer": {
        "summary": "a consumer",
        "value": {"name": "Anna Nowak", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}},
    },
    "said": {
        "summary": "a consumer, said in so many words",
        "value": {"none": True, "name": "Anna Nowak", "address": {"line1": "ul. Cicha 3, Warszawa"}},
    },
    "eu": {
        "summary": "a firm of the EU",
        "value": {
            "eu_vat": "DE123456789",
            "name": "Muster GmbH",
            "address": {"line1": "Musterstr. 1, 10115 Berlin", "country": "DE"},
        },
    },
    "foreign": {
        "summary": "a firm of another country",
        "value": {
            "foreign_id": {"country": "US", "number": "12-3456789"},
            "name": "Sample Inc.",
            "address": {"line1": "1 Main St, Springfield", "country": "US"},
        },
    },
    "email": {
        "summary": "with an e-mail address, which comes back to the shop's own programs",
        "value": {"nip": "5260250274", "email": "biuro@example.pl"},
    },
}
"""Kinds of buyers, for a table; tests sell to each."""

SALES: Final[dict[str, dict[str, Any]]] = {
    "firm": {
        "summary": "To a firm",
        "value": {
            "buyer": MINISTRY,
            "prices": "gross",
            "lines": [COFFEE],
            "payments": [{"method": "card", "amount": "129.80"}],
            "external_ref": "order-4711",
        },
    },
    "consumer": {
        "summary": "To a consumer",
        "value": {
            "buyer": {"name": "Anna Nowak", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}},
            "prices": "gross",
            "lines": [{"name": "Chleb żytni", "quantity": "1.5", "unit": "kg", "unit_price": "9.80", "vat": "5"}],
            "payments": [{"method": "cash", "amount": "14.70"}],
        },
    },
    "receipt": {
        "summary": "To a fiscal receipt",
        "value": {
            "buyer": MINISTRY,
            "prices": "gross",
            "lines": [COFFEE],
            "receipt": {"number": "W000123", "register": "EAZ 2301234567", "nip": "5260250274"},
        },
    },
    "euro": {
        "summary": "To a firm of the EU, in euro",
        "value": {
            "buyer": {
                "eu_vat": "DE123456789",
                "name": "Muster GmbH",
                "address": {"line1": "Musterstr. 1, 10115 Berlin", "country": "DE"},
            },
            "prices": "net",
            "lines": [{"name": "Kubek", "quantity": "10", "unit_price": "4.00", "vat": "0 WDT"}],
            "currency": "EUR",
            "exchange_rate": "4.2510",
            "notes": [{"key": "Zamówienie", "value": "4711"}],
        },
    },
}

INVOICE: Final[dict[str, Any]] = {
    "id": "01kbv3mk6aq5c1w2m6z4v8e9xt",
    "number": "FV-1/2026/11/000042",
    "issued_on": "2026-11-24",
    "mode": "online",
    "legal_basis": "art. 106gb",
    "reason": "KSeF jest dostępny.",
    "state": "accepted",
    "ksef_number": "5265877635-20261124-0100001AF629-AF",
    "deadline": "2026-11-25",
    "sha256": "a3f5c0d18e6b4c7f9d2a1b0e8c7d6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e",
    "links": {
        "invoice": "https://qr.ksef.mf.gov.pl/invoice/5265877635/24-11-2026/o_XA0Y5rTH-dKhsOjH1vWks8LR4Pmot8bV5POisMDZ4",
        "certificate": None,
    },
    "paper": {
        "document": "invoice",
        "label": "Faktura VAT nr FV-1/2026/11/000042 wystawiona w trybie online (art. 106gb)",
        "state": "printed",
        "copies": 1,
        "problem": None,
        "printer": "kasa",
    },
    "totals": {
        "net": "105.53",
        "tax": "24.27",
        "gross": "129.80",
        "currency": "PLN",
        "rates": [{"rate": "23", "net": "105.53", "tax": "24.27", "gross": "129.80"}],
    },
    "hand_over": "Wydaj klientowi fakturę.",
    "held_by": None,
    "kind": "VAT",
    "issued_at": "2026-11-24T10:15:30+01:00",
    "deadline_state": "due",
    "sent_at": "2026-11-24T10:15:30.412000+01:00",
    "accepted_at": "2026-11-24T10:15:31.038000+01:00",
    "rejection": None,
    "ways_out": [],
    "closed_at": None,
    "upo": True,
    "version": 1,
    "buyer": {
        "kind": "nip",
        "identifier": "5260250274",
        "country": "PL",
        "name": "Ministerstwo Finansów",
        "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa", "country": "PL"},
        "email": None,
    },
    "payments": [{"method": "card", "amount": "129.80", "due": None}],
    "external_ref": "order-4711",
    "corrects": None,
    "pressed_by": "kasa 1",
}

PROBLEM: Final[dict[str, Any]] = {
    "type": "urn:ksef-agent:problem:unknown-vat-rate",
    "title": "Not a P_12 of FA(3)",
    "status": 422,
    "code": "unknown-vat-rate",
    "detail": "Sprzedaż: pozycja 1: stawka VAT: nieznana „24”.",
    "errors": [
        {
            "pointer": "/lines/0/vat",
            "message": "pozycja 1: stawka VAT: nieznana „24”.",
            "code": "unknown-vat-rate",
        }
    ],
    "retry_safe": False,
}

RETURN: Final[dict[str, Any]] = {
    "kind": "return",
    "reason": "zwrot towaru",
    "lines": [{"line": 1, "quantity": "1"}],
}
