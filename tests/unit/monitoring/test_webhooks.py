"""Webhooks over real HTTP: at least once, in order, signed, again from any event; the documented receiver."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.domain.errors import BadInput
from agent.domain.event_kinds import EventKind
from agent.domain.monitoring.alert import AlertCode
from agent.domain.monitoring.webhook_ids import NOTE, WebhookIds
from agent.outbound import Outbound, Webhooks
from agent.services.monitoring.webhooks import INVOICE_TYPES, PAGE, PAUSES, Outbox, Subscriber
from agent.system.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.world import World, world

MESSAGES = 12
SECRET = b"a secret of at least thirty-two letters"
DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"


@dataclass
class Receiver:
    """The shop's system. ``plan``: the next statuses; 0 takes the message and drops the connection."""

    plan: deque[int] = field(default_factory=deque)
    messages: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        header = dict(part.split("=", 1) for part in request.headers["X-Ksef-Agent-Signature"].split(","))
        expected = hmac.new(SECRET, header["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(expected, header["v1"])
        assert request.content_type == "application/json"
        message = json.loads(body)
        assert request.headers["X-Ksef-Agent-Event"] == str(message["id"])
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        status = self.plan.popleft() if self.plan else 204
        (self.messages if status in {0, 204} else self.refused).append(message)
        self.taken.set()
        if status == 0:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=status or 204)

    @property
    def ids(self) -> list[int]:
        return [message["id"] for message in self.messages]

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.messages]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@asynccontextmanager
async def posting() -> AsyncIterator[Webhooks]:
    outbound = Outbound(SystemClock())
    try:
        yield Webhooks(outbound, SystemClock())
    finally:
        await outbound.close()


def shop_at(url: str) -> Subscriber:
    return Subscriber("shop", url, SECRET, INVOICE_TYPES)


@asynccontextmanager
async def outbox_of(place: World, url: str) -> AsyncIterator[Outbox]:
    async with posting() as sender:
        outbox = place.outbox(sender, shop_at(url))
        await outbox.load()
        yield outbox


async def test_each_event_once_in_order_signed_with_what_an_order_needs(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        record = await place.sell(external_ref="order-7")
        place.gateway.up = False
        waiting = await place.sell()
        assert await outbox.deliver_all()
        assert receiver.types == ["invoice.issued", "invoice.accepted", "invoice.issued"]
        assert receiver.ids == sorted(receiver.ids)
        told = receiver.messages[1]["invoice"]
        assert (told["external_ref"], told["ksef_number"]) == ("order-7", record.ksef_number)
        assert told["gross"] == str(record.totals.gross)
        assert receiver.messages[2]["invoice"]["id"] == waiting.id
        assert await outbox.deliver_all()
        assert len(receiver.messages) == 3
        status = await outbox.status()
        assert (status.failing_with, status.cursor) == (None, status.newest)


async def test_a_first_subscription_starts_now_and_history_comes_by_request(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver:
        old = await place.sell()
        async with outbox_of(place, receiver.url) as outbox:
            new = await place.sell()
            assert await outbox.deliver_all()
            assert {each["invoice"]["id"] for each in receiver.messages} == {new.id}
            await outbox.replay(1)
            assert await outbox.deliver_all()
            assert {each["invoice"]["id"] for each in receiver.messages} == {old.id, new.id}


async def test_an_address_that_changes_goes_on_where_the_last_delivery_ended(tmp_path: Path) -> None:
    """A move of the shop's system must lose nothing; what it does not want, it leaves out by a replay beyond."""
    async with world(tmp_path) as place, receiving() as old, receiving() as new:
        async with outbox_of(place, old.url) as outbox:
            await place.sell()
            assert await outbox.deliver_all()
        between = await place.sell()  # no address is set
        async with outbox_of(place, new.url) as outbox:
            later = await place.sell()
            assert await outbox.deliver_all()
            assert {each["invoice"]["id"] for each in new.messages} == {between.id, later.id}
        await place.sell()
        async with outbox_of(place, old.url) as outbox:
            await outbox.replay((await outbox.status()).newest + 1)
            wanted = await place.sell()
            assert await outbox.deliver_all()
            assert {each["invoice"]["id"] for each in old.messages[2:]} == {wanted.id}


async def test_a_till_that_gets_its_first_subscriber_tells_no_history(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.sell()
    async with (
        receiving() as receiver,
        posting() as sender,
        world(tmp_path, webhooks=sender, subscribers=[shop_at(receiver.url)]) as place,
    ):
        await place.recover()
        (outbox,) = place.outboxes
        new = await place.sell("new")
        assert await outbox.deliver_all()
        assert {each["invoice"]["id"] for each in receiver.messages} == {new.id}


async def test_a_subscriber_that_never_answered_misses_nothing_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver:
        receiver.plan.append(503)
        async with outbox_of(place, receiver.url) as outbox:
            await place.sell()
            assert not await outbox.deliver_all()
            await place.sell()
        async with outbox_of(place, receiver.url) as restarted:
            assert await restarted.deliver_all()
    assert len(receiver.messages) == 4


@pytest.mark.parametrize("answers", [[500], [404, 503, 301], [0], [0, 500, 0]])
async def test_a_refused_message_comes_again_before_any_other(tmp_path: Path, answers: list[int]) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        for _ in range(2):
            await place.sell()
        receiver.plan.extend([204, *answers])
        for _ in answers:
            assert not await outbox.deliver_all()
            assert (await outbox.status()).failing_with is not None
        assert await outbox.deliver_all()
        unique = sorted(set(receiver.ids))
        assert len(unique) == 4
        assert receiver.ids == sorted(receiver.ids)
        assert {message["id"] for message in receiver.refused} <= {unique[1]}
        assert (await outbox.status()).failing_with is None


async def test_each_message_begins_its_own_pauses(tmp_path: Path) -> None:
    """A receiver that refuses one in a hundred of a long backlog waited five minutes for each of them."""

    class Moody:
        """Refuses every message once, the last one again and again."""

        def __init__(self) -> None:
            self.heard: list[tuple[str, float]] = []

        async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
            del url, body
            event = headers["X-Ksef-Agent-Event"]
            self.heard.append((event, place.clock.monotonic()))
            seen = [each for each, _ in self.heard].count(event)
            return 204 if seen == 2 and len({each for each, _ in self.heard}) < MESSAGES else 503

    async with world(tmp_path) as place:
        moody = Moody()
        outbox = place.outbox(moody, shop_at("https://shop.example/"))
        await outbox.load()
        for _ in range(MESSAGES // 2):
            await place.sell()
        loop = asyncio.ensure_future(outbox.run())
        for _ in range(400):
            await place.clock.advance(1)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        times: dict[str, list[float]] = {}
        for event, at in moody.heard:
            times.setdefault(event, []).append(at)
        *taken, last = times.values()
        assert len(taken) == MESSAGES - 1
        assert {round(second - first) for first, second in taken} == {1}
        waits = [round(after - before) for before, after in pairwise(last)]
        assert waits == list(map(round, PAUSES))[: len(waits)]
        assert len(waits) >= 4


async def test_a_restarted_receiver_and_a_restarted_agent_lose_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        async with outbox_of(place, "http://127.0.0.1:9/hook") as outbox:
            await place.sell()
            assert not await outbox.deliver_all()
            assert (await outbox.status()).failing_with == "brak odpowiedzi: połączenie odrzucone"
        async with receiving() as receiver, outbox_of(place, receiver.url) as outbox:
            receiver.plan.extend([204, 500])
            assert not await outbox.deliver_all()
            assert outbox.undelivered is not None
            since = outbox.undelivered[1]
    async with world(tmp_path) as place, receiving() as again, outbox_of(place, again.url) as outbox:
        assert outbox.undelivered == ("HTTP 500", since)
        assert await outbox.deliver_all()
        assert receiver.types + again.types == ["invoice.issued", "invoice.accepted"]
        assert outbox.undelivered is None


async def test_a_slow_receiver_delays_nobody_and_gets_the_rest_afterwards(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        receiver.hold = asyncio.Event()
        await place.sell()
        loop = asyncio.ensure_future(outbox.run())
        await receiver.arrived.wait()
        await place.sell()
        receiver.hold.set()
        while len(receiver.messages) < 4:
            receiver.taken.clear()
            await asyncio.wait_for(receiver.taken.wait(), 10)
        assert receiver.ids == sorted(set(receiver.ids))
        await stopped(loop)


async def stopped(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_replay_delivers_again_and_beyond_the_cursor_leaves_out(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        for _ in range(2):
            await place.sell()
        await outbox.deliver_all()
        first = list(receiver.ids)
        await outbox.replay(first[2])
        await outbox.deliver_all()
        assert receiver.ids == [*first, *first[2:]]
        await place.sell()
        newest = (await outbox.status()).newest
        await outbox.replay(newest + 1)
        await outbox.deliver_all()
        assert len(receiver.ids) == 6
        for wrong in (0, -1, newest + 2):
            with pytest.raises(BadInput):
                await outbox.replay(wrong)


async def test_after_a_restore_ids_go_on_above_all_that_were_given(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver:
        async with outbox_of(place, receiver.url) as before:
            await place.sell()
            await before.deliver_all()
            first = list(receiver.ids)
            newest = await place.store.read(lambda tx: tx.events.newest())
            ids = WebhookIds().after_restore(newest, 40_000, datetime(1970, 1, 1, tzinfo=UTC))
            await place.store.write(lambda tx: tx.key_values.put(NOTE, ids.to_keep()))
        async with outbox_of(place, receiver.url) as outbox:
            assert (await outbox.status()).waiting == newest - first[-1]
            await place.sell()
            await outbox.deliver_all()
            then = receiver.ids[len(first) :]
            assert then == sorted(then)
            assert then[0] > 40_000
            await outbox.replay(first[1])
            await outbox.deliver_all()
            assert receiver.ids[len(first) + len(then) :] == [*first[1:], *then]
            await outbox.replay(20_000)  # given to nothing: the next one that was
            await outbox.deliver_all()
            assert receiver.ids[-len(then) :] == then
            assert len(receiver.ids) == 2 * len(first) - 1 + 3 * len(then)
            status = await outbox.status()
            assert (status.cursor, status.waiting) == (status.newest, 0)
            with pytest.raises(BadInput):
                await outbox.replay(status.newest + 2)


async def test_replay_is_not_lost_to_a_pass_that_begins_before_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        await place.sell()
        await outbox.deliver_all()
        first = list(receiver.ids)
        write = place.store.write
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(work: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await write(work)

        monkeypatch.setattr(place.store, "write", slow)
        replay = asyncio.ensure_future(outbox.replay(first[0]))
        await begun.wait()
        delivery = asyncio.ensure_future(outbox.deliver_all())
        await place.store.read(lambda tx: tx.events.newest())  # as long as the pass's own look takes
        await place.store.read(lambda tx: tx.events.newest())
        go_on.set()
        await replay
        assert await delivery
        await outbox.deliver_all()
        assert receiver.ids == [*first, *first]


async def test_replay_during_a_delivery_is_not_undone_by_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:
        for _ in range(2):
            await place.sell()
        await outbox.deliver_all()
        first = list(receiver.ids)
        await place.sell()
        receiver.hold = asyncio.Event()
        receiver.arrived.clear()
        delivery = asyncio.ensure_future(outbox.deliver_all())
        await receiver.arrived.wait()
        await outbox.replay(first[0])
        receiver.hold.set()
        assert await delivery
        assert receiver.ids[len(first) + 1 :][: len(first)] == first


async def test_many_events_that_concern_nobody_do_not_hold_up_a_start(tmp_path: Path) -> None:
    async with world(tmp_path) as place, receiving() as receiver, outbox_of(place, receiver.url) as outbox:

        async def noise(tx: Any) -> None:
            for number in range(PAGE + 10):
                await tx.events.append(EventKind.LINE, {"number": number})

        await place.store.write(noise)
        await place.sell()
        assert await outbox.deliver_all()
        assert receiver.types == ["invoice.issued", "invoice.accepted"]
        assert receiver.ids[0] > PAGE


async def test_half_an_hour_of_refusals_is_an_alert_and_an_answer_ends_it(tmp_path: Path) -> None:
    clock = FakeClock()
    async with (
        receiving() as receiver,
        posting() as sender,
        world(tmp_path, clock=clock, webhooks=sender, subscribers=[shop_at(receiver.url)]) as place,
    ):
        (outbox,) = place.outboxes
        await place.sell()
        receiver.plan.extend([500, 500])
        assert not await outbox.deliver_all()
        await place.problems.refresh()
        assert AlertCode.OUTBOX_STUCK not in {problem.code for problem in place.health.report().problems}
        await clock.advance(31 * 60)
        assert not await outbox.deliver_all()
        await place.problems.refresh()
        (stuck,) = [each for each in place.health.report().problems if each.code == AlertCode.OUTBOX_STUCK]
        assert "HTTP 500" in stuck.message
        assert await outbox.deliver_all()
        await place.problems.refresh()
        assert AlertCode.OUTBOX_STUCK not in {problem.code for problem in place.health.report().problems}


async def test_the_documented_receiver_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    script = tmp_path / "receiver.py"
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    script.write_text(source, "utf-8")
    environment = {"SECRET": SECRET.decode(), "PORT": "0", "PYTHONUTF8": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment
    )
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(await process.stdout.readline())}/hook"
        clock = FakeClock(SystemClock().now())
        async with world(tmp_path, clock=clock) as place:
            async with outbox_of(place, url) as outbox:
                record = await place.sell(external_ref="order-7")
                assert await outbox.deliver_all()
                await outbox.replay(1)
                assert await outbox.deliver_all()
            lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
            assert [line[1:3] for line in lines] == [["invoice.issued", "order-7"], ["invoice.accepted", "order-7"]]
            assert lines[1][3] == record.ksef_number
            forger = Subscriber("forger", url, b"another secret, also long enough....", INVOICE_TYPES)
            outbound = Outbound(SystemClock())
            forged = place.outbox(Webhooks(outbound, SystemClock()), forger)
            assert not await forged.deliver_all()
            assert (await forged.status()).failing_with == "HTTP 401"
            clock.step(-(clock.now() - clock.now().replace(year=2020)))
            async with outbox_of(place, url) as late:
                await late.replay(1)
                assert not await late.deliver_all(), "a recorded message was taken years later"
            await outbound.close()
    finally:
        process.kill()
        await process.wait()


def test_the_document_names_every_type() -> None:
    assert {kind for kind in INVOICE_TYPES.values() if f"`{kind}`" not in DOCUMENT.read_text("utf-8")} == set()
