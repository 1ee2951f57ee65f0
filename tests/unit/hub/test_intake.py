"""What tills may hand over, and what becomes of the same invoice handed over twice."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.domain.errors import BadInput, NotPermitted, Unavailable
from agent.hub.domain.offers import of_series, read_offer
from agent.hub.domain.records import InvoiceFacts, Refusal
from agent.hub.domain.states import HubState
from agent.hub.services.intake import DRAINING, NumberTaken
from agent.hub_contract.offers import Claims
from tests.fakes.hub_world import HubWorld, hub_world
from tests.unit.sandbox.sandbox_client import invoice as fa3

OTHER_SELLER = (
    "<Podmiot1><DaneIdentyfikacyjne><NIP>1111111111</NIP><Nazwa>Inny</Nazwa></DaneIdentyfikacyjne>"
    "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Inna 1</AdresL1></Adres></Podmiot1>"
)
CLAIMS = Claims(offline=True, group="g")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubWorld]:
    async with hub_world(tmp_path) as world:
        yield world


async def test_what_the_bytes_say_is_taken_from_the_bytes(hub: HubWorld) -> None:
    taken = await hub.offer("FV-1/1", urgent=2.0)
    assert (taken.number, taken.kind, taken.nip, taken.state) == ("FV-1/1", "VAT", "5265877635", HubState.WAITING)
    assert taken.buyer_identifier is not None
    assert taken.urgent_until is not None
    assert (taken.urgent_until - hub.clock.now()).total_seconds() == 2.0


async def test_every_step_may_be_repeated(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    assert await hub.offer("FV-1/1") == first
    assert await hub.kinds() == []


async def test_other_bytes_under_the_same_number_are_a_conflict_that_names_what_is_held(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    with pytest.raises(NumberTaken) as conflict:
        await hub.offer("FV-1/1", issued_on="2026-11-23")
    assert conflict.value.holder == first
    log = await hub.store.read(lambda tx: tx.log.after(0, 10))
    assert [each.kind for each in log] == ["number_taken"]


async def test_a_conflict_that_is_offered_every_hour_is_told_once(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    till, other, third = await hub.till(), fa3("FV-1/1", issued_on="2026-11-23"), fa3("FV-1/1", issued_on="2026-11-22")
    for xml in (other, other, third, other):
        offered = read_offer(till, hashlib.sha256(xml).digest(), xml, CLAIMS, hub.clock.now())
        for call in (hub.intake.take, hub.intake.keep):
            with pytest.raises(NumberTaken) as conflict:
                await call(till, offered)
            assert conflict.value.holder == first
    log = await hub.store.read(lambda tx: tx.log.after(0, 100))
    assert [(each.kind, each.data["offered"]) for each in log] == [
        ("number_taken", hashlib.sha256(xml).hexdigest()) for xml in (other, third)
    ]


async def test_another_sellers_invoice_is_refused_at_the_door(hub: HubWorld) -> None:
    with pytest.raises(NotPermitted) as refused:
        await hub.offer("FV-1/1", seller=OTHER_SELLER)
    assert refused.value.code == "other-seller"


async def test_another_tills_series_is_refused_at_the_door(hub: HubWorld) -> None:
    with pytest.raises(NotPermitted) as refused:
        await hub.offer("FV-2/1", till="1")
    assert refused.value.code == "other-series"
    assert (await hub.offer("FK-1/1", till="1")).number == "FK-1/1", "corrections have a series of their own"


@pytest.mark.parametrize(
    ("number", "own"),
    [
        ("FV-1/2026/11/000001", True),
        ("2026/FV-1/7", True),
        ("FV-10/2026/11/000001", False),
        ("XFV-1/1", False),
        ("FV-1", True),
    ],
)
def test_a_series_stands_in_a_number_as_a_whole(number: str, *, own: bool) -> None:
    assert of_series(number, "FV-1") is own


@pytest.mark.parametrize(
    ("xml", "sha256", "claims", "code"),
    [
        (b"<a/>", bytes(32), CLAIMS, "hash-differs"),
        (b"<a/>", hashlib.sha256(b"<a/>").digest(), CLAIMS, None),
        (b"x" * 1_000_001, hashlib.sha256(b"x" * 1_000_001).digest(), CLAIMS, "xml-too-large"),
        (fa3("FV-1/1"), hashlib.sha256(fa3("FV-1/1")).digest(), Claims(offline=True, group=""), "bad-query"),
    ],
)
async def test_what_is_no_invoice_is_refused(
    hub: HubWorld, xml: bytes, sha256: bytes, claims: Claims, code: str | None
) -> None:
    with pytest.raises(BadInput) as refused:
        read_offer(await hub.till(), sha256, xml, claims, hub.clock.now())
    assert code is None or refused.value.code == code


async def reject(hub: HubWorld, sha256: bytes) -> None:
    await hub.store.write(lambda tx: tx.invoices.move(sha256, HubState.SENDING))
    facts = InvoiceFacts(refusal=Refusal(450, "błąd"))
    await hub.store.write(lambda tx: tx.invoices.move(sha256, HubState.REJECTED, facts))


async def test_a_rejected_invoice_that_is_handed_over_again_goes_to_ksef_again(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    await reject(hub, first.sha256)
    assert (await hub.offer("FV-1/1")).state is HubState.WAITING


async def test_a_technical_correction_takes_the_number_of_the_rejected_file(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    await reject(hub, first.sha256)
    second = await hub.offer("FV-1/1", issued_on="2026-11-23", version=2, corrects=first.sha256)
    assert (second.state, second.version, second.corrects) == (HubState.WAITING, 2, first.sha256)
    with pytest.raises(NumberTaken):
        await hub.offer("FV-1/1")


async def test_a_technical_correction_replaces_a_file_that_never_left(hub: HubWorld) -> None:
    """The till sent that file on its own way, and KSeF refused it there."""
    first = await hub.offer("FV-1/1")
    second = await hub.offer("FV-1/1", issued_on="2026-11-23", version=2, corrects=first.sha256)
    assert second.state is HubState.WAITING
    assert (await hub.find(first)).state is HubState.REJECTED


async def test_a_technical_correction_of_a_file_under_way_waits_for_its_end(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    await hub.store.write(lambda tx: tx.invoices.move(first.sha256, HubState.SENDING))
    with pytest.raises(NumberTaken):
        await hub.offer("FV-1/1", issued_on="2026-11-23", version=2, corrects=first.sha256)


async def test_two_tills_with_one_document_are_found_out(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    twin = await hub.store.write(lambda tx: tx.parties.add_till(first.nip, "twin", "", (), b"t" * 32))
    hub.tills["twin"] = twin
    with pytest.raises(NumberTaken):
        await hub.offer("FV-1/1", till="twin")
    log = await hub.store.read(lambda tx: tx.log.after(0, 10))
    assert [(each.kind, each.till_id) for each in log] == [("two_tills", twin.id)]


async def test_the_successor_of_a_revoked_till_gets_its_invoices(hub: HubWorld) -> None:
    first = await hub.offer("FV-1/1")
    await hub.store.write(lambda tx: tx.parties.revoke_till(first.nip, "1"))
    hub.tills["new"] = await hub.store.write(lambda tx: tx.parties.add_till(first.nip, "1", "", (), b"n" * 32))
    assert (await hub.offer("FV-1/1", till="new")).till_id == hub.tills["new"].id


async def test_a_hub_that_is_being_emptied_takes_nothing_new(hub: HubWorld) -> None:
    await hub.store.write(lambda tx: tx.log.put(DRAINING, {"by": "root"}))
    with pytest.raises(Unavailable) as draining:
        await hub.offer("FV-1/1")
    assert draining.value.code == "hub-draining"


async def test_many_are_taken_together_and_each_gets_its_answer(hub: HubWorld) -> None:
    till = await hub.till()
    await hub.offer("FV-1/7", issued_on="2026-11-23")
    files = [fa3(f"FV-1/{number}") for number in range(250)]
    offers = [read_offer(till, hashlib.sha256(xml).digest(), xml, CLAIMS, hub.clock.now()) for xml in files]
    taken = await hub.intake.take_all(till, offers)
    assert len(taken) == 250
    assert [number for number, each in enumerate(taken) if each.refusal is not None] == [7]
    assert all(each.invoice.state is HubState.WAITING for each in taken if each.invoice is not None)
