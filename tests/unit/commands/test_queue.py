"""`queue` and `sync` of a backlog longer than a screen: all of it is counted."""

from __future__ import annotations

import json

import pytest

from agent.commands import queue, sync
from agent.services.queries import invoices
from tests.fakes.shop import Shop


@pytest.fixture
def backlog(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three invoices, of which a screen shows the two most urgent."""
    monkeypatch.setattr(invoices, "QUEUE_LIMIT", 2)
    for _ in range(3):
        shop.sell_offline()
    return shop


def test_the_queue_says_how_many_it_does_not_list(backlog: Shop) -> None:
    lines = backlog.run(queue).stdout.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "i dalsze, mniej pilne: 1 (wszystkich: 3)"
    answer = json.loads(backlog.run(queue, "--json").stdout)
    assert (len(answer["invoices"]), answer["invoices_total"]) == (2, 3)


def test_sync_counts_all(backlog: Shop) -> None:
    ran = backlog.run(sync, "--wait", "0", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)) == (1, {"before": 3, "left": 3})


def test_sync_writes_nothing_beside_its_answer_where_nobody_watches(backlog: Shop) -> None:
    """A timer mails what a command writes: the count on the way is for a terminal."""
    ran = backlog.run(sync, "--wait", "0")
    assert (ran.stdout, ran.stderr) == ("Przesłano 0, zostało 3.\n", "")
