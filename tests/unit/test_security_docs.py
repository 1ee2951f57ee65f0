"""docs/security.md: the tests it names exist, its limits are those of the program, and bite."""

from __future__ import annotations

import importlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from agent.domain.errors import BadInput
from agent.domain.exchange.file import MAX_DOCUMENTS, read_file
from agent.domain.json_io.reader import MAX_INTEGER_DIGITS, MAX_REPORTED
from agent.domain.sale import parse
from agent.services.exchange import names
from agent.services.exchange.intake import MAX_EPP_BYTES, Intake
from agent.settings.model import ApiSettings
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.world import world

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [line for line in DOCUMENT.splitlines() if line.startswith("| ") and "---" not in line]
NAMED = sorted({name for row in ROWS for name in re.findall(r"`((?:unit|contract|integration)/[^`]+)`", row)})
LIMITS = re.findall(r"^\| [^|]+ \| ([0-9 ]+) \| `([a-z0-9_.]+):([A-Z0-9_]+)` \|", DOCUMENT, re.MULTILINE)
NO_CONSTANTS = ("| body of a request, bytes | ", "| lines of the journal in a flood | ")
"""Rows of limits that name no constant of the program."""


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    found = ROOT / "tests" / path
    assert found.exists()
    if function:
        assert re.search(rf"def {function}\(", found.read_text("utf-8"))


def test_every_row_names_a_test_or_says_why_there_is_none() -> None:
    rows = [row for row in ROWS if not row.startswith(("| Who | ", "| What | ", "| Altered | "))]
    assert len(rows) > 50
    for row in rows:
        last = row.rstrip(" |").rpartition("|")[2]
        assert "reason: " in last or "`" in last, row


@pytest.mark.parametrize(("value", "module", "name"), LIMITS)
def test_a_limit_is_that_of_the_program(value: str, module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) == int(value.replace(" ", ""))


def test_no_limit_is_left_out() -> None:
    """A row that the pattern does not know would be compared with nothing."""
    (section,) = re.findall(r"^## 2\. Limits$(.*?)^## 3", DOCUMENT, re.MULTILINE | re.DOTALL)
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| What | ")]
    assert len(LIMITS) == len([row for row in rows if not row.startswith(NO_CONSTANTS)]) == len(rows) - 2


def test_an_exchange_file_may_be_longer_than_a_body() -> None:
    intake = Intake(*(cast("Any", None),) * 3, max_body_bytes=7)
    assert (intake.largest(names.EPP), intake.largest(names.JSON)) == (MAX_EPP_BYTES, 7)


def test_the_limit_of_bodies_is_the_settings() -> None:
    assert f"| {ApiSettings().max_body_bytes:,} |".replace(",", " ") in DOCUMENT


LINE = {"name": "Kawa", "quantity": "1", "unit_price": "1.00", "vat": "23"}
NOTE = {"key": "a", "value": "b"}
PAYMENT = {"method": "cash", "amount": "0.01"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"notes": [NOTE] * (parse.MAX_NOTES + 1)}, "notes"),
        ({"payments": [PAYMENT] * (parse.MAX_PAYMENTS + 1)}, "payments"),
        ({"deposits": [{}] * (parse.MAX_DEPOSITS + 1)}, "deposits"),
        ({"lines": [{}] * (MAX_REPORTED + 1)}, "lines"),
        ({"lines": [{**LINE, "quantity": "9" * (MAX_INTEGER_DIGITS + 1)}]}, "lines"),
    ],
)
async def test_what_is_too_much_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    async with world(tmp_path) as place:
        with pytest.raises(BadInput) as caught:
            await place.sell(**changes)
        assert field in {error.pointer.split("/")[1] for error in caught.value.errors}
        assert len(caught.value.errors) <= MAX_REPORTED


def test_an_exchange_file_of_too_many_documents_is_refused() -> None:
    item = Item("1", "Kawa", Decimal("1.00"), Decimal(1))
    papers = [Paperwork([item], number=f"FS {count}/2026") for count in range(MAX_DOCUMENTS + 1)]
    assert len(read_file(epp(*papers[1:])).documents) == MAX_DOCUMENTS
    with pytest.raises(BadInput, match="podziel plik"):
        read_file(epp(*papers))
