"""How a customer pays: the API's words, the Polish words for the same, and which of them are money received."""

from __future__ import annotations

import re
import unicodedata

METHODS: dict[str, int] = {"cash": 1, "card": 2, "voucher": 3, "cheque": 4, "credit": 5, "transfer": 6, "mobile": 7}
"""The API's words -> TFormaPlatnosci. Any other word is PlatnoscInna with that word as description."""

TRANSFER = "transfer"
OFFSET = "rozliczenie wymiany"
"""OpisPlatnosci of what an exchange settles between a return and a sale: no money moves."""
NEW_INVOICE = "rozliczenie nową fakturą"
"""OpisPlatnosci of a correction to zero whose buyer was the wrong one: the new invoice settles it, no money moves."""
REST = "do rozliczenia"
"""OpisPlatnosci of what an exchange leaves where nobody said how it is paid."""
SET_OFF = frozenset({OFFSET, NEW_INVOICE})
RECEIVED = frozenset({"cash", "card", "voucher", "cheque", "mobile", *SET_OFF})
"""Received at the till. Of every other word, known or not, Zaplacono is not claimed: a wrong one is evidence."""

_WORDS: dict[str, str] = {
    "cash": "cash gotowka gotowke gotowki gotowkowa gotowkowo got",
    "card": "card cards karta karty karte platnicza kredytowa debetowa terminal terminalem visa mastercard maestro",
    "voucher": "voucher vouchers voucherem bon bony bonem bonami talon talony talonem podarunkowy podarunkowe towarowy",
    "cheque": "cheque check czek czeki czekiem",
    "credit": "credit kredyt kredytem kupiecki",
    TRANSFER: "transfer transfers przelew przelewy przelewem przelewu bankowy bankowym",
    "mobile": "mobile blik blikiem mobilna mobilne mobilny",
}
"""In lower case without marks."""
_METHOD_OF_WORD = {word: method for method, words in _WORDS.items() for word in words.split()}
_FILLING = frozenset({"platnosc", "zaplata", "forma", "platne", "na", "w", "rachunek", "konto"})
"""Words that say nothing of the method."""
_GIFT_CARD = frozenset({"podarunkowa", "prezentowa", "gift"})
"""With one of these a card is a voucher."""


def method_of(text: str) -> str:
    """Return the API's word for a form of payment in whatever case and spelling; unknown text as it is.

    Only where every word is known and all mean the same: "przelew 14 dni" says more than "transfer".
    """
    words = _words(text)
    found = {_METHOD_OF_WORD.get(word) for word in words if word not in _FILLING | _GIFT_CARD}
    method = next(iter(found)) if len(found) == 1 else None
    if method == "card" and not _GIFT_CARD.isdisjoint(words):
        return "voucher"
    return text if method is None else method


def by_transfer(method: str) -> bool:
    """Tell whether a payment, in the API's word or in others, is awaited on the bank account."""
    return TRANSFER in {_METHOD_OF_WORD.get(word) for word in _words(method)}


def _words(text: str) -> list[str]:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    return re.findall(r"\w+", plain.replace("ł", "l"))
