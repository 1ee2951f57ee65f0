"""The press: durable first, one mode, one paper, one answer per key."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.errors import BadInput, KeyReused
from agent.domain.fa3.build import build_invoice
from agent.domain.invoice import Address, Buyer, BuyerKind, Mode
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome, PrintResult, Verdict
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.gateway import silence
from tests.fakes.printer import Encode, FakePrinter, Sent
from tests.fakes.world import CASHIER, CONSUMER, SELLER, World, sale, settings, world
from tests.unit.sale.sale_samples import sale as domain_sale


async def press(place: World, body: dict[str, object], key: str, seconds: float = 10.0) -> IssueAnswer:
    """Press and let time pass until the answer is there."""
    task = asyncio.ensure_future(counter.sale(place, json.dumps(body).encode(), key, CASHIER))
    for _ in range(int(seconds * 10)):
        if task.done():
            break
        await place.clock.advance(0.1)
    return await task


async def test_online_sale_has_its_number_and_one_code(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        answer = (await press(place, sale(), "a")).invoices[0]
        assert answer.record.state is InvoiceState.ACCEPTED
        assert answer.record.mode is Mode.ONLINE
        assert answer.paper is not None
        assert (answer.paper.document, answer.paper.state) == ("invoice", PrintState.PRINTED)
        text = await place.previews.text(answer.record.id)
        assert str(answer.record.ksef_number) in text
        assert "CERTYFIKAT" not in text
        assert (await place.invoices.one(answer.record.id)).record.has_upo


async def test_line_down_gives_offline24_with_confirmation_and_next_business_day(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        answer = (await press(place, sale(), "a")).invoices[0]
        assert answer.record.state is InvoiceState.ISSUED
        assert answer.record.mode is Mode.OFFLINE24
        assert answer.record.deadline is not None
        assert answer.record.deadline.isoformat() == "2026-11-25"
        assert answer.paper is not None
        assert answer.paper.document == "transaction_confirmation"
        place.gateway.up = True
        await place.catch_up()
        after = await place.record(answer.record.id)
        assert after.state is InvoiceState.ACCEPTED
        assert place.gateway.sent[0].offline
        await place.reprinting.reprint(answer.record.id, CASHIER)
        reprint = await place.invoices.one(answer.record.id)
        assert reprint.paper is not None
        assert reprint.paper.document == "invoice"
        assert "WYDRUK PONOWNY nr 2" in await place.previews.text(answer.record.id)


async def test_a_lost_answer_within_the_budget_is_never_a_second_invoice(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.lost_answers = 1
        answer = (await press(place, sale(), "a")).invoices[0]
        assert answer.record.mode is Mode.ONLINE, "KSeF may have it as online"
        assert answer.record.state is InvoiceState.IN_DOUBT
        await place.catch_up()
        after = await place.record(answer.record.id)
        assert after.state is InvoiceState.ACCEPTED
        assert len(place.gateway.ledger) == 1
        assert len(place.gateway.sent) == 1


async def test_a_send_that_has_to_rest_is_no_wait_at_the_counter(tmp_path: Path) -> None:
    """A wait within the budget is worth it; a longer one is offline24 at once, and the screen says so before."""
    async with world(tmp_path) as place:
        budget = place.settings.issue.budget_seconds
        place.gateway.wait = budget
        assert (await press(place, sale(), "a")).invoices[0].record.mode is Mode.ONLINE
        place.gateway.wait = budget + 0.1
        assert place.mode.current().mode is Mode.OFFLINE24
        answer = (await press(place, sale(), "b")).invoices[0]
        assert (answer.record.mode, len(place.gateway.sent)) == (Mode.OFFLINE24, 1)
        assert "Limit wysyłek" in answer.record.reason


async def test_taken_without_number_keeps_online_for_nip_and_offline24_for_consumer(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.pending_answers = 1000
        domestic = (await press(place, sale(), "a")).invoices[0]
        assert domestic.record.mode is Mode.ONLINE
        assert domestic.record.state is InvoiceState.SENT
        assert "oczekuje na numer" in await place.previews.text(domestic.record.id)
        consumer = (await press(place, sale(buyer=CONSUMER), "b")).invoices[0]
        assert consumer.record.mode is Mode.OFFLINE24
        text = await place.previews.text(consumer.record.id)
        assert "OFFLINE" in text
        assert "CERTYFIKAT" in text


async def test_same_key_same_body_replays_without_second_print(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        first = await press(place, sale(), "a")
        second = await press(place, sale(), "a")
        assert second.replayed
        assert second.invoices[0].record.id == first.invoices[0].record.id
        assert len(place.printer.papers) == 1


async def test_second_click_while_the_first_runs_waits_for_it(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.pending_answers = 3
        body = json.dumps(sale()).encode()
        both = asyncio.gather(*(counter.sale(place, body, "a", CASHIER) for _ in range(2)))
        for _ in range(50):
            await place.clock.advance(0.1)
        first, second = await both
        assert {first.replayed, second.replayed} == {False, True}
        assert first.invoices[0].record.id == second.invoices[0].record.id
        assert len(place.printer.papers) == 1


async def test_same_key_other_body_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await press(place, sale(), "a")
        with pytest.raises(KeyReused):
            await press(place, sale(buyer=CONSUMER), "a")


async def test_bytes_that_differ_at_their_end_alone_are_another_body(tmp_path: Path) -> None:
    """A ready FA(3) is issued as the bytes it is."""
    async with world(tmp_path) as place:
        xml = (await press(place, sale(), "first")).invoices[0].record.xml
        ready = xml.replace(b"<P_2>", b"<P_2>Z/")
        made = await counter.ready(place, ready, "a", CASHIER)
        assert (await counter.ready(place, ready, "a", CASHIER)).replayed
        for other in (ready + b"\n", ready.rstrip(b">") + b" >"):
            with pytest.raises(KeyReused):
                await counter.ready(place, other, "a", CASHIER)
        assert made.invoices[0].record.xml == ready


async def test_refused_sale_burns_no_number_and_stores_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        with pytest.raises(BadInput):
            await press(place, sale(lines=[]), "a")
        assert await place.all_events() == []
        record = (await press(place, sale(), "a")).invoices[0].record
        assert record.serial == 1


async def test_dropped_caller_does_not_cancel_the_press(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.pending_answers = 2
        body = json.dumps(sale()).encode()
        task = asyncio.ensure_future(counter.sale(place, body, "a", CASHIER))
        await place.clock.advance(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(50):
            await place.clock.advance(0.1)
        answer = await press(place, sale(), "a")
        assert answer.replayed
        assert answer.invoices[0].record.state is InvoiceState.ACCEPTED
        assert len(place.printer.papers) == 1


async def test_offline24_by_choice_answers_at_once_and_sends_in_the_background(tmp_path: Path) -> None:
    base = settings(tmp_path)
    chosen = replace(base, issue=replace(base.issue, prefer="offline24"))
    async with world(tmp_path, given=chosen) as place:
        record = (await press(place, sale(), "a")).invoices[0].record
        assert record.mode is Mode.OFFLINE24
        assert place.clock.monotonic() == pytest.approx(1000.0, abs=0.11)
        await place.catch_up()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


class UnheldPrinter(FakePrinter):
    """It never says at once that it is ready, so its jobs wait in the store until it does."""

    async def reserve(self) -> None:
        """Hold nothing."""


class DyingPrinter(UnheldPrinter):
    """The process dies when the first job reaches it."""

    dies = True

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        if self.dies:
            self.dies = False
            raise asyncio.CancelledError
        return await super().print(encode, sent)


async def test_a_crash_before_the_paper_is_healed_by_the_next_press(tmp_path: Path) -> None:
    async with world(tmp_path, printer=DyingPrinter()) as place:
        await place.lose_the_line()
        with pytest.raises(asyncio.CancelledError):
            await place.sell("one")
        await place.printing.recover()
        assert place.printer.papers == []
        record = await place.sell("one")
        assert len(place.printer.papers) == 1
        assert "print_printed" in await place.log(record.id)
        await place.sell("one")
        assert len(place.printer.papers) == 1, "once it is out, a press does not repeat it"


class DyingWithBytes(DyingPrinter):
    """The process dies when bytes of the first job have left."""

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        if self.dies:
            await sent("paragon", encode("paragon"))
        return await super().print(encode, sent)


async def test_a_crash_while_bytes_leave_is_for_a_person_to_decide(tmp_path: Path) -> None:
    """Nobody knows whether the paper came out: neither the restart nor the next press prints it again."""
    async with world(tmp_path, printer=DyingWithBytes()) as place:
        await place.lose_the_line()
        with pytest.raises(asyncio.CancelledError):
            await place.sell("one")
        await place.printing.recover()
        record = await place.sell("one")
        await place.clock.advance(300)
        assert place.printer.papers == []
        paper = (await place.invoices.one(record.id)).paper
        assert paper is not None
        assert paper.state == PrintState.UNCERTAIN


async def test_the_printer_hears_after_a_restart_what_may_still_be_in_it(tmp_path: Path) -> None:
    async with world(tmp_path, printer=DyingWithBytes()) as place:
        await place.lose_the_line()
        with pytest.raises(asyncio.CancelledError):
            await place.sell("one")
        await place.printing.recover()
        ((name, data),) = place.printer.left
        assert (name, data[:2]) == ("paragon", b"\x1b@")
        await place.sell("two")
        await place.printing.recover()
        assert len(place.printer.left) == 1, "what was printed since has gone through it"


async def test_paper_out_is_told_and_retried_silently(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.printer.plan.append(Outcome.NOT_SENT)
        answer = (await press(place, sale(), "a")).invoices[0]
        assert answer.paper is not None
        assert answer.paper.state == PrintState.FAILED
        assert "Skończył się papier" in answer.hand_over
        await place.clock.advance(5)
        later = await place.invoices.one(answer.record.id)
        assert later.paper is not None
        assert later.paper.state == PrintState.PRINTED
        assert "WYDRUK PONOWNY" not in await place.previews.text(answer.record.id)


async def test_uncertain_print_never_repeats_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.printer.plan.append(Outcome.UNKNOWN)
        answer = (await press(place, sale(), "a")).invoices[0]
        assert answer.paper is not None
        assert answer.paper.state == PrintState.UNCERTAIN
        assert answer.paper.problem is not None
        assert answer.hand_over.count("wyszedł") == 1
        assert answer.paper.problem not in answer.hand_over
        await place.clock.advance(300)
        assert len(place.printer.papers) == 1
        await place.reprinting.reprint(answer.record.id, CASHIER)
        assert "WYDRUK PONOWNY nr 2" in await place.previews.text(answer.record.id)


async def test_silence_opens_the_breaker_and_spares_the_next_cashier(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.extend([silence(), silence()])
        await press(place, sale(), "a")
        await press(place, sale(), "b")
        third = (await press(place, sale(), "c")).invoices[0].record
        assert third.mode is Mode.OFFLINE24
        assert "łączności" in third.reason
        assert len(place.gateway.sent) == 0


async def test_restart_after_crash_while_sending_asks_before_it_sends(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.lost_answers = 1
        record = (await press(place, sale(), "a")).invoices[0].record
        gateway = place.gateway
    async with world(tmp_path, gateway=gateway) as place:
        await place.catch_up()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        assert len(gateway.sent) == 1


async def test_the_shop_gets_its_copy_where_set(tmp_path: Path) -> None:
    base = settings(tmp_path)
    chosen = replace(base, paper=replace(base.paper, copies=2))
    async with world(tmp_path, given=chosen) as place:
        record = (await press(place, sale(), "a")).invoices[0].record
        text = await place.previews.text(record.id)
        assert text.count(record.number) >= 2
        customers, shops = text.split("Egzemplarz sprzedawcy")
        assert customers.count("Sprzedawca") == shops.count("Sprzedawca") == 1  # the mark stands on top of the shop's
        assert (await place.previews.picture(record.id)).png.startswith(b"\x89PNG")
        assert (await place.record(record.id)).copies == 1


async def test_one_lost_status_answer_does_not_cost_the_number(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        real = place.gateway.status
        lost: list[str] = []

        async def flaky(session_ref: str, invoice_ref: str) -> Verdict:
            if not lost:
                lost.append(invoice_ref)
                raise silence()
            return await real(session_ref, invoice_ref)

        place.gateway.status = flaky  # type: ignore[method-assign]
        record = (await press(place, sale(), "a")).invoices[0].record
        assert lost
        assert record.state is InvoiceState.ACCEPTED


async def test_the_bytes_of_a_ready_invoice_are_hashed_to_the_last(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        firm = domain_sale(buyer=Buyer(BuyerKind.NIP, "1111111111", "PL", "Alfa", Address("ul. Alfy 1")))
        xml = build_invoice(firm, SELLER, number="ERP/1", issued_at=place.clock.now(), system_info="ERP")
        ended = xml.strip() + b"\n \n"
        record = (await counter.ready(place, ended, "ready", CASHIER)).invoices[0].record
        assert (record.xml, record.sha256) == (ended, hashlib.sha256(ended).digest())
