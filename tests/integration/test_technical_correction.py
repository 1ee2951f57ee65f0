"""Korekta techniczna and the other ways out of a rejection: till, store, gateway and sandbox together."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Conflict
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import abandoned
from agent.sandbox.ksef.routing import Exchange
from tests.fakes.agent_with_sandbox import DECLARED, MANAGER, AgentWithSandbox, SteppedClock, agent_with_sandbox
from tests.fakes.world import CONSUMER, sale

BUYER: dict[str, Any] = sale()["buyer"]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def place(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[AgentWithSandbox]:
    async with agent_with_sandbox(tmp_path, clock=clock, extra=DECLARED) as running:
        yield running


async def rejected(place: AgentWithSandbox, mood: str = "450") -> InvoiceRecord:
    """An offline invoice that KSeF refused."""
    place.sandbox.mood(mood)
    invoice = await place.sell()
    await place.agent.queue.pass_once()
    after = await place.record(invoice.id)
    assert (after.mode, after.state) == (Mode.OFFLINE24, InvoiceState.REJECTED), after.rejection
    return after


async def corrected(place: AgentWithSandbox, invoice: InvoiceRecord) -> InvoiceRecord:
    """Order a technical correction and let the sync work."""
    await place.agent.rejected.correct_technically(invoice.id, MANAGER)
    await place.agent.queue.pass_once()
    return await place.record(invoice.id)


async def queue_goes_on(place: AgentWithSandbox) -> None:
    following = await place.sell()
    await place.agent.queue.pass_once()
    assert (await place.record(following.id)).state is InvoiceState.ACCEPTED


async def test_new_bytes_of_the_same_content_are_accepted_once(place: AgentWithSandbox) -> None:
    first = await rejected(place)
    assert "rejected" in await place.problems()
    seen: list[Exchange] = []
    place.sandbox.observers.append(seen.append)
    await place.agent.rejected.correct_technically(first.id, MANAGER)
    again = await place.record(first.id)
    await place.agent.queue.pass_once()
    after = await place.record(first.id)

    assert after.state is InvoiceState.ACCEPTED
    assert (again.number, again.version) == (first.number, 2)
    assert read(again.xml).number == read(first.xml).number == first.number
    assert again.sha256 != first.sha256
    assert again.link_invoice != first.link_invoice
    assert read(again.xml).lines == read(first.xml).lines
    (sent,) = (json.loads(each.body) for each in seen if each.template.endswith("/invoices") and each.method == "POST")
    assert sent["hashOfCorrectedInvoice"] == base64.b64encode(first.sha256).decode()
    assert sent["offlineMode"] is True
    (entry,) = place.sandbox.ledger.entries()
    assert (entry.sha256, entry.ksef_number, entry.offline) == (again.sha256, after.ksef_number, True)
    versions = await place.agent.store.read(lambda tx: tx.invoices.versions(first.id))
    assert [hashlib.sha256(xml).digest() for xml in versions] == [first.sha256, again.sha256]
    assert "rejected" not in await place.problems()

    with pytest.raises(Conflict, match="tylko do faktury odrzuconej"):
        await place.agent.rejected.correct_technically(first.id, MANAGER)


async def test_through_the_counter_and_a_lost_answer(place: AgentWithSandbox, clock: SteppedClock) -> None:
    """KSeF took the correction, its answer was lost: the session is asked, nothing is sent twice."""
    first = await rejected(place)
    await place.sandbox.plan("send", "reset_after", times=1)
    after = await corrected(place, first)
    assert after.state is InvoiceState.IN_DOUBT
    clock.step += timedelta(minutes=1)
    await place.agent.queue.pass_once()
    after = await place.record(first.id)
    assert (after.state, after.version) == (InvoiceState.ACCEPTED, 2)
    assert len(place.sandbox.ledger.entries()) == 1


@pytest.mark.parametrize("mood", ["430", "435", "450", "500"])
async def test_every_technical_reason_can_be_mended(place: AgentWithSandbox, mood: str) -> None:
    assert (await corrected(place, await rejected(place, mood))).state is InvoiceState.ACCEPTED


async def test_a_second_one_is_refused(place: AgentWithSandbox) -> None:
    invoice = await rejected(place)
    place.sandbox.mood("450")
    after = await corrected(place, invoice)
    assert (after.state, after.version) == (InvoiceState.REJECTED, 2)
    with pytest.raises(Conflict, match="była już przesłana"):
        await place.agent.rejected.correct_technically(invoice.id, MANAGER)
    await queue_goes_on(place)


@pytest.mark.parametrize("buyer", [BUYER, CONSUMER], ids=["firm", "consumer"])
async def test_an_online_invoice_is_refused_and_no_paper_calls_it_one(tmp_path: Path, buyer: dict[str, Any]) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        place.sandbox.mood("450")
        invoice = await place.sell(buyer=buyer)
        assert (invoice.mode, invoice.state) == (Mode.ONLINE, InvoiceState.REJECTED), "it never became an invoice"
        answer = await place.agent.invoices.one(invoice.id)
        assert answer.paper is None
        assert answer.hand_over == (
            "KSeF odrzucił fakturę i nic nie wydrukowano – zawołaj kierownika. KSeF znalazł błąd w treści tej faktury."
        )
        with pytest.raises(Conflict, match="nie ma czego wydać"):
            await place.agent.reprinting.reprint(invoice.id, MANAGER)
        with pytest.raises(Conflict, match="Wystaw nową fakturę"):
            await place.agent.rejected.correct_technically(invoice.id, MANAGER)
        following = await place.sell()
        assert (following.state, following.serial) == (InvoiceState.ACCEPTED, 2)


@pytest.mark.parametrize("mood", ["410", "415"])
async def test_missing_permissions_are_granted_and_the_same_bytes_go_again(place: AgentWithSandbox, mood: str) -> None:
    invoice = await rejected(place, mood)
    with pytest.raises(Conflict, match="uprawnień"):
        await place.agent.rejected.correct_technically(invoice.id, MANAGER)
    await queue_goes_on(place)
    await place.agent.rejected.resend(invoice.id, MANAGER)
    await place.agent.queue.pass_once()
    after = await place.record(invoice.id)
    assert (after.state, after.version, after.sha256) == (InvoiceState.ACCEPTED, 1, invoice.sha256)


async def test_the_same_bytes_do_not_go_again_for_other_reasons(place: AgentWithSandbox) -> None:
    invoice = await rejected(place)
    with pytest.raises(Conflict, match="odrzuciłby ten sam plik"):
        await place.agent.rejected.resend(invoice.id, MANAGER)


@pytest.mark.parametrize("code", [21166, 21167])
async def test_ksef_refuses_to_take_it(place: AgentWithSandbox, code: int) -> None:
    """Somebody mended it elsewhere, or KSeF has the first file after all: for a person, and nothing waits behind it."""
    invoice = await rejected(place)
    (original,) = place.sandbox.sessions.hash_of(place.sandbox.nip, invoice.sha256)
    if code == 21166:
        original.corrected_by = "20261122-EE-0000000000-0000000000-00"
    else:
        original.offline = False
    after = await corrected(place, invoice)
    assert (after.state, after.version) == (InvoiceState.REJECTED, 2)
    assert (after.rejection or "").startswith(f"{code}: KSeF ")
    assert not place.sandbox.ledger.entries()
    assert (await place.problems())["rejected"].count(str(code)) == 1
    attempts = after.attempts
    await queue_goes_on(place)
    assert (await place.record(invoice.id)).attempts == attempts
    assert not abandoned(after)


async def test_a_number_that_is_taken_by_another_document(place: AgentWithSandbox) -> None:
    """440 with foreign bytes: alarm, the number is not used again, the sale gets the next one, the case is closed."""
    invoice = await rejected(place, "440_foreign")
    (foreign,) = place.sandbox.ledger.entries()
    assert (foreign.key[2], invoice.ksef_number) == (invoice.number, None)
    assert "series-collision" in await place.problems()
    with pytest.raises(Conflict, match="Wystaw sprzedaż ponownie"):
        await place.agent.rejected.correct_technically(invoice.id, MANAGER)
    again = await place.sell()
    await place.agent.queue.pass_once()
    again = await place.record(again.id)
    assert (again.state, again.serial) == (InvoiceState.ACCEPTED, (invoice.serial or 0) + 1)

    month, today = f"{again.issued_on:%Y-%m}", again.issued_on
    rows = [each async for each in place.agent.register.rows(month, today)]
    assert {row["number"] for row in rows} == {invoice.number, again.number}
    await place.agent.rejected.close(invoice.id, f"Wystawiono {again.number}.", MANAGER)
    assert [row["number"] for row in [each async for each in place.agent.register.rows(month, today)]] == [again.number]
    assert "series-collision" not in await place.problems()
    assert (await place.agent.invoices.queue()).invoices == []
    assert place.agent.health.report().queue.unsent == 0
    assert abandoned(await place.record(invoice.id))
    assert (await place.log(invoice.id))[-1].kind in {"closed", "alert_ended"}
    for way_out in (place.agent.rejected.correct_technically, place.agent.rejected.resend):
        with pytest.raises(Conflict, match="została zamknięta"):
            await way_out(invoice.id, MANAGER)
    with pytest.raises(Conflict, match="tylko sprawę faktury odrzuconej"):
        await place.agent.rejected.close(again.id, "Pomyłka.", MANAGER)


async def test_a_number_that_is_taken_by_the_same_bytes(place: AgentWithSandbox) -> None:
    place.sandbox.mood("440_own")
    invoice = await place.sell()
    await place.agent.queue.pass_once()
    await place.agent.tasks.drain(10.0)
    await place.agent.upos.pass_once()
    after = await place.record(invoice.id)
    (entry,) = place.sandbox.ledger.entries()
    assert (after.state, after.ksef_number) == (InvoiceState.ACCEPTED, entry.ksef_number)
    assert (await place.agent.invoices.one(invoice.id)).record.has_upo
