"""What the books keep of one invoice for ever, also after its FA(3) bytes have left this till.

Read once out of the bytes, when they are made: tax points, sums in PLN by the fields of JPK_V7M(3), markers that stand
in the document, how it is paid. Buyer, number, mode and state are on the invoice's own row. Stored as JSON
(json_io/codec.py): a new field needs a default.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of JPK_V7M(3): ``field`` is K_10 ... K_22 or SprzedazVAT_Marza, ``value`` in PLN with two decimals."""

    field: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class BookPart:
    """What of an invoice belongs to one month.

    day         tax point (tax_points.py); of a correction that reduces, its P_1
    sold_on     DataSprzedazy; None where it is the day of issue
    amounts     in the schema's order
    gtu         "GTU_01" ..., in order
    procedures  "WSTO_EE", "TP" ..., in the schema's order
    """

    day: date
    sold_on: date | None
    amounts: tuple[Amount, ...]
    gtu: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """Money that was received (Zaplacono, ZaplataCzesciowa), in the invoice's currency.

    ``method``: the API's word, or the words of the document; "" where it gives none.
    """

    amount: Decimal
    on: date | None
    method: str


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """Platnosc as the document states it."""

    received: tuple[Received, ...] = ()
    due: tuple[date, ...] = ()
    """TerminPlatnosci."""
    method: str = ""
    """How the rest is to be paid."""
    accounts: tuple[str, ...] = ()
    """RachunekBankowy, RachunekBankowyFaktora."""
    ipksef: str | None = None
    """IPKSeF, the identifier of the payment, as it is printed."""
    to_pay: Decimal | None = None
    """DoZaplaty: P_15 with charges (deposits) and deductions."""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """The books' view of one invoice."""

    parts: tuple[BookPart, ...]
    to_receipt: bool = False
    """FP: the sale is in the daily report of a fiscal register too (art. 109 ust. 3d)."""
    reduces: bool = False
    """A correction that reduces what is owed, and does not go back to the month of its base: where it was issued
    offline it belongs to the month in which it was sent (art. 29a ust. 13b, 13c), else to that of its issue."""
    notes: tuple[str, ...] = ()
    """What the document does not tell and an accountant has to add or decide, in Polish."""
    terms: PaymentTerms = PaymentTerms()
