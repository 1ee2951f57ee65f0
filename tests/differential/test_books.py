"""What the books keep of random sales, beside a slow reading of the same documents that shares no code with theirs."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings

from agent.domain.books.entry import BookEntry
from agent.domain.books.read import book_entry
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Sale
from agent.domain.json_io.codec import from_plain, to_plain
from tests.differential.test_fa3 import made
from tests.unit.sale.sale_samples import sales

NET = {"1": "K_19", "2": "K_17", "3": "K_15", "6_1": "K_13", "6_2": "K_21", "6_3": "K_22", "7": "K_10", "8": "K_11",
       "9": "K_11 K_12", "11": "SprzedazVAT_Marza"}  # fmt: skip
"""P_13_x -> fields of JPK_V7M(3) (broszura JPK_V7M(3)); 4, 5 and 10 have none."""
TAX = {"1": "K_20", "2": "K_18", "3": "K_16"}
TAXES = frozenset(TAX.values())


def kept(xml: bytes) -> BookEntry:
    """What comes back out of a row of the books."""
    return from_plain(BookEntry, json.loads(json.dumps(to_plain(book_entry(read(xml))))))


def added(found: dict[str, Decimal], names: str, value: Decimal) -> None:
    for name in names.split():
        found[name] = found.get(name, Decimal(0)) + value


def sums_of(entry: BookEntry) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for part in entry.parts:
        for each in part.amounts:
            added(found, each.field, each.value)
    return found


def texts_of(xml: bytes) -> dict[str, list[str]]:
    """Return the texts of Fa by the names of their elements."""
    root = ET.fromstring(xml)
    space = root.tag.partition("}")[0] + "}"
    fa = root.find(f"{space}Fa")
    assert fa is not None
    found: dict[str, list[str]] = {}
    for each in fa.iter():
        found.setdefault(each.tag.removeprefix(space), []).append(each.text or "")
    return found


def sums_said(texts: dict[str, list[str]]) -> dict[str, Decimal]:
    """Return the sums in zlotys by field; of an invoice in another currency the tax alone, which it gives in zlotys."""
    zloty = texts["KodWaluty"] == ["PLN"]
    found: dict[str, Decimal] = {}
    for field, names in NET.items() if zloty else ():
        for text in texts.get(f"P_13_{field}", []):
            added(found, names, Decimal(text))
    for field, name in TAX.items():
        for text in texts.get(f"P_14_{field}" + ("" if zloty else "W"), []):
            added(found, name, Decimal(text))
    return found


@given(sales())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_books_keep_is_what_the_document_says(this: Sale) -> None:
    xml = made(this)
    entry, texts = kept(xml), texts_of(xml)
    said = sums_said(texts)
    sums = {name: value for name, value in sums_of(entry).items() if this.currency == "PLN" or name in TAXES}
    assert {name: value for name, value in sums.items() if value} == {
        name: value for name, value in said.items() if value
    }
    if "FP" in texts:  # art. 109 ust. 3d
        assert [part.day for part in entry.parts] == [date.fromisoformat(texts["P_1"][0])]
    elif "P_13_6_2" not in texts:  # a supply within the Union has a tax point of its own
        days = [date.fromisoformat(text) for text in texts.get("P_6A") or texts.get("P_6") or texts["P_1"]]
        assert {part.day for part in entry.parts} == set(days)
    codes = {code for part in entry.parts for code in part.gtu}
    assert codes <= set(texts.get("GTU", []))
    if not texts.keys() & {"P_13_4", "P_13_5", "P_13_10"}:
        assert codes == set(texts.get("GTU", []))
