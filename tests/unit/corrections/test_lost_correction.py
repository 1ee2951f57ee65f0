"""A wrong buyer and an exchange make two documents. KSeF refuses the correction alone: the new invoice is made once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Conflict
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.payment_methods import NEW_INVOICE
from agent.ports import InvoiceFilter, Rejected
from agent.services.corrections.pending import refuse_waiting
from agent.services.queries.invoices import IssueAnswer
from tests.fakes.world import BUYER_NIP, KNOWN_NIP, MANAGER, World, world
from tests.unit.corrections.test_correct import (
    FULL,
    collective,
    correct,
    correct_outside,
    outside_base,
    returned,
    right_buyer,
    sell,
    total_failure_begins,
    total_failure_ends,
)

OTHER_NIP = "9999999999"
REFUSED = Rejected(450, "Błąd weryfikacji semantyki")
BUYER = {"kind": "buyer", "buyer": right_buyer()}
OTHER_BUYER = {"kind": "buyer", "buyer": {**right_buyer(), "nip": OTHER_NIP, "name": "Trzecia S.A."}}
CONSUMER = {"name": "Jan Kowalski", "address": {"line1": "ul. Cicha 3", "country": "PL"}}
SETTLED = "Nie zwracaj pieniędzy: rozlicza je nowa faktura."


def swap(price: str = "80.00", name: str = "Herbata", *, back: str = "1", **changes: Any) -> dict[str, Any]:
    """A kilogram of coffee (61.50) back, something else instead."""
    taken = {"name": name, "quantity": "1", "unit_price": price, "vat": "23"}
    return {"kind": "exchange", "lines": [{"line": 1, "quantity": back}], "sale": {"lines": [taken]}, **changes}


KINDS = pytest.mark.parametrize("document", [BUYER, swap()], ids=["buyer", "exchange"])


async def lose_correction(
    place: World, base: InvoiceRecord, document: dict[str, Any], key: str | None = None
) -> tuple[InvoiceRecord, InvoiceRecord]:
    """Press; KSeF refuses the correction at once, and takes the new invoice."""
    place.gateway.verdict_plan.append(REFUSED)
    made = await correct(place, base, document, key)
    lost, new = (each.record for each in made.invoices)
    assert (lost.state, new.state) == (InvoiceState.REJECTED, InvoiceState.ACCEPTED)
    return lost, new


async def all_made(place: World) -> list[tuple[str, InvoiceState]]:
    """Kinds and states of all documents, oldest first."""
    found = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    return [(each.kind, each.state) for each in reversed(found)]


def alone(answer: IssueAnswer, new: InvoiceRecord) -> InvoiceRecord:
    """The correction of a press that made nothing else, and settles what stands already."""
    correction, settled = (each.record for each in answer.invoices)
    assert (correction.kind, settled.id) == ("KOR", new.id)
    assert answer.settles
    return correction


# --- at the press -------------------------------------------------------------------------------------


@KINDS
async def test_the_same_press_again_makes_the_correction_alone(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        lost, new = await lose_correction(place, base, document)
        papers = len(place.printer.papers)
        answer = await correct(place, base, document)
        correction = alone(answer, new)
        assert correction.state is InvoiceState.ACCEPTED
        assert (correction.totals, correction.payments) == (lost.totals, lost.payments)
        assert len(place.printer.papers) == papers + 1, "the correction's; the new invoice has its own"
        assert [kind for kind, _ in await all_made(place)] == ["VAT", "KOR", "VAT", "KOR"]
        assert (await place.record(new.id)).copies == 1


async def test_the_money_is_told_with_the_document_that_moves_it(tmp_path: Path) -> None:
    """What the customer pays more was taken with the new invoice; what he gets back goes with the correction."""
    told_of = ((BUYER, SETTLED), (swap(), SETTLED), (swap("40.00"), "Zwróć 21,50 zł."))
    for number, (document, told) in enumerate(told_of):
        async with world(tmp_path / str(number)) as place:
            base = await sell(place)
            _, new = await lose_correction(place, base, document)
            answer = await correct(place, base, document)
            assert answer.invoices[0].hand_over == f"Wydaj klientowi korektę. {told}"
            payment = read(alone(answer, new).xml).payment
            assert payment is not None
            if document is BUYER:
                assert (payment.paid, payment.other_form) == (True, NEW_INVOICE)


@KINDS
async def test_a_repeated_key_gives_the_same_answer(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        first = await lose_correction(place, base, document, "first")
        second = await correct(place, base, document, "second")
        papers = len(place.printer.papers)
        again = await correct(place, base, document, "first")
        assert (again.replayed, again.settles) == (True, False)
        assert [each.record.id for each in again.invoices] == [each.id for each in first]
        again = await correct(place, base, document, "second")
        assert again.replayed
        assert again.settles
        assert [each.record.id for each in again.invoices] == [each.record.id for each in second.invoices]
        assert len(place.printer.papers) == papers


@KINDS
async def test_refused_again_and_again_there_is_one_new_invoice(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, document)
        for _ in range(3):
            place.gateway.verdict_plan.append(REFUSED)
            assert alone(await correct(place, base, document), new).state is InvoiceState.REJECTED
        alone(await correct(place, base, document), new)
        assert [kind for kind, _ in await all_made(place)].count("VAT") == 2


@KINDS
async def test_another_new_invoice_is_refused_and_the_one_that_stands_is_named(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    others = [OTHER_BUYER, BUYER if document["kind"] == "exchange" else swap(), swap("80.01"), swap(name="Cukier")]
    others += [swap("80.00", back="2")]
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, document)
        before = await all_made(place)
        nip, gross = (KNOWN_NIP, "135,60") if document is BUYER else (BUYER_NIP, "80,00")
        sentence = (
            f"Do faktury {base.number} wystawiono już nową fakturę {new.number} (NIP {nip}, {gross} zł), brakuje tylko "
            "korekty. Żeby ją wystawić, powtórz korektę z tymi samymi danymi. Jeśli nowa faktura ma być inna, skoryguj "
            f"najpierw fakturę {new.number} do zera."
        )
        for other in others:
            with pytest.raises(Conflict) as refused:
                await correct(place, base, other)
            assert (refused.value.code, str(refused.value)) == ("new-invoice-stands", sentence)
        assert await all_made(place) == before
        alone(await correct(place, base, document), new)


@KINDS
async def test_once_the_standing_one_is_corrected_to_zero_another_may_be_made(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    other = OTHER_BUYER if document is BUYER else swap(name="Cukier")
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, document)
        await correct(place, new, returned(1, "0.5"))
        with pytest.raises(Conflict, match=new.number):
            await correct(place, base, other)
        await correct(place, new, FULL)
        answer = await correct(place, base, other)
        assert not answer.settles
        assert [each.record.kind for each in answer.invoices] == ["KOR", "VAT"]


async def test_a_collective_correction_of_several_does_not_tell_what_is_left(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base, beside = await sell(place), await sell(place)
        _, new = await lose_correction(place, base, swap())
        await correct(place, new, collective(beside.number, amount="80.00"))
        with pytest.raises(Conflict, match=new.number):
            await correct(place, base, swap(name="Cukier"))


async def test_goods_that_came_back_with_the_standing_one_stay_back(tmp_path: Path) -> None:
    """The correction alone takes off what the base was; the return stays with the invoice it was made of."""
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, BUYER)
        await correct(place, new, returned(1, "1"))
        assert alone(await correct(place, base, BUYER), new).totals.gross == Decimal("-135.60")


async def test_goods_that_came_back_with_the_base_have_to_come_back_with_the_standing_one_too(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, BUYER)
        await correct(place, base, returned(1, "1"))
        with pytest.raises(Conflict) as refused:
            await correct(place, base, BUYER)
        assert refused.value.code == "new-invoice-stands"
        await correct(place, new, returned(1, "1"))
        assert alone(await correct(place, base, BUYER), new).totals.gross == Decimal("-74.10")


async def test_the_standing_one_may_have_got_another_buyer_since(tmp_path: Path) -> None:
    """The new invoice was itself corrected to zero, for a third buyer: his stands for the sale now."""
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, BUYER)
        _, third = (each.record for each in (await correct(place, new, OTHER_BUYER)).invoices)
        with pytest.raises(Conflict, match=third.number):
            await correct(place, base, {"kind": "buyer", "buyer": CONSUMER})
        place.gateway.verdict_plan.append(REFUSED)
        alone(await correct(place, base, OTHER_BUYER), third)
        alone(await correct(place, base, BUYER), new)
        assert [kind for kind, _ in await all_made(place)].count("VAT") == 3


async def test_of_a_new_invoice_that_was_lost_later_what_took_its_place_stands(tmp_path: Path) -> None:
    """Offline, the new invoice got another buyer as well; then KSeF refused it, and all corrections with it."""
    async with world(tmp_path) as place:
        base = await sell(place)
        await place.declarations.declare(Mode.OFFLINE24, "próba", MANAGER)
        lost, new = (each.record for each in (await correct(place, base, BUYER)).invoices)
        [third] = (await correct(place, new, OTHER_BUYER)).invoices
        for each in (lost, new):
            await place.be_rejected(each.id)
            await place.rejected.close(each.id, "powtórzona", MANAGER)
        await place.catch_up()
        assert await place.pending.waiting() == []
        with pytest.raises(Conflict, match=third.record.number):
            await correct(place, base, BUYER)
        alone(await correct(place, base, OTHER_BUYER), third.record)


async def test_of_an_exchange_that_has_its_correction_the_next_one_knows_nothing(tmp_path: Path) -> None:
    """Two kilograms, exchanged one by one for the same: the second is no repetition of the first."""
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, swap())
        alone(await correct(place, base, swap()), new)
        answer = await correct(place, base, swap())
        assert not answer.settles
        assert [each.record.kind for each in answer.invoices] == ["KOR", "VAT"]


async def test_a_lost_new_invoice_does_not_stand(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        place.gateway.verdict_plan += [REFUSED, REFUSED]
        await correct(place, base, BUYER)
        answer = await correct(place, base, BUYER)
        assert not answer.settles
        assert [each.record.state for each in answer.invoices] == [InvoiceState.ACCEPTED] * 2


async def test_consumers_are_told_apart_by_name_and_address(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        document = {"kind": "buyer", "buyer": CONSUMER}
        _, new = await lose_correction(place, base, document)
        with pytest.raises(Conflict) as refused:
            await correct(place, base, {"kind": "buyer", "buyer": {**CONSUMER, "name": "Anna Nowak"}})
        assert f"{new.number} (Jan Kowalski, 135,60 zł)" in str(refused.value)
        alone(await correct(place, base, {"kind": "buyer", "buyer": {**CONSUMER, "name": "JAN  Kowalski"}}), new)


async def test_a_firm_is_known_by_its_number_however_its_name_is_typed(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, BUYER)
        alone(await correct(place, base, {"kind": "buyer", "buyer": {**right_buyer(), "name": "MF"}}), new)


async def test_deposits_and_what_was_prepaid_count(tmp_path: Path) -> None:
    kaucja = {"name": "Kaucja", "amount": "5.00"}
    async with world(tmp_path) as place:
        base = await sell(place, deposits=[kaucja])
        document = swap()
        document["sale"]["deposits"] = [kaucja]
        _, new = await lose_correction(place, base, document)
        with pytest.raises(Conflict):
            await correct(place, base, swap())
        alone(await correct(place, base, document), new)


async def test_returns_and_prices_are_not_held_up(tmp_path: Path) -> None:
    """They make no new invoice."""
    async with world(tmp_path) as place:
        base = await sell(place)
        await lose_correction(place, base, swap())
        price = {"kind": "price", "lines": [{"line": 2, "unit_price": "8.00"}]}
        for document in (returned(2, "0.5"), price, FULL):
            assert not (await correct(place, base, document)).settles


# --- refused later, held, of elsewhere ----------------------------------------------------------------


@KINDS
async def test_a_correction_that_was_refused_later_and_closed(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await place.declarations.declare(Mode.OFFLINE24, "próba", MANAGER)
        lost, new = (each.record for each in (await correct(place, base, document)).invoices)
        await place.be_rejected(lost.id)
        if document is BUYER:  # a technical correction may still bring it there
            with pytest.raises(Conflict) as refused:
                await correct(place, base, document)
            assert refused.value.code == "nothing-left"
        await place.rejected.close(lost.id, "powtórzona", MANAGER)
        alone(await correct(place, base, document), new)


@KINDS
async def test_a_held_correction_that_was_issued_and_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await sell(place)
        made = await correct(place, base, document)
        assert made.held is not None
        [new] = made.invoices
        await place.restore_the_line()
        await place.sender.deliver(base.id)
        await place.sender.deliver(new.record.id)
        place.gateway.verdict_plan.append(REFUSED)
        await place.catch_up()
        held = await place.pending.one(made.held.id)
        assert held.invoice_id is not None
        lost = await place.record(held.invoice_id)
        assert lost.state is InvoiceState.REJECTED
        await place.rejected.close(lost.id, "powtórzona", MANAGER)
        alone(await correct(place, base, document), new.record)


@KINDS
async def test_a_held_correction_that_could_never_be_issued(tmp_path: Path, document: dict[str, Any]) -> None:
    """And the one in its place waits as well: the base has no number yet."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await sell(place)
        made = await correct(place, base, document)
        [new] = made.invoices
        await refuse_held(place)
        again = await correct(place, base, document, "again")
        assert again.settles
        assert again.held is not None
        assert [each.record.id for each in again.invoices] == [new.record.id]
        if document["kind"] == "exchange":  # while it waits, the new invoice has its correction
            assert not (await correct(place, base, document)).settles
        replayed = await correct(place, base, document, "again")
        assert (replayed.replayed, replayed.settles, replayed.held) == (True, True, again.held)
        await place.restore_the_line()
        await place.catch_up()
        assert (await place.pending.one(again.held.id)).state == "issued"


async def refuse_held(place: World) -> None:
    """What waits can never be issued."""
    await place.store.write(lambda tx: refuse_waiting(tx, "Nie da się.", still_waiting=()))


@KINDS
async def test_in_a_total_failure_the_correction_alone_waits(tmp_path: Path, document: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        _, new = await lose_correction(place, base, document)
        await total_failure_begins(place)
        answer = await correct(place, base, document)
        assert answer.settles
        assert answer.held is not None
        assert [each.record.id for each in answer.invoices] == [new.id]
        await total_failure_ends(place)
        await place.catch_up()
        assert (await place.pending.one(answer.held.id)).state == "issued"


@pytest.mark.parametrize("by", ["number", "ksef number"])
@KINDS
async def test_an_invoice_from_elsewhere(tmp_path: Path, document: dict[str, Any], by: str) -> None:
    async with world(tmp_path) as place:
        number = (await sell(place)).ksef_number
        known: dict[str, Any] = {} if by == "number" else {"outside_ksef": False, "ksef_number": number}
        place.gateway.verdict_plan.append(REFUSED)
        _, new = (each.record for each in (await correct_outside(place, outside_base(**known), document)).invoices)
        again = outside_base("STARA/7" if by == "number" else "stara 7", **known)
        with pytest.raises(Conflict, match=f"Do faktury {again['number']} wystawiono już nową fakturę {new.number}"):
            await correct_outside(place, again, OTHER_BUYER)
        answer = await correct_outside(place, again, document)
        correction = alone(answer, new)
        assert correction.state is InvoiceState.ACCEPTED


# --- what is told, and what it costs ------------------------------------------------------------------


@KINDS
async def test_the_refused_correction_tells_that_the_new_invoice_stands(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    hint = "powtórz tę samą korektę, a kasa wystawi tylko ją"
    async with world(tmp_path) as place:
        base = await sell(place)
        place.gateway.verdict_plan.append(REFUSED)
        told, new = (await correct(place, base, document)).invoices
        assert told.hand_over == (
            "KSeF odrzucił korektę i nic nie wydrukowano – zawołaj kierownika. KSeF znalazł błąd w treści tej faktury. "
            f"Nowa faktura {new.record.number} zostaje: gdy przyczyna zniknie, {hint}."
        )
        await place.rejected.close(told.record.id, "czeka", MANAGER)
        assert hint in (await place.invoices.one(told.record.id)).hand_over
        await correct(place, base, document)
        assert hint not in (await place.invoices.one(told.record.id)).hand_over


async def test_nobody_is_told_to_repeat_what_nothing_is_left_of(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        lost, _ = await lose_correction(place, base, swap())
        await correct(place, base, returned(1, "2"))
        assert "powtórz" in (await place.invoices.one(lost.id)).hand_over
        await correct(place, base, FULL)
        assert "powtórz" not in (await place.invoices.one(lost.id)).hand_over


async def test_a_press_without_a_lost_correction_asks_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await correct(place, base, swap())

        async def never(*_: object) -> None:
            raise AssertionError("nothing was lost")

        monkeypatch.setattr("agent.services.issuing.new_invoices.without_correction", never)
        await correct(place, base, swap())
        await correct(place, base, BUYER)


async def test_pairs_of_an_older_program_are_known(tmp_path: Path) -> None:
    """What is kept beside a key was always kept, and says no more than before of a press that makes both."""
    async with world(tmp_path) as place:
        base = await sell(place)
        lost, new = await lose_correction(place, base, BUYER, "old")
        kept = await place.store.read(lambda tx: tx.key_values.get("key:old"))
        assert kept == {"invoices": [lost.id, new.id], "held": None}


async def test_two_presses_at_once_make_one_correction(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await lose_correction(place, base, BUYER)
        made = await asyncio.gather(*(correct(place, base, BUYER) for _ in range(3)), return_exceptions=True)
        assert sorted(type(each).__name__ for each in made) == ["Conflict", "Conflict", "IssueAnswer"]
