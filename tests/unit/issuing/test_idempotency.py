"""The Idempotency-Key: however often, however fast and however written a sale comes, it is one invoice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import KeyReused
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import InvoiceFilter, Rejected, Transaction
from tests.fakes import counter
from tests.fakes.world import CASHIER, World, sale, world


def slow_reads(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every read of the store take its time, as a thread does: all clicks are under way before one is seen."""
    read = place.store.read

    async def slow(work: Callable[[Transaction], Awaitable[Any]]) -> Any:
        for _ in range(5):
            await asyncio.sleep(0)
        return await read(work)

    monkeypatch.setattr(place.store, "read", slow)


async def test_of_many_clicks_at_once_one_presses_and_all_answers_have_its_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        slow_reads(place, monkeypatch)
        place.gateway.pending_answers = 3
        body = json.dumps(sale()).encode()
        clicks = asyncio.gather(*(counter.sale(place, body, "a", CASHIER) for _ in range(8)))
        while not clicks.done():
            await place.clock.advance(0.1)
        answers = await clicks
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
        assert len({answer.invoices[0].record.id for answer in answers}) == 1
        assert {answer.invoices[0].record.state for answer in answers} == {InvoiceState.ACCEPTED}
        papers = [answer.invoices[0].paper for answer in answers]
        assert [None if paper is None else paper.state for paper in papers] == [PrintState.PRINTED] * 8
        assert len(place.printer.papers) == 1


async def test_the_same_sale_written_in_another_way_is_the_same_request(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        asked = sale(notes=[{"key": "Zamówienie", "value": "ż 1"}])
        first = await counter.sale(place, json.dumps(asked).encode(), "a", CASHIER)
        turned = dict(reversed(asked.items()))
        again = await counter.sale(place, json.dumps(turned, indent=2, ensure_ascii=False).encode(), "a", CASHIER)
        assert again.replayed
        assert again.invoices[0].record.id == first.invoices[0].record.id
        asked["lines"] = list(reversed(asked["lines"]))
        with pytest.raises(KeyReused):
            await counter.sale(place, json.dumps(asked).encode(), "a", CASHIER)


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a start"])
async def test_the_same_key_prints_what_a_crash_kept_from_its_first_paper(tmp_path: Path, *, restarted: bool) -> None:
    async with world(tmp_path) as place:
        await die_before_the_paper(place)
    async with world(tmp_path) as place:
        place.gateway.up = False
        if restarted:
            await place.recover()
        answers = [await counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER) for _ in range(2)]
        assert all(answer.replayed for answer in answers)
        papers = [answer.invoices[0].paper for answer in answers]
        assert [paper and (paper.document, paper.state, paper.copies) for paper in papers] == [
            ("transaction_confirmation", PrintState.PRINTED, 1)
        ] * 2
        assert len(place.printer.papers) == 1


@pytest.mark.parametrize(
    ("body", "state"),
    [(sale(), PrintState.FAILED), (sale() | {"print": False}, None)],
    ids=["ours to print", "the till prints"],
)
async def test_a_start_finds_the_paper_that_was_never_begun(
    tmp_path: Path, body: dict[str, object], state: PrintState | None
) -> None:
    """Nobody may press again: the list of papers that did not come out shows it, and one press prints it."""
    async with world(tmp_path) as place:
        await die_before_the_paper(place, body)
    async with world(tmp_path) as place:
        await place.recover()
        await place.recover()  # a second start finds nothing more
        [found] = await place.invoices.find(InvoiceFilter())
        assert (found.paper.state if found.paper else None) == state
        assert place.printer.papers == [], "a start prints nothing by itself"
        unprinted = await place.invoices.find(InvoiceFilter(papers=frozenset({PrintState.FAILED})))
        assert [each.record.id for each in unprinted] == ([found.record.id] if state else [])
        if state is None:
            return
        assert "Drukuj teraz" in found.hand_over
        assert (await place.log(found.record.id)).count("print_failed") == 1
        await place.reprinting.reprint(found.record.id, CASHIER)
        answer = await place.invoices.one(found.record.id)
        assert answer.paper is not None
        assert (answer.paper.state, answer.paper.copies) == (PrintState.PRINTED, 1)


async def test_a_start_begins_no_paper_of_what_nobody_waits_for(tmp_path: Path) -> None:
    """A file without print, a correction that waited for its base, what KSeF refused at the counter."""
    async with world(tmp_path) as place:
        body = json.dumps(sale()).encode()
        await place.issuing.sale(body, "file", CASHIER, at_counter=False)
        await place.catch_up()
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
        await counter.sale(place, body, "refused", CASHIER)
        await place.recover()
        assert [each.paper for each in await place.invoices.find(InvoiceFilter())] == [None, None]


async def die_before_the_paper(place: World, body: Mapping[str, object] | None = None) -> None:
    place.gateway.pending_answers = 1000
    press = asyncio.ensure_future(counter.sale(place, json.dumps(body or sale()).encode(), "a", CASHIER))
    await place.clock.advance(0.5)
    press.cancel()  # and leaving this world cancels the work behind it, before its paper


async def test_the_same_key_prints_nothing_that_ksef_refused_at_the_counter(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
        answers = [await counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER) for _ in range(2)]
        assert [answer.invoices[0].record.state for answer in answers] == [InvoiceState.REJECTED] * 2
        assert place.printer.papers == []


async def test_a_return_written_in_another_way_is_the_same_request(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await place.sell()
        asked = {"kind": "return", "reason": "zwrot", "lines": [{"line": 1, "quantity": "1"}]}
        first = await counter.correct(place, base.id, json.dumps(asked).encode(), "zwrot", CASHIER)
        turned = json.dumps(dict(reversed(asked.items())), indent=1).encode()
        again = await counter.correct(place, base.id, turned, "zwrot", CASHIER)
        assert (first.replayed, again.replayed) == (False, True)
        assert again.invoices[0].record.id == first.invoices[0].record.id
