"""A quarter of a shop: register and JPK rows equal a sum over the XML files, made here by other means.

The sum knows nothing of the program: it reads the files that stand in KSeF or were printed with the standard library's
parser, and goes by the names of the schema alone (P_13_1 to K_19 and so on; docs/law.md, section 5).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent.domain.books.jpk import JpkXml
from agent.domain.calendar import local_date
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceFilter
from tests.fakes import counter
from tests.fakes.world import CASHIER, CONSUMER, World, sale, world
from tests.unit.books.jpk_frame import sales_rows
from tests.unit.corrections.test_correct import FULL, correct

MONTHS = ("2026-09", "2026-10", "2026-11", "2026-12")
FA = "{http://crd.gov.pl/wzor/2025/06/25/13775/}"
FIELDS = {
    "P_13_1": "K_19",
    "P_14_1": "K_20",
    "P_13_2": "K_17",
    "P_14_2": "K_18",
    "P_13_3": "K_15",
    "P_14_3": "K_16",
    "P_13_7": "K_10",
}
"""Of FA(3) and of JPK_V7M(3)."""
SUMS = tuple(FIELDS.values())
LINES = (
    {"name": "Kawa", "quantity": "3", "unit": "szt.", "unit_price": "20.33", "vat": "23"},
    {"name": "Pieczywo", "quantity": "1.250", "unit": "kg", "unit_price": "8.99", "vat": "5"},
    {"name": "Kurs", "quantity": "1", "unit": "h", "unit_price": "150.00", "vat": "zw"},
    {"name": "Leki", "quantity": "2", "unit": "op.", "unit_price": "17.05", "vat": "8"},
)
Sums = dict[str, Decimal]


def basket(rng: random.Random, today: date) -> dict[str, Any]:
    """A sale of today, some of an earlier day or month, some in euro."""
    lines = rng.sample(LINES, rng.randint(1, len(LINES)))
    changes: dict[str, Any] = {"lines": lines, "prices": rng.choice(["gross", "net"])}
    if any(line["vat"] == "zw" for line in lines):
        changes["exemption"] = {"act": "art. 43 ust. 1 pkt 29"}
    if rng.random() < 0.3:
        changes["buyer"] = CONSUMER
    if rng.random() < 0.2:
        changes["sold_on"] = date.fromordinal(today.toordinal() - rng.randint(1, 20)).isoformat()
    if rng.random() < 0.15:
        changes |= {"currency": "EUR", "exchange_rate": "4.2731"}
    return sale(**changes)


async def press(place: World, body: dict[str, Any], key: str) -> str:
    pressing = asyncio.ensure_future(counter.sale(place, json.dumps(body).encode(), key, CASHIER))
    while not pressing.done():
        await place.clock.advance(0.1)
    return (await pressing).invoices[0].record.id


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def by_other_means(xml: bytes) -> tuple[str, Sums]:
    """Return the month of the tax point and the sums of a file in PLN."""
    fa = ElementTree.fromstring(xml).find(f"{FA}Fa")
    assert fa is not None

    def text(name: str) -> str | None:
        return fa.findtext(f"{FA}{name}")

    corrects = text("RodzajFaktury") == "KOR"
    day = text("P_1") if corrects else (text("P_6") or text("P_1"))
    rate = Decimal(fa.findtext(f"{FA}FaWiersz/{FA}KursWaluty") or "1")
    sums: Sums = {}
    for name, field in FIELDS.items():
        value = text(name)
        if value is None:
            continue
        in_pln = text(f"{name}W")
        sums[field] = Decimal(in_pln) if in_pln is not None else cents(Decimal(value) * rate)
    assert day is not None
    return day[:7], sums


def added(rows: list[Mapping[str, str]]) -> Sums:
    total: Sums = defaultdict(Decimal)
    for row in rows:
        for field in SUMS:
            total[field] += Decimal(row.get(field, "0"))
    return {field: value for field, value in total.items() if value}


@pytest.mark.nightly
async def test_a_quarter_of_a_shop_equals_the_sum_of_its_files(tmp_path: Path) -> None:
    rng = random.Random(2026)
    async with world(tmp_path, start=datetime(2026, 10, 1, 8, 0, tzinfo=UTC)) as place:
        issued: list[str] = []
        keys = itertools.count()
        while (today := local_date(place.clock.now())) <= date(2026, 12, 30):
            place.gateway.up = rng.random() > 0.2
            for _ in range(rng.randint(0, 2)):
                issued.append(await press(place, basket(rng, today), f"k{next(keys)}"))
            await place.restore_the_line()
            await place.catch_up()
            if rng.random() < 0.15 and issued:
                base = issued.pop(rng.randrange(len(issued)))
                await correct(place, await place.record(base), FULL)
                await place.catch_up()
            await place.clock.advance(86_400 * rng.choice([1, 1, 2]))
        records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=10_000)))
        assert len(records) > 60
        assert {record.state for record in records} == {InvoiceState.ACCEPTED}
        assert len(place.gateway.ledger) == len(records)

        expected: dict[str, Sums] = {month: defaultdict(Decimal) for month in MONTHS}
        for record in records:
            month, sums = by_other_means(record.xml)
            for field, value in sums.items():
                expected[month][field] += value
        for month in MONTHS:
            rows = sales_rows(
                "".join([piece async for piece in place.books.written(month, None, JpkXml(), filing=False)])
            )
            assert added(list(rows)) == {field: value for field, value in expected[month].items() if value}, month

        for month in MONTHS:
            gross = sum(
                (Decimal(str(row["gross"])) for row in [each async for each in place.register.rows(month, None)]),
                Decimal(),
            )
            of_files = sum(
                (
                    Decimal(ElementTree.fromstring(each.xml).findtext(f"{FA}Fa/{FA}P_15") or "0")
                    for each in records
                    if each.issued_on.isoformat()[:7] == month
                ),
                Decimal(),
            )
            assert gross == of_files, month
            counts = await place.register.counts(month, None)
            assert counts["invoices"] == sum(each.issued_on.isoformat()[:7] == month for each in records)
