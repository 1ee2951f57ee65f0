"""A shop's program that writes EDI++ files: independent of the reader, sums counted in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

SELLER_NIP = "5261040828"
DAY = "20261124000000"
RATE_CODES = {"zw": "-1.0000", "0 EX": "-2.0000", "0 WDT": "-3.0000", "oo": "-5.0000"}


class Bare(str):
    """A field that is written without quotes."""


def money(value: Decimal | str | int) -> Bare:
    """Four digits and a point, as InsERT's programs write amounts."""
    return Bare(f"{Decimal(value):.4f}")


def row(fields: Mapping[int, str], count: int) -> str:
    """One record: ``fields`` by their number, counted from 1; the others are empty."""
    written = []
    for number in range(1, count + 1):
        value = fields.get(number)
        if value is None:
            written.append("")
        elif isinstance(value, Bare):
            written.append(value)
        else:
            written.append('"' + value.replace('"', '""') + '"')
    return ",".join(written)


def cents(value: Fraction) -> Decimal:
    """Round half up to 0.01, from an exact fraction."""
    scaled = value * 100
    whole = int((abs(scaled) + Fraction(1, 2)) // 1)
    return Decimal(whole if scaled >= 0 else -whole) / 100


@dataclass
class Item:
    """A line of a document, and its row in TOWARY."""

    code: str
    name: str
    price: Decimal
    quantity: Decimal = Decimal(1)
    rate: str = "23"
    """P_12, as this program means it."""
    unit: str = "szt."
    discount: Decimal = Decimal(0)
    """Off the line's value."""
    kind: int = 1
    ean: str = ""
    one_off: bool = False
    """A service that is in no catalogue: its name stands on the line."""
    symbol: str | None = None
    price_after_discount: bool = False
    before: Item | None = None
    """The state before a correction."""
    fields: Mapping[int, str] = field(default_factory=dict)
    """Fields written otherwise than this program would."""

    @property
    def value(self) -> Decimal:
        """Net or gross as the document's prices are."""
        exact = Fraction(self.price) * Fraction(self.quantity)
        return cents(exact) - self.discount

    @property
    def percent_field(self) -> Bare:
        return Bare(RATE_CODES.get(self.rate) or money(self.rate if self.rate.isdigit() else 0))

    @property
    def percent(self) -> Fraction:
        return Fraction(self.rate) if self.rate.isdigit() else Fraction(0)


@dataclass
class Paperwork:
    """A document."""

    items: Sequence[Item]
    kind: str = "FS"
    number: str = "FS 12/2026"
    net_prices: bool = False
    transaction: int = 0
    fields: Mapping[int, str] = field(default_factory=dict)

    def sums(self) -> tuple[Decimal, Decimal, Decimal]:
        """Net, VAT, gross: the tax of a rate from the sum of its values; packaging is no part of them."""
        by_rate: dict[str, Decimal] = {}
        for item in self.items:
            if item.kind != 4:
                by_rate[item.rate] = by_rate.get(item.rate, Decimal(0)) + item.value
        net = tax = Decimal(0)
        for rate, value in by_rate.items():
            percent = Fraction(rate) if rate.isdigit() else Fraction(0)
            share = percent / 100 if self.net_prices else percent / (100 + percent)
            amount = cents(Fraction(value) * share)
            net += value if self.net_prices else value - amount
            tax += amount
        return net, tax, net + tax

    def records(self) -> list[str]:
        net, tax, gross = self.sums()
        header = {
            1: self.kind,
            2: Bare("1"),
            3: Bare("0"),
            4: Bare("12"),
            7: self.number,
            12: "POLNA",
            13: "Firma",
            14: "Firma „Źdźbło” sp. z o.o.",
            15: "Warszawa",
            16: "00-002",
            17: "ul. Polna 2",
            18: "777-777-77-77",
            21: "Warszawa",
            22: Bare(DAY),
            23: Bare(DAY),
            25: Bare(str(len(self.items))),
            26: Bare(str(int(self.net_prices))),
            28: money(net),
            29: money(tax),
            30: money(gross),
            38: Bare("0"),
            41: Bare("0"),
            45: money(0),
            46: money(0),
            47: "PLN",
            48: money(1),
            55: Bare(str(self.transaction)),
            57: money(0),
            59: money(0),
            60: "Polska",
            61: "PL",
            62: Bare("0"),
        }
        lines = [self._line(position, item) for position, item in enumerate(self.items, start=1)]
        return ["[NAGLOWEK]", row(header | dict(self.fields), 62), "", "[ZAWARTOSC]", *lines, ""]

    def _line(self, position: int, item: Item) -> str:
        percent = item.percent
        other = Fraction(100 + percent, 100)
        fields: dict[int, str] = {
            1: Bare(str(position)),
            2: Bare(str(item.kind)),
            4: Bare("0"),
            5: Bare("0"),
            6: Bare("1"),
            7: Bare("0"),
            8: money(item.discount),
            9: money(0),
            10: item.unit,
            11: money(item.quantity),
            12: money(item.quantity),
            16: item.percent_field,
            20: money(0),
        }
        fields |= {22: item.name} if item.one_off else {3: item.code}
        price = item.price
        if item.price_after_discount and item.discount:
            price = Decimal(str(float(item.value / item.quantity))).quantize(Decimal("0.01"), ROUND_HALF_UP)
        fields |= self._both(14, 15, price, other) | self._values(17, item, other)
        if item.before is not None:
            before = item.before
            fields |= self._both(23, 24, before.price, other, first_counts=True)
            fields |= {
                25: before.percent_field,
                26: money(before.quantity),
                27: before.unit,
                28: money(before.discount),
            }
            fields |= self._values(29, before, other)
        return row(fields | dict(item.fields), 31 if item.before is not None else 22)

    def _both(
        self, net: int, gross: int, price: Decimal, other: Fraction, *, first_counts: bool = False
    ) -> dict[int, str]:
        if first_counts:
            return {net: money(price), gross: money(0)}
        if self.net_prices:
            return {net: money(price), gross: money(cents(Fraction(price) * other))}
        return {net: money(cents(Fraction(price) / other)), gross: money(price)}

    def _values(self, first: int, item: Item, other: Fraction) -> dict[int, str]:
        value = item.value
        net = value if self.net_prices else cents(Fraction(value) / other)
        gross = cents(Fraction(value) * other) if self.net_prices else value
        return {first: money(net), first + 1: money(gross - net), first + 2: money(gross)}


def epp(
    *papers: Paperwork,
    info: Mapping[int, str] | None = None,
    catalogues: Mapping[str, Sequence[str]] | None = None,
    code_page: str = "1250",
) -> bytes:
    """The file: [INFO], the documents, TOWARY, further catalogues (name -> records)."""
    about = {
        1: "1.11",
        2: Bare("3"),
        3: Bare(code_page),
        4: "Subiekt GT",
        5: "Sklep",
        6: "Sklep",
        7: "Sklep Łąka sp. z o.o.",
        8: "Warszawa",
        9: "00-001",
        10: "ul. Żółta 1",
        11: "526-104-08-28",
        12: "MAG",
        13: "Główny",
        16: Bare("1"),
        17: Bare(DAY),
        18: Bare(DAY),
        19: "Szef",
        20: Bare("20261124101112"),
        21: "Polska",
        22: "PL",
        24: Bare("0"),
    }
    lines = ["[INFO]", row(about | dict(info or {}), 24), ""]
    for paper in papers:
        lines += paper.records()
    items = {item.code: item for paper in papers for item in paper.items if not item.one_off}
    products = [
        row(
            {
                1: Bare(str(item.kind)),
                2: item.code,
                4: item.ean,
                5: item.name,
                10: item.unit,
                11: item.symbol if item.symbol is not None else item.rate.split()[0],
                12: money(item.rate if item.rate.isdigit() else 0),
            },
            42,
        )
        for item in items.values()
    ]
    for word, records in {"TOWARY": products, **(catalogues or {})}.items():
        lines += ["[NAGLOWEK]", f'"{word}"', "", "[ZAWARTOSC]", *records, ""]
    text = "\r\n".join(lines) + "\r\n"
    return text.encode({"1250": "cp1250", "852": "cp852"}[code_page], "replace")
