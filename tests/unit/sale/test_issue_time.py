"""Hints of art. 106b ust. 3 and 106i, on the last day in time and the first one late."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.domain.sale.issue_time import late_hint
from tests.fakes.world import CONSUMER, settings, world


@pytest.mark.parametrize(
    ("sold", "issued", "late"),
    [
        ("2026-11-30", "2026-11-30", False),
        ("2026-11-01", "2026-12-15", False),
        ("2026-11-30", "2026-12-16", True),
        ("2026-12-31", "2027-01-15", False),
        ("2026-12-31", "2027-01-16", True),
        ("2025-11-30", "2026-11-30", True),
    ],
)
def test_a_firms_invoice_is_due_by_the_15th_of_the_next_month(sold: str, issued: str, *, late: bool) -> None:
    hint = late_hint(date.fromisoformat(sold), date.fromisoformat(issued), to_consumer=False)
    assert (hint is not None) is late
    assert hint is None or "art. 106i" in hint


@pytest.mark.parametrize(
    ("sold", "issued", "late"),
    [
        ("2026-08-01", "2026-11-30", False),
        ("2026-08-31", "2026-12-01", True),
        ("2026-10-31", "2027-01-31", False),
        ("2026-10-31", "2027-02-01", True),
    ],
)
def test_a_consumer_asks_within_three_months_after_the_month_of_the_sale(sold: str, issued: str, *, late: bool) -> None:
    hint = late_hint(date.fromisoformat(sold), date.fromisoformat(issued), to_consumer=True)
    assert (hint is not None) is late
    assert hint is None or "art. 106b" in hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sold_on": "2026-07-31", "buyer": CONSUMER}, "minęły ponad 3 miesiące"),
        ({"sold_on": "2026-09-30"}, "po terminie"),
        ({"sold_on": "2026-10-31"}, "po terminie"),
        ({"sold_on": "2026-11-02"}, None),
        ({}, None),
    ],
)
async def test_the_counter_is_told_and_the_invoice_is_issued(
    tmp_path: Path, changes: dict[str, Any], words: str | None
) -> None:
    async with world(tmp_path, given=settings(tmp_path)) as place:
        record = await place.sell(**changes)
        sentence = (await place.invoices.one(record.id)).hand_over
        assert sentence.startswith("Wydaj klientowi fakturę.")
        assert (words is None) == (sentence == "Wydaj klientowi fakturę.")
        assert words is None or words in sentence
