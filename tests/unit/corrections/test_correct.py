"""Corrections as a service: what is left is counted once, over everything issued or held, in one order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.domain.errors import BadInput, Conflict, NotFound
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import HeldCorrection, InvoiceFilter, Outcome, Rejected
from agent.services.issuing import documents as issuing_documents
from agent.services.issuing.plans import IssuePlan
from agent.services.paper.printing import PAPER_SECONDS
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.world import BUYER_NIP, CASHIER, MANAGER, World, sale, world

T = TypeVar("T")
FULL = {"kind": "full_return"}
SETTLED = "Nie zwracaj pieniędzy: rozlicza je nowa faktura."


def returned(line: int, quantity: str) -> dict[str, Any]:
    return {"kind": "return", "lines": [{"line": line, "quantity": quantity}]}


def right_buyer() -> dict[str, Any]:
    return {**sale()["buyer"], "nip": "5260250274", "name": "Ministerstwo Finansów"}


async def passing(place: World, work: Awaitable[T], seconds: float = 20.0) -> T:
    """Let time pass until the work is done."""
    task = asyncio.ensure_future(work)
    for _ in range(int(seconds * 10)):
        if task.done():
            break
        await place.clock.advance(0.1)
    return await task


async def correct(place: World, base: InvoiceRecord, body: dict[str, Any], key: str | None = None) -> IssueAnswer:
    place.keys += 1
    data = json.dumps(body).encode()
    return await passing(place, counter.correct(place, base.id, data, key or f"kor-{place.keys}", CASHIER))


async def sell(place: World, **changes: Any) -> InvoiceRecord:
    return await passing(place, place.sell(**changes))


def outside_base(number: str = "STARA/7", **changes: Any) -> dict[str, Any]:
    """An invoice of another till, as the customer's paper shows it."""
    return {"number": number, "issued_on": "2026-11-02", "outside_ksef": True, **sale(), **changes}


async def correct_outside(place: World, base: dict[str, Any], correction: dict[str, Any]) -> IssueAnswer:
    place.keys += 1
    body = json.dumps({"base": base, "correction": correction}).encode()
    return await passing(place, counter.correct_outside(place, body, f"out-{place.keys}", CASHIER))


async def line_back(place: World) -> None:
    """The line is there again and the queue is sent; the held corrections are not looked at."""
    place.gateway.up = True
    await place.clock.advance(900)
    await place.connection.probe()
    await passing(place, place.queue.pass_once())


def total_failure(published: datetime) -> dict[str, Any]:
    """A message of Latarnia."""
    at = published.isoformat().replace("+00:00", "Z")
    return {
        "id": "K/2026/TOT/01/START",
        "eventId": 1,
        "category": "TOTAL_FAILURE",
        "type": "FAILURE_START",
        "title": "Komunikat",
        "text": "Treść",
        "start": at,
        "end": None,
        "version": 1,
        "published": at,
    }


async def total_failure_begins(place: World) -> None:
    place.latarnia.status = {"status": "TOTAL_FAILURE"}
    place.latarnia.messages = [total_failure(place.clock.now())]
    await place.announcements.poll()
    await place.declarations.declare(Mode.TOTAL_FAILURE, "ogłoszono w mediach", MANAGER)


async def total_failure_ends(place: World) -> None:
    await place.clock.advance(3600)
    place.latarnia.status = {"status": "AVAILABLE"}
    await place.announcements.poll()
    await place.declarations.withdraw("koniec", MANAGER)
    await place.clock.advance(60)


async def in_ledger(place: World) -> list[str]:
    """Numbers in the order in which KSeF took them."""
    return [number for _, _, number in place.gateway.ledger]


# --- at once ------------------------------------------------------------------------------------------


async def test_a_return_names_the_base_by_its_ksef_number_and_is_printed(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        answer = (await correct(place, base, returned(1, "1"))).invoices[0]
        correction = read(answer.record.xml).correction
        assert correction is not None
        assert [(each.number, each.ksef_number) for each in correction.bases] == [(base.number, base.ksef_number)]
        assert answer.record.totals.gross == Decimal("-61.50")
        assert answer.record.number.startswith("FK")
        assert answer.paper is not None
        assert answer.paper.state == "printed"
        assert await place.log(base.id) == [*(await place.log(base.id))[:-1], "corrected"]


async def test_wrong_nip_is_a_correction_to_zero_and_a_new_invoice_in_one_operation(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        right = right_buyer()
        answer = await correct(place, base, {"kind": "buyer", "buyer": right}, "one-key")
        correction, replacement = (each.record for each in answer.invoices)
        assert correction.totals.gross == -base.totals.gross
        assert correction.buyer.identifier == BUYER_NIP
        assert replacement.totals.gross == base.totals.gross
        assert replacement.buyer.identifier == "5260250274"
        assert [each.hand_over for each in answer.invoices] == [
            "Wydaj klientowi korektę. Nie zwracaj pieniędzy: rozlicza je nowa faktura.",
            "Wydaj klientowi fakturę.",
        ]
        again = await correct(place, base, {"kind": "buyer", "buyer": right}, "one-key")
        assert again.replayed
        assert [each.record.id for each in again.invoices] == [correction.id, replacement.id]
        assert len(await in_ledger(place)) == 3


async def test_more_than_was_sold_and_the_same_return_twice_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        with pytest.raises(BadInput) as more:
            await correct(place, base, returned(1, "3"))
        assert more.value.errors[0].code == "more-than-left"
        await correct(place, base, returned(1, "2"))
        with pytest.raises(BadInput):
            await correct(place, base, returned(1, "2"))
        await correct(place, base, FULL)
        with pytest.raises(Conflict) as nothing:
            await correct(place, base, FULL)
        assert nothing.value.code == "nothing-left"
        assert len(await in_ledger(place)) == 3


@pytest.mark.parametrize("up", [True, False])
async def test_two_returns_of_the_same_goods_at_the_same_moment_pass_once(tmp_path: Path, up: bool) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = up
        base = await sell(place)
        presses = [correct(place, base, returned(1, "2")) for _ in range(4)]
        outcomes = await asyncio.gather(*presses, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BadInput"] * 3 + ["IssueAnswer"]
        place.gateway.up = True
        await place.catch_up()
        assert len(await in_ledger(place)) == 2


async def test_a_rejected_base_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        base = await sell(place)
        with pytest.raises(Conflict) as refused:
            await correct(place, base, FULL)
        assert refused.value.code == "base-rejected"
        assert refused.value.detail.endswith("Wystaw nową fakturę."), "a technical correction is for offline ones alone"
        assert len(await place.invoices.find(InvoiceFilter())) == 1


# --- collective ---------------------------------------------------------------------------------------


def collective(*numbers: str, amount: str = "10.00") -> dict[str, Any]:
    return {
        "kind": "collective",
        "period": "listopad 2026",
        "rates": [{"vat": "23", "amount": amount}],
        "bases": [{"number": number} for number in numbers],
    }


async def test_a_collective_correction_is_seen_by_all_its_bases(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        first, second = await sell(place), await sell(place)
        made = (await correct(place, first, collective(second.number))).invoices[0].record
        for base in (first, second):
            with pytest.raises(Conflict) as refused:
                await correct(place, base, FULL)
            assert refused.value.code == "corrected-collectively"
            assert "corrected" in await place.log(base.id)
        assert [base.invoice_id for base in made.bases] == [first.id, second.id]
        rows = [each async for each in place.register.rows("2026-11", None)]
        listed = {row["number"]: row["corrections"] for row in rows}
        assert listed[first.number] == listed[second.number] == [made.number]


async def test_a_collective_correction_waits_for_all_its_bases(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        first = await sell(place)
        place.gateway.up = False
        second = await sell(place)
        answer = await correct(place, first, collective(second.number))
        assert answer.held is not None
        assert (answer.held.base_id, answer.held.base_number) == (second.id, second.number)
        for base in (first, second):
            with pytest.raises(Conflict):
                await correct(place, base, FULL)
        place.gateway.up = True
        await place.catch_up()
        assert (await in_ledger(place))[:2] == [first.number, second.number]
        assert len(await in_ledger(place)) == 3


# --- bases from elsewhere -----------------------------------------------------------------------------


async def test_the_same_goods_of_a_base_from_elsewhere_come_back_once(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        made = (await correct_outside(place, outside_base(), returned(1, "1"))).invoices[0].record
        assert made.bases[0].ksef_number is None
        assert b"NrKSeFN" in made.xml
        await correct_outside(place, outside_base(), returned(1, "1"))
        with pytest.raises(BadInput) as refused:
            await correct_outside(place, outside_base(), returned(1, "1"))
        assert refused.value.errors[0].pointer == "/correction/lines/0/quantity"
        await correct_outside(place, outside_base("STARA/8"), returned(1, "2"))


async def test_a_base_from_elsewhere_is_known_by_its_ksef_number_too(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        number = (await sell(place)).ksef_number
        assert number is not None
        known = {"outside_ksef": False, "ksef_number": number}
        await correct_outside(place, outside_base("STARA/7", **known), FULL)
        with pytest.raises(Conflict) as refused:
            await correct_outside(place, outside_base("stara 7", **known), FULL)
        assert refused.value.code == "nothing-left"


async def test_a_base_from_elsewhere_told_differently_the_second_time_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await correct_outside(place, outside_base(), returned(1, "1"))
        other = outside_base(lines=[{**sale()["lines"][0], "quantity": "5"}])
        with pytest.raises(Conflict) as refused:
            await correct_outside(place, other, returned(1, "4"))
        assert refused.value.code == "not-correctable"


async def test_an_invoice_of_this_till_is_not_from_elsewhere(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        with pytest.raises(Conflict) as refused:
            await correct_outside(place, outside_base(base.number), FULL)
        assert refused.value.code == "base-known-here"


# --- rejected corrections -----------------------------------------------------------------------------


async def test_a_rejected_correction_counts_while_it_can_still_come(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await place.declarations.declare(Mode.OFFLINE24, "próba", MANAGER)
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        kor = (await correct(place, base, returned(1, "2"))).invoices[0].record
        await place.catch_up(hours=0.01)
        assert (await place.record(kor.id)).state is InvoiceState.REJECTED
        with pytest.raises(BadInput):
            await correct(place, base, returned(1, "1"))
        await place.rejected.correct_technically(kor.id, MANAGER)
        await place.catch_up()
        assert (await place.record(kor.id)).state is InvoiceState.ACCEPTED
        with pytest.raises(BadInput):
            await correct(place, base, returned(1, "1"))


async def test_a_correction_refused_for_good_frees_the_goods(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        lost = (await correct(place, base, returned(1, "2"))).invoices[0].record
        assert lost.state is InvoiceState.REJECTED
        again = (await correct(place, base, returned(1, "2"))).invoices[0].record
        assert again.state is InvoiceState.ACCEPTED


# --- held ---------------------------------------------------------------------------------------------


async def test_an_outage_holds_the_correction_tells_so_and_prints_a_slip(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        answer = await correct(place, base, returned(1, "1"), "k")
        assert answer.invoices == ()
        assert answer.held is not None
        assert answer.held.hand_over == (
            "Wydaj klientowi potwierdzenie przyjęcia korekty. Zwróć 61,50 zł. "
            f"Faktura {base.number} nie ma jeszcze numeru KSeF. Korekta jest przyjęta i zostanie wystawiona, "
            "gdy numer nadejdzie; nie trzeba jej powtarzać."
        )
        assert (answer.held.state, answer.held.gross) == ("waiting", Decimal("-61.50"))
        slip = place.ports.renderer.text("paragon", place.printer.papers[-1])
        assert f"Przyjęto korektę do faktury nr {base.number}" in " ".join(slip.split())
        assert "To nie jest faktura" in slip
        assert (await place.log(base.id))[-2:] == ["slip_printing", "slip_printed"]
        replay = await correct(place, base, returned(1, "1"), "k")
        assert replay.replayed
        assert replay.held == answer.held
        assert len(place.printer.papers) == 2
        assert await place.pending.waiting() == [answer.held]


async def test_the_slip_of_a_held_return_counts_the_deposits(tmp_path: Path) -> None:
    """Kaucja is no part of the difference, but the customer gets it back now."""
    kaucja = {"name": "Kaucja", "amount": "5.00"}
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place, deposits=[kaucja], payments=[{"method": "cash", "amount": "140.60"}])
        answer = await correct(place, base, {**returned(1, "1"), "deposits": [kaucja]})
        assert answer.held is not None
        assert (answer.held.gross, answer.held.due) == (Decimal("-61.50"), Decimal("-66.50"))
        slip = " ".join(place.ports.renderer.text("paragon", place.printer.papers[-1]).split())
        assert "Razem do zwrotu 66,50 PLN" in slip
        assert " Zwróć 66,50 zł gotówką. " in answer.held.hand_over


@pytest.mark.parametrize(
    ("document", "gross", "due", "told"),
    [
        ({"kind": "buyer", "buyer": right_buyer()}, "-135.60", "0.00", SETTLED),
        ({"kind": "exchange", "price": "40.00"}, "-61.50", "-21.50", "Zwróć 21,50 zł."),
        ({"kind": "exchange", "price": "80.00"}, "-61.50", "0.00", SETTLED),
    ],
)
async def test_what_a_new_invoice_settles_does_not_change_hands(
    tmp_path: Path, document: dict[str, Any], gross: str, due: str, told: str
) -> None:
    if document["kind"] == "exchange":
        taken = {"name": "Herbata", "quantity": "1", "unit_price": document["price"], "vat": "23"}
        document = {"kind": "exchange", "lines": [{"line": 1, "quantity": "1"}], "sale": {"lines": [taken]}}
    async with world(tmp_path) as place:
        place.gateway.up = False
        held = (await correct(place, await sell(place), document)).held
        assert held is not None
        assert (held.gross, held.due) == (Decimal(gross), Decimal(due))
        assert held.hand_over.startswith(f"Wydaj klientowi potwierdzenie przyjęcia korekty. {told} Faktura ")


async def test_a_slip_that_did_not_print_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        place.printer.plan.append(Outcome.NOT_SENT)
        answer = await correct(place, base, FULL)
        assert answer.held is not None
        assert answer.held.hand_over.startswith(
            "Nie wydrukowano potwierdzenia dla klienta. Skończył się papier. Zwróć 135,60 zł. Faktura"
        )


class Died(Exception):
    """The process ends here."""


async def died_at_the_slip(place: World, step: str, monkeypatch: pytest.MonkeyPatch) -> InvoiceRecord:
    """Press a return; the process ends before its slip, or while its bytes leave."""

    async def end(*_: object) -> None:
        raise Died

    place.gateway.up = False
    base = await sell(place)
    monkeypatch.setattr(place.slip, "print" if step == "before" else "_print", end)
    if step == "during":
        about = place.slip._about_to_leave

        async def leaving(held: HeldCorrection, _: object) -> None:
            await about(held, "paragon", b"x")
            raise Died

        monkeypatch.setattr(place.slip, "_print", leaving)
    with pytest.raises(Died):
        await correct(place, base, FULL, "k")
    monkeypatch.undo()
    return base


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a start"])
async def test_the_same_key_prints_the_slip_that_a_crash_prevented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    async with world(tmp_path) as place:
        base = await died_at_the_slip(place, "before", monkeypatch)
    async with world(tmp_path) as place:
        place.gateway.up = False
        if restarted:
            await place.recover()
            await place.recover()  # a second start finds nothing more
            [waiting] = await place.pending.waiting()
            assert waiting.hand_over.startswith("Nie wydrukowano potwierdzenia dla klienta. Program został ponownie")
            assert place.printer.papers == [], "a start prints nothing by itself"
        for _ in range(2):
            answer = await correct(place, base, FULL, "k")
            assert answer.replayed
            assert answer.held is not None
            assert answer.held.hand_over.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty.")
        [paper] = place.printer.papers
        slip = place.ports.renderer.text("paragon", paper)
        assert f"Przyjęto korektę do faktury nr {base.number}" in " ".join(slip.split())
        assert "WYDRUK PONOWNY" not in slip


async def test_a_slip_that_a_crash_cut_off_is_uncertain_and_not_repeated_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        base = await died_at_the_slip(place, "during", monkeypatch)
    async with world(tmp_path) as place:
        place.gateway.up = False
        await place.recover()
        answer = await correct(place, base, FULL, "k")
        assert answer.held is not None
        assert answer.held.hand_over.startswith("Nie wiadomo, czy potwierdzenie dla klienta się wydrukowało.")
        assert place.printer.papers == []


async def test_nobody_is_told_to_hand_over_a_slip_that_nobody_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        pressed = await place.issuing.correct(base.id, json.dumps(FULL).encode(), "f", CASHIER, at_counter=False)
        assert pressed.held_id is not None
        await place.recover()
        told = (await place.pending.one(pressed.held_id)).hand_over
        assert told.startswith(f"Zwróć 135,60 zł. Faktura {base.number} nie ma jeszcze numeru KSeF.")
        await place.slip.reprint(pressed.held_id, CASHIER)
        told = (await place.pending.one(pressed.held_id)).hand_over
        assert told.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty.")


async def test_corrections_of_an_invoice_from_elsewhere_count_in_their_order_whatever_the_clock_showed(
    tmp_path: Path,
) -> None:
    """After a step back of some minutes the second came first, and no third was ever taken."""
    async with world(tmp_path) as place:
        await correct_outside(place, outside_base(), returned(2, "0.2"))
        place.clock.step(timedelta(minutes=-5))
        await correct_outside(place, outside_base(), returned(2, "0.3"))
        third = await correct_outside(place, outside_base(), returned(2, "1"))
        assert third.invoices[0].record.totals.gross == Decimal("-8.40")
        with pytest.raises(BadInput, match="została już zwrócona w całości"):
            await correct_outside(place, outside_base(), returned(2, "1"))


async def test_a_collective_correction_tells_which_of_its_invoices_ksef_refused(tmp_path: Path) -> None:
    """It spoke of the first alone: of another one "gdy numer nadejdzie", and no number would come."""
    async with world(tmp_path) as place:
        first = await sell(place)
        await place.lose_the_line()
        second, third = await sell(place), await sell(place)
        discount = {
            "kind": "collective",
            "period": "listopad 2026",
            "bases": [{"number": second.number}, {"number": third.number}],
            "rates": [{"vat": "23", "amount": "10.00"}],
        }
        held = (await correct(place, first, discount)).held
        assert held is not None
        slip = " ".join(place.ports.renderer.text("paragon", place.printer.papers[-1]).split())
        assert f"Przyjęto korektę do faktury nr {second.number}" in slip
        assert f"Korekta dotyczy też faktur: {first.number}, {third.number}" in slip
        assert "gdy korygowane faktury otrzymają numery KSeF" in slip
        await place.be_rejected(third.id)
        told = (await place.pending.one(held.id)).hand_over
        assert told.startswith(f"KSeF odrzucił fakturę {third.number} – zawołaj kierownika.")


async def test_the_money_is_told_although_the_number_came_before_the_answer(tmp_path: Path) -> None:
    """It comes while the slip is printed, or before the cashier has read what the page shows."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await sell(place, payments=[{"method": "cash", "amount": "135.60"}])
        held = (await correct(place, base, FULL, "k")).held
        assert held is not None
        await place.restore_the_line()
        await place.catch_up()
        again = (await correct(place, base, FULL, "k")).held
        assert again is not None
        assert (again.state, again.hand_over) == ("issued", "Korekta została wystawiona. Zwróć 135,60 zł gotówką.")


async def test_a_correction_that_was_issued_before_its_slip_came_out_is_printed_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        base = await died_at_the_slip(place, "before", monkeypatch)
        await place.restore_the_line()
        await place.catch_up()
        held = (await correct(place, base, FULL, "k")).held
        assert held is not None
        assert held.hand_over == "Korekta została wystawiona. Wydrukuj ją klientowi. Zwróć 135,60 zł."


async def test_a_correction_waits_no_longer_for_its_slip_than_an_invoice_for_its_paper(tmp_path: Path) -> None:
    """A printer that was busy with metres of paper, or had none, held up the answer for as long."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await sell(place)
        busy = await place.printer.reserve()
        assert busy is not None
        work = counter.correct(place, base.id, json.dumps(FULL).encode(), "k", CASHIER)
        pressed = asyncio.ensure_future(work)
        await place.clock.advance(PAPER_SECONDS + 1)
        assert pressed.done()
        held = (await pressed).held
        assert held is not None
        assert held.hand_over.startswith("Potwierdzenie dla klienta jeszcze się nie wydrukowało. Zwróć 135,60 zł.")
        again = asyncio.ensure_future(counter.correct(place, base.id, json.dumps(FULL).encode(), "k", CASHIER))
        await place.clock.advance(1)
        await busy.release()
        await place.clock.advance(1)
        assert (await again).replayed
        assert len(place.printer.papers) == 2, "the invoice's and one slip"
        told = (await place.pending.one(held.id)).hand_over
        assert told.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty. Zwróć 135,60 zł.")


async def test_the_slip_is_printed_again_marked_while_the_correction_waits(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        place.printer.plan.append(Outcome.NOT_SENT)
        held = (await correct(place, base, FULL)).held
        assert held is not None

        async def again() -> str:
            await place.slip.reprint(held.id, CASHIER)
            return place.ports.renderer.text("paragon", place.printer.papers[-1])

        assert "WYDRUK PONOWNY" not in await again()  # the first one surely did not come out
        place.printer.plan.append(Outcome.UNKNOWN)
        assert "WYDRUK PONOWNY nr 2" in await again()
        told = (await place.pending.one(held.id)).hand_over
        assert told.startswith("Nie wiadomo, czy potwierdzenie dla klienta się wydrukowało.")
        assert "WYDRUK PONOWNY nr 3" in await again()
        place.gateway.up = True
        await place.catch_up()
        with pytest.raises(Conflict) as issued:
            await place.slip.reprint(held.id, CASHIER)
        assert issued.value.code == "correction-not-waiting"
        with pytest.raises(NotFound):
            await place.slip.reprint("nobody", CASHIER)


async def test_a_wrong_nip_in_an_outage_gives_the_new_invoice_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        answer = await correct(place, base, {"kind": "buyer", "buyer": right_buyer()})
        assert answer.held is not None
        (replacement,) = answer.invoices
        assert replacement.record.buyer.identifier == "5260250274"
        place.gateway.up = True
        await place.catch_up()
        assert len(await in_ledger(place)) == 3


async def test_held_corrections_of_one_base_keep_their_order_past_its_number(tmp_path: Path) -> None:
    """The base has its number, an older order still waits: a new return must not overtake it."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place, lines=[{**sale()["lines"][0], "quantity": "5"}])
        await correct(place, base, returned(1, "2"))
        await line_back(place)
        assert (await place.record(base.id)).ksef_number is not None
        second = await correct(place, base, returned(1, "1"))
        assert second.held is not None
        await place.catch_up()
        with pytest.raises(BadInput) as refused:
            await correct(place, base, returned(1, "3"))
        assert "zostało 2 szt." in refused.value.errors[0].message
        await correct(place, base, returned(1, "2"))
        with pytest.raises(Conflict):
            await correct(place, base, FULL)


async def test_a_restart_between_hold_and_issue_loses_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        held = (await correct(place, base, FULL)).held
        gateway = place.gateway
    gateway.up = True
    async with world(tmp_path, gateway=gateway) as place:
        assert held is not None
        await place.catch_up()
        assert await place.pending.waiting() == []
        now = await place.pending.one(held.id)
        assert now.state == "issued"
        assert now.invoice_id is not None
        kor = await place.record(now.invoice_id)
        assert kor.state is InvoiceState.ACCEPTED
        assert kor.bases[0].ksef_number == (await place.record(base.id)).ksef_number
        assert await in_ledger(place) == [base.number, kor.number]


async def test_the_queue_issues_by_itself_when_the_number_arrives(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        await correct(place, base, FULL)
        loop = asyncio.ensure_future(place.pending.run())
        await line_back(place)
        await place.clock.advance(1)
        assert await place.pending.waiting() == []
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_a_base_rejected_later_keeps_its_correction_waiting_for_the_technical_one(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        await correct(place, base, FULL)
        place.gateway.up = True
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        await place.catch_up(hours=0.01)
        assert (await place.record(base.id)).state is InvoiceState.REJECTED
        (held,) = await place.pending.waiting()
        assert "Korekta czeka na jej korektę techniczną" in held.hand_over
        await place.rejected.correct_technically(base.id, MANAGER)
        await place.catch_up()
        assert await place.pending.waiting() == []
        assert len(await in_ledger(place)) == 2


async def test_a_base_rejected_for_good_refuses_all_its_corrections(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        orders = [(await correct(place, base, returned(1, "1"))).held for _ in range(2)]
        place.gateway.up = True
        rejection = Rejected(450, "Błąd weryfikacji semantyki")
        place.gateway.verdict_plan.extend([rejection, rejection])
        await place.catch_up(hours=0.01)
        await place.rejected.correct_technically(base.id, MANAGER)
        await place.catch_up(hours=0.01)
        assert await place.pending.waiting() == []
        for order in orders:
            assert order is not None
            closed = await place.pending.one(order.id)
            assert closed.state == "refused"
            assert "ostatecznie odrzucił" in closed.hand_over
        assert (await place.log(base.id)).count("correction_refused") == 2
        assert await in_ledger(place) == []
        assert [each.id for each in await place.pending.refused()] == [
            order.id for order in orders if order is not None
        ]


async def test_a_base_of_a_total_failure_is_corrected_without_a_number(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await total_failure_begins(place)
        base = await sell(place)
        assert base.mode is Mode.TOTAL_FAILURE
        at_once = await correct(place, base, returned(1, "1"))
        assert at_once.held is None
        (within,) = at_once.invoices
        assert within.record.mode is Mode.TOTAL_FAILURE
        assert b"NrKSeFN" in within.record.xml
        assert within.paper is not None
        await place.clock.advance(3600)
        await place.declarations.withdraw("koniec", MANAGER)
        states = {(await place.record(each)).state for each in (base.id, within.record.id)}
        assert states == {InvoiceState.EXEMPT}
        await place.clock.advance(60)
        after = await correct(place, base, returned(2, "1"))
        assert after.held is None
        await place.catch_up()
        ((_, kind, number),) = place.gateway.ledger  # what follows the end goes to KSeF, without a number of its base
        assert kind == "KOR"
        assert number == after.invoices[0].record.number
        assert b"NrKSeFN" in after.invoices[0].record.xml


# --- an invoice that KSeF has, in a total failure (art. 106j ust. 4) --------------------------------------


async def test_an_invoice_in_ksef_is_corrected_after_the_total_failure(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        assert base.ksef_number is not None
        await total_failure_begins(place)
        answer = await correct(place, base, returned(1, "1"))
        assert answer.invoices == ()
        assert answer.held is not None
        assert answer.held.base_number == base.number
        assert "po zakończeniu awarii całkowitej" in answer.held.hand_over
        assert "nie ma jeszcze numeru" not in answer.held.hand_over
        with pytest.raises(BadInput):  # counted at once
            await correct(place, base, returned(1, "2"))
        await place.pending.issue_ready()
        assert [held.id for held in await place.pending.waiting()] == [answer.held.id]
        await total_failure_ends(place)
        await place.catch_up()
        issued = await place.pending.one(answer.held.id)
        assert issued.invoice_id is not None
        correction = await place.record(issued.invoice_id)
        assert correction.state is InvoiceState.ACCEPTED
        assert correction.bases[0].ksef_number == base.ksef_number
        assert await in_ledger(place) == [base.number, correction.number]


async def corrected_by_an_older_version(
    place: World, base: InvoiceRecord, monkeypatch: pytest.MonkeyPatch
) -> InvoiceRecord:
    """Issue, in a total failure, a correction of what is in KSeF: today it would wait for the end."""
    with monkeypatch.context() as older:
        older.setattr(IssuePlan, "in_total_failure", lambda plan: plan)
        older.setattr(issuing_documents, "_refuse_to_correct", lambda _: None)
        return (await correct(place, base, returned(1, "1"))).invoices[0].record


async def test_what_an_older_version_issued_outside_ksef_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It corrects what is in KSeF and is never sent; nobody was told."""
    async with world(tmp_path) as place:
        base, other = await sell(place), await sell(place)
        await total_failure_begins(place)
        outside = await corrected_by_an_older_version(place, base, monkeypatch)
        assert (outside.mode, outside.ksef_number) == (Mode.TOTAL_FAILURE, None)
        await correct(place, other, returned(1, "1"))  # held, as today
        await total_failure_ends(place)
        await place.catch_up()
        assert (await place.record(outside.id)).state is InvoiceState.EXEMPT
        for _ in range(2):
            await place.deadlines.follow()
            await place.problems.refresh()
            (told,) = [each for each in place.health.report().problems if each.code == "correction-outside-ksef"]
            assert outside.number in told.message
        assert caplog.text.count(f"never sent: {outside.number}") == 1
        await place.clock.advance(timedelta(days=15).total_seconds())
        await place.problems.refresh()
        assert "correction-outside-ksef" not in {each.code for each in place.health.report().problems}


async def test_what_an_older_version_issued_outside_ksef_is_no_longer_told_once_it_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only one: the total failure was none, and the correction is owed to KSeF like any other."""
    async with world(tmp_path) as place:
        base = await sell(place)
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        outside = await corrected_by_an_older_version(place, base, monkeypatch)
        await place.clock.advance(3600)
        await place.declarations.withdraw("koniec", MANAGER)
        await place.problems.refresh()
        assert "correction-outside-ksef" in {each.code for each in place.health.report().problems}
        await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
        assert (await place.record(outside.id)).state is InvoiceState.ISSUED
        await place.problems.refresh()
        assert "correction-outside-ksef" not in {each.code for each in place.health.report().problems}


async def test_a_held_correction_whose_number_came_just_before_a_total_failure_waits_on(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await sell(place)
        held = (await correct(place, base, FULL)).held
        assert held is not None
        await line_back(place)
        assert (await place.record(base.id)).ksef_number is not None
        await total_failure_begins(place)
        assert not await place.pending.issue_ready()
        still = await place.pending.one(held.id)
        assert still.state == "waiting"
        assert "nie ma jeszcze numeru" not in still.hand_over
        await total_failure_ends(place)
        await place.catch_up()
        assert (await place.pending.one(held.id)).state == "issued"
        assert len(await in_ledger(place)) == 2


async def test_a_wrong_nip_in_a_total_failure_is_a_new_invoice_at_once_and_a_held_correction(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await total_failure_begins(place)
        answer = await correct(place, base, {"kind": "buyer", "buyer": right_buyer()})
        assert answer.held is not None
        (replacement,) = answer.invoices
        assert replacement.record.mode is Mode.TOTAL_FAILURE


async def test_a_collective_correction_waits_for_the_end_where_one_of_its_invoices_is_in_ksef(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        in_ksef = await sell(place)
        await total_failure_begins(place)
        ordinary = await sell(place)
        held = (await correct(place, ordinary, collective(in_ksef.number))).held
        assert held is not None
        assert held.base_number == in_ksef.number
        await total_failure_ends(place)
        await place.catch_up()
        assert (await place.pending.one(held.id)).state == "issued"


async def test_what_another_till_has_in_ksef_is_not_corrected_outside_it(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        number = (await sell(place)).ksef_number
        assert number is not None
        known = outside_base("STARA/7", outside_ksef=False, ksef_number=number)
        await total_failure_begins(place)
        with pytest.raises(Conflict) as refused:
            await correct_outside(place, known, FULL)
        assert refused.value.code == "total-failure"
        assert (await correct_outside(place, outside_base("STARA/8"), FULL)).invoices[0].record.mode is (
            Mode.TOTAL_FAILURE
        )
        await total_failure_ends(place)
        assert (await correct_outside(place, known, FULL)).invoices[0].record.mode is Mode.ONLINE


async def test_a_ready_correction_of_what_ksef_has_is_refused_while_the_total_failure_lasts(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        made = (await correct(place, await sell(place), returned(1, "1"))).invoices[0].record
        ready = made.xml.replace(made.number.encode(), b"OBCA/1")
        await total_failure_begins(place)
        with pytest.raises(Conflict) as refused:
            await passing(place, counter.ready(place, ready, "ready", CASHIER))
        assert refused.value.code == "total-failure"
        await total_failure_ends(place)
        (taken,) = (await passing(place, counter.ready(place, ready, "ready", CASHIER))).invoices
        assert taken.record.state is InvoiceState.ACCEPTED
