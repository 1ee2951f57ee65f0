"""The obligations of the KsefGateway port: the fake that the use cases are tested with, the real thing, the hub.

One suite, three adapters: what the simulation believes of KSeF is what the gateway does against the sandbox, directly
and through the hub of a chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.domain import ksef_number
from agent.domain.fa3.view.read import read
from agent.hub.domain.records import Seller
from agent.ksef.credentials import Credentials
from agent.ksef.gateway import Gateway, open_gateway
from agent.ports import (
    Accepted,
    CallOutcome,
    Duplicate,
    KsefError,
    KsefGateway,
    Outgoing,
    Pending,
    Rejected,
    Upo,
    UpoPage,
    Verdict,
)
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.server import Sandbox
from agent.settings.model import KsefSettings
from tests.fakes.gateway import FakeGateway, unheard
from tests.fakes.hub_served import served_hub
from tests.fakes.swift_clock import SwiftClock
from tests.unit.sandbox.sandbox_client import invoice

TRIES = 200


def outgoing(number: str = "FV/1", **more: str) -> Outgoing:
    xml = invoice(number, **more)
    return Outgoing(number, xml, hashlib.sha256(xml).digest(), offline=True)


@dataclass
class Subject:
    """An adapter, and how its authority is made to misbehave."""

    gateway: KsefGateway
    clock: SwiftClock
    refuse_next: Callable[[], None]
    """The next invoice is refused with 450."""
    cancel_next: Callable[[], None]
    """The next invoice is cancelled with 550."""
    fault: Callable[[str], Awaitable[None]]
    """down, up, or lost: the answer to the next send gets lost."""
    ledger: Callable[[], dict[str, bytes]]
    """Number (P_2) and hash of everything accepted."""
    tells_ledger: bool = True
    """Whether it says what KSeF took of a seller."""


@asynccontextmanager
async def fake() -> AsyncIterator[Subject]:
    clock = SwiftClock()
    gateway = FakeGateway(clock)

    async def fault(name: str) -> None:
        gateway.up = name != "down"
        gateway.lost_answers = 1 if name == "lost" else 0

    async with clock.running():
        yield Subject(
            gateway,
            clock,
            lambda: gateway.verdict_plan.append(Rejected(450, "Błąd")),
            lambda: gateway.verdict_plan.append(Rejected(550, "Anulowano", retryable=True)),
            fault,
            lambda: {number: sha256 for (_, _, number), (_, sha256) in gateway.ledger.items()},
        )
    await gateway.close()


@asynccontextmanager
async def real() -> AsyncIterator[Subject]:
    clock = SwiftClock()
    async with clock.running(), Sandbox(clock=clock, limits=NO_LIMITS) as sandbox:
        credential = Credentials(sandbox.authentication.certificate, sandbox.authentication.key)
        gateway = open_gateway(KsefSettings(url=sandbox.ksef), sandbox.nip, clock, credentials=credential)

        async def fault(name: str) -> None:
            if name == "lost":
                await sandbox.plan("send", "reset_after", 1)
            else:
                await sandbox.plan("*", "refuse" if name == "down" else "none")

        yield Subject(
            gateway,
            clock,
            lambda: sandbox.mood("450"),
            lambda: sandbox.mood("550"),
            fault,
            lambda: {entry.key[2]: entry.sha256 for entry in sandbox.ledger.entries()},
        )
        await sandbox.plan("*", "none")
        await gateway.close()


@asynccontextmanager
async def hub() -> AsyncIterator[Subject]:
    clock = SwiftClock()
    quick = Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=0)
    async with clock.running(), Sandbox(clock=clock, limits=NO_LIMITS, behaviour=quick) as sandbox:
        credential = Credentials(sandbox.authentication.certificate, sandbox.authentication.key)

        def direct(seller: Seller) -> Gateway:
            return open_gateway(KsefSettings(url=sandbox.ksef), seller.nip, clock, credentials=credential)

        with TemporaryDirectory() as folder:
            async with served_hub(Path(folder), clock, direct) as served:
                gateway = await served.gateway()

                async def fault(name: str) -> None:
                    served.lost[:] = ["PUT", "PUT"] if name == "lost" else []  # aiohttp repeats a PUT once by itself
                    if name != "lost":
                        await (served.listener.down() if name == "down" else served.listener.up())

                yield Subject(
                    gateway,
                    clock,
                    lambda: sandbox.mood("450"),
                    lambda: sandbox.mood("550"),
                    fault,
                    lambda: {entry.key[2]: entry.sha256 for entry in sandbox.ledger.entries()},
                    tells_ledger=False,
                )
                await gateway.close()


@pytest.fixture(params=[fake, real, hub], ids=["fake", "real", "hub"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with request.param() as opened:
        yield opened


async def decided(it: Subject, session: str, reference: str) -> Verdict:
    for _ in range(TRIES):
        verdict = await it.gateway.status(session, reference)
        if not isinstance(verdict, Pending):
            return verdict
        await it.clock.sleep(1.0)
    raise AssertionError("never decided")


async def upo(it: Subject, session: str, reference: str | None, ksef_number: str) -> Upo:
    """The UPO of an accepted invoice; a hub may still wait for it itself."""
    for _ in range(TRIES):
        try:
            return await it.gateway.upo(session, reference, ksef_number)
        except KsefError as error:
            if error.code != 404:
                raise
            await it.clock.sleep(1.0)
    raise AssertionError("no UPO")


async def send(it: Subject, item: Outgoing) -> tuple[str, str, Verdict]:
    session = await it.gateway.session()
    reference = await it.gateway.send(session, item)
    return session.reference, reference, await decided(it, session.reference, reference)


async def test_a_session_is_warm_and_valid_for_hours(subject: Subject) -> None:
    session = await subject.gateway.session()
    assert (session.valid_until - subject.clock.now()).total_seconds() > 3600
    assert await subject.gateway.session() == session


async def test_an_accepted_invoice_has_a_checked_number_a_upo_and_its_own_bytes(subject: Subject) -> None:
    item = outgoing()
    session, reference, verdict = await send(subject, item)
    assert isinstance(verdict, Accepted)
    assert ksef_number.check(verdict.ksef_number) == verdict.ksef_number
    assert verdict.accepted_at.tzinfo is not None
    found = await upo(subject, session, reference, verdict.ksef_number)
    assert (found.ksef_number, found.sha256) == (verdict.ksef_number, item.sha256)
    await subject.clock.sleep(5.0)
    assert await subject.gateway.invoice_sha256(verdict.ksef_number) == item.sha256
    assert subject.ledger() == {"FV/1": item.sha256}


async def test_the_ledger_tells_what_was_taken_newest_first(subject: Subject) -> None:
    since = subject.clock.now() - timedelta(hours=1)
    if not subject.tells_ledger:
        with pytest.raises(KsefError):
            await subject.gateway.issued_since("5265877635", since)
        return
    view = read(outgoing().xml)
    assert view.seller.nip is not None
    assert (await subject.gateway.issued_since(view.seller.nip, since)).entries == ()
    for number in ("FV/1", "FV/2"):
        await send(subject, outgoing(number))
    await subject.clock.sleep(5.0)
    part = await subject.gateway.issued_since(view.seller.nip, since)
    assert part.complete
    assert [entry.number for entry in part.entries] == ["FV/2", "FV/1"]
    assert all(ksef_number.check(entry.ksef_number) and entry.currency == "PLN" for entry in part.entries)
    await subject.fault("down")
    with pytest.raises(KsefError):
        await subject.gateway.issued_since(view.seller.nip, since)


async def test_questions_are_safe_to_repeat(subject: Subject) -> None:
    item = outgoing()
    session, reference, verdict = await send(subject, item)
    for _ in range(3):
        assert await subject.gateway.status(session, reference) == verdict
        found = (await subject.gateway.find_all(session)).get(item.sha256)
        assert found is not None
        assert found[0] == reference
        assert set(await subject.gateway.find_all(session)) == {item.sha256}


async def test_what_ksef_does_not_have_is_none_and_never_an_error(subject: Subject) -> None:
    session, _, _ = await send(subject, outgoing())
    assert (await subject.gateway.find_all(session)).get(bytes(32)) is None
    unknown = "20261124-SO-0000000000-0000000000-00"
    assert (await subject.gateway.find_all(unknown)).get(bytes(32)) is None
    assert await subject.gateway.find_all(unknown) == {}


async def test_the_same_bytes_once_more_name_their_original(subject: Subject) -> None:
    item = outgoing()
    session, _, original = await send(subject, item)
    assert isinstance(original, Accepted)
    _, _, verdict = await send(subject, item)
    if isinstance(verdict, Duplicate):
        assert (verdict.original_ksef_number, verdict.original_session) == (original.ksef_number, session)
    else:  # a hub knows what it has brought to KSeF
        assert verdict == original
    assert (await upo(subject, session, None, original.ksef_number)).sha256 == item.sha256
    assert len(subject.ledger()) == 1


async def test_other_bytes_under_the_same_number_do_not_replace_the_original(subject: Subject) -> None:
    item, other = outgoing(), outgoing(issued_on="2026-11-23")
    await send(subject, item)
    _, _, verdict = await send(subject, other)
    assert isinstance(verdict, Duplicate)
    assert verdict.original_ksef_number is not None
    await subject.clock.sleep(5.0)
    assert await subject.gateway.invoice_sha256(verdict.original_ksef_number) == item.sha256 != other.sha256


@pytest.mark.parametrize("retryable", [False, True])
async def test_a_refusal_is_a_verdict_and_leaves_the_number_free(subject: Subject, *, retryable: bool) -> None:
    (subject.cancel_next if retryable else subject.refuse_next)()
    item = outgoing()
    _, _, verdict = await send(subject, item)
    if retryable and isinstance(verdict, Accepted):  # a hub has sent it again by itself
        assert subject.ledger() == {"FV/1": item.sha256}
        return
    assert isinstance(verdict, Rejected)
    assert verdict.retryable is retryable
    assert subject.ledger() == {}
    assert isinstance((await send(subject, item))[2], Accepted)


async def test_a_lost_answer_is_unknown_and_can_be_found(subject: Subject) -> None:
    session = await subject.gateway.session()
    item = outgoing()
    await subject.fault("lost")
    with pytest.raises(KsefError) as lost:
        await subject.gateway.send(session, item)
    assert lost.value.outcome is CallOutcome.UNKNOWN
    assert lost.value.link_down
    await subject.fault("up")
    found = (await subject.gateway.find_all(session.reference)).get(item.sha256)
    assert found is not None
    assert isinstance(await decided(subject, session.reference, found[0]), Accepted)
    assert len(subject.ledger()) == 1


async def test_a_line_that_is_down_was_not_sent(subject: Subject) -> None:
    session = await subject.gateway.session()
    await subject.fault("down")
    for work in (
        subject.gateway.send(session, outgoing()),
        subject.gateway.status(session.reference, bytes(32).hex()),
        subject.gateway.find_all(session.reference),
        subject.gateway.probe(),
    ):
        with pytest.raises(KsefError) as down:
            await work
        assert (down.value.outcome, down.value.link_down) == (CallOutcome.NOT_SENT, True)
    assert subject.gateway.budget().sends_left_hour > 0, "no I/O"
    await subject.fault("up")
    skew = await subject.gateway.probe()
    assert skew is not None
    assert abs(skew) < 5.0
    assert subject.ledger() == {}


async def test_a_batch_names_its_session_before_it_leaves_and_gives_verdicts_by_hash(subject: Subject) -> None:
    items = [outgoing(f"FV/{number}") for number in range(6)]
    await send(subject, items[0])
    known: list[tuple[str, int]] = []

    async def opened(reference: str) -> None:
        known.append((reference, len(subject.ledger())))

    session = await subject.gateway.open_batch(items, opened)
    assert known == [(session, 1)]
    for _ in range(TRIES):
        verdicts = await subject.gateway.batch_verdicts(session)
        if verdicts is not None:
            break
        await subject.clock.sleep(1.0)
    else:
        raise AssertionError("never decided")
    assert set(verdicts) == {item.sha256 for item in items}
    assert isinstance(verdicts[items[0].sha256][1], Duplicate | Accepted)
    assert all(isinstance(verdicts[item.sha256][1], Accepted) for item in items[1:])
    assert subject.ledger() == {item.invoice_id: item.sha256 for item in items}


async def upo_of(it: Subject, session: str, *, close: bool) -> tuple[UpoPage, ...]:
    for _ in range(TRIES):
        pages = await it.gateway.session_upo(session, close=close)
        if pages is not None:
            return pages
        await it.clock.sleep(1.0)
    raise AssertionError("no UPO")


async def test_a_session_is_confirmed_once_it_is_closed(subject: Subject) -> None:
    item = outgoing()
    session, _, verdict = await send(subject, item)
    assert isinstance(verdict, Accepted)
    assert await subject.gateway.session_upo(session, close=False) is None
    (page,) = await upo_of(subject, session, close=True)
    assert (page.number, page.documents) == (1, ((verdict.ksef_number, item.sha256),))
    assert verdict.ksef_number.encode() in page.xml
    assert await upo_of(subject, session, close=True) == (page,), "safe to repeat"


async def test_a_batch_is_confirmed_without_being_closed_again(subject: Subject) -> None:
    items = [outgoing(f"FV/{number}") for number in range(3)]
    session = await subject.gateway.open_batch(items, unheard)
    pages = await upo_of(subject, session, close=False)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert {sha256 for page in pages for _, sha256 in page.documents} == {item.sha256 for item in items}


async def test_a_session_in_which_nothing_was_accepted_is_never_confirmed(subject: Subject) -> None:
    subject.refuse_next()
    session, _, _ = await send(subject, outgoing())
    assert await upo_of(subject, session, close=True) == ()


async def test_limits_can_be_learned_at_any_time(subject: Subject) -> None:
    await subject.gateway.learn_limits()
    await subject.gateway.learn_limits()
    assert subject.gateway.budget().sends_left_hour > 0


async def test_an_error_of_opened_stops_the_batch(subject: Subject) -> None:
    async def not_durable(_: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await subject.gateway.open_batch([outgoing()], not_durable)
    assert subject.ledger() == {}


async def test_close_never_raises(subject: Subject) -> None:
    await subject.gateway.session()
    await subject.fault("down")
    await subject.gateway.close()
