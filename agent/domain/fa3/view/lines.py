"""Lines, the sums of their rates, and the order that an advance is paid for. Lines of both kinds share LineView."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain.values import dataclass
from agent.domain.vat import ZERO

RATE_FIELDS: dict[str, tuple[str, ...]] = {
    "1": ("23", "22"),
    "2": ("8", "7"),
    "3": ("5",),
    "4": ("4", "3"),
    "5": (),
    "6_1": ("0 KR",),
    "6_2": ("0 WDT",),
    "6_3": ("0 EX",),
    "7": ("zw",),
    "8": ("np I",),
    "9": ("np II",),
    "10": ("oo",),
    "11": (),
}
"""P_13_x -> the P_12 words it sums up (docs/law.md, section 3). 5 is OSS (P_12_XII), 11 is margin (no P_12)."""


@dataclass(frozen=True, slots=True)
class LineView:
    """FaWiersz or ZamowienieWiersz (there: the element names with Z)."""

    number: int
    """NrWierszaFa, NrWierszaZam."""
    name: str | None = None
    """P_7; absent only by art. 106j ust. 3 pkt 2."""
    uu_id: str | None = None
    sold_on: date | None = None
    """P_6A."""
    index: str | None = None
    gtin: str | None = None
    pkwiu: str | None = None
    cn: str | None = None
    pkob: str | None = None
    unit: str | None = None
    """P_8A."""
    quantity: Decimal | None = None
    """P_8B."""
    price_net: Decimal | None = None
    """P_9A."""
    price_gross: Decimal | None = None
    """P_9B (art. 106e ust. 7 i 8)."""
    discount: Decimal | None = None
    """P_10: off the whole line, net or gross as the price is."""
    net: Decimal | None = None
    """P_11, P_11NettoZ."""
    gross: Decimal | None = None
    """P_11A."""
    tax: Decimal | None = None
    """P_11Vat, P_11VatZ."""
    rate: str | None = None
    """P_12, word for word."""
    oss_rate: Decimal | None = None
    """P_12_XII, per cent."""
    annex_15: bool = False
    """P_12_Zal_15."""
    excise: Decimal | None = None
    """KwotaAkcyzy."""
    gtu: str | None = None
    procedure: str | None = None
    exchange_rate: Decimal | None = None
    """KursWaluty: PLN for one unit of the currency."""
    before: bool = False
    """StanPrzed: this line is the state before the correction."""


@dataclass(frozen=True, slots=True)
class RateView:
    """P_13_x, P_14_x, P_14_xW; ``field`` is the x: "1".."5", "6_1".."6_3", "7".."11".

    A field that is filled with zeros, and whose rate no line has, is no sale and has none.
    """

    field: str
    net: Decimal
    tax: Decimal | None = None
    tax_pln: Decimal | None = None
    rates: tuple[str, ...] = ()
    """The P_12 words that fall into this field and occur in the lines; the field's usual word where none does."""

    @property
    def label(self) -> str:
        """The rate for people: "23", "8/7", "zw"."""
        return "/".join(self.rates)

    @property
    def gross(self) -> Decimal:
        """Net and tax together."""
        return self.net + (self.tax or ZERO)


@dataclass(frozen=True, slots=True)
class OrderView:
    """Zamowienie: what an advance was paid for; ``value`` is gross."""

    value: Decimal
    lines: tuple[LineView, ...]
