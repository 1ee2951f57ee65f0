"""A manager's PIN at the till page: what it opens, for whom, and how guessing ends."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.callers import Role
from agent.domain.errors import BadInput, Conflict, NotFound, NotPermitted, Unavailable
from agent.services.manager_pins import FAILURES_FILE, PINS_FILE, ManagerPins
from agent.services.tokens import Tokens
from agent.web.manager_session import COOKIE, IDLE_SECONDS, PAGE_HEADER
from tests.fakes.clock import FakeClock
from tests.fakes.served import CASHIER, till_http, tokens_in
from tests.fakes.world import World, world

Client = TestClient[Any, Any]
PIN, WRONG = "271828", "271829"
PAGE = CASHIER | {PAGE_HEADER: "page"}
SESSION = "/page/manager-session"
DECLARED = {"mode": "offline24", "reason": "burza"}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        pins_of(found).set("Anna", PIN)
        yield found


@pytest.fixture
async def client(place: World) -> AsyncIterator[Client]:
    tokens = tokens_in(place.settings.data_dir)
    tokens.put("kasa 2", Role.CASHIER, "druga")
    async with TestClient(TestServer(till_http(place, tokens))) as client:
        yield client


def pins_of(place: World) -> ManagerPins:
    return ManagerPins(place.settings.data_dir, place.clock)


async def enter(client: Client, pin: str = PIN, **headers: str) -> ClientResponse:
    return await client.post(SESSION, json={"pin": pin}, headers=PAGE | headers)


async def declare(client: Client, **headers: str) -> int:
    return (await client.post("/v1/mode", json=DECLARED, headers=PAGE | headers)).status


class TestSession:
    async def test_opens_what_only_a_manager_may_under_his_name(self, client: Client, place: World) -> None:
        assert await declare(client) == 403
        opened = await enter(client)
        assert (opened.status, await opened.json()) == (200, {"manager": "Anna"})
        cookie = opened.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
        assert await declare(client) == 200
        assert place.mode.current().declared_by == "Anna"
        assert (await client.delete(SESSION, headers=PAGE)).status == 204
        assert await declare(client) == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {PAGE_HEADER: ""},
            {"Authorization": "Bearer druga"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
        ids=["no page", "another till", "foreign site", "another port"],
    )
    async def test_the_cookie_alone_opens_nothing(self, client: Client, headers: dict[str, str]) -> None:
        await enter(client)
        assert await declare(client, **headers) == 403

    async def test_a_pin_is_no_token_and_needs_one(self, client: Client) -> None:
        for headers in ({"Authorization": f"Bearer {PIN}"}, {}):
            asked = await client.post("/v1/mode", json=DECLARED, headers={PAGE_HEADER: "page"} | headers)
            assert asked.status == 401
        assert (await client.post(SESSION, json={"pin": PIN}, headers={PAGE_HEADER: "page"})).status == 401
        assert (await client.post(SESSION, json={"pin": PIN}, headers=CASHIER)).status == 403, "no program"

    async def test_a_sale_is_the_tills_also_while_a_manager_works(self, client: Client) -> None:
        await enter(client)
        page = await (await client.get("/v1/page", headers=CASHIER)).json()
        assert (page["name"], page["role"], page["manager_pin"]) == ("kasa 1", "cashier", True)

    @pytest.mark.parametrize("damaged", [b"[{", b"[" * 200_000])
    async def test_a_damaged_file_of_pins_keeps_no_page_from_its_start(
        self, client: Client, place: World, damaged: bytes
    ) -> None:
        (place.settings.data_dir / PINS_FILE).write_bytes(damaged)
        page = await client.get("/v1/page", headers=CASHIER)
        assert (page.status, (await page.json())["manager_pin"]) == (200, True)
        asked = await client.post(SESSION, json={"pin": PIN}, headers=CASHIER | {PAGE_HEADER: "page"})
        assert (asked.status, (await asked.json())["code"]) == (503, "pins-unreadable")

    async def test_a_damaged_count_of_failures_is_told(self, client: Client, place: World) -> None:
        (place.settings.data_dir / FAILURES_FILE).write_text('{"failures": 5, "last_at": "2026-11-24T09:00:00"}')
        asked = await client.post(SESSION, json={"pin": PIN}, headers=CASHIER | {PAGE_HEADER: "page"})
        assert (asked.status, (await asked.json())["code"]) == (503, "pins-unreadable")

    @pytest.mark.parametrize(("step", "times"), [(IDLE_SECONDS + 1, 1), (IDLE_SECONDS - 1, 13)])
    async def test_ends_by_itself(self, client: Client, place: World, step: float, times: int) -> None:
        await enter(client)
        statuses = []
        for _ in range(times):
            await place.clock.advance(step)
            asked = await client.get("/v1/outbox", headers=PAGE)
            statuses.append(asked.status)
        assert statuses[-1] == 403
        assert set(statuses[:-1]) <= {200}

    async def test_ends_with_the_agent(self, client: Client, place: World) -> None:
        secret = (await enter(client)).cookies[COOKIE].value
        tokens = Tokens.in_directory(place.settings.data_dir)
        async with TestClient(TestServer(till_http(place, tokens)), cookies={COOKIE: secret}) as again:
            assert await declare(again) == 403


class TestGuessing:
    async def test_waits_grow_then_it_is_over_until_a_pin_is_set_anew(self, place: World) -> None:
        """Over restarts: each guess is made by an agent that has just started."""
        for wait in (0, 0, 30, 60, 120, 240, 480, 960, 1920, 0):
            with pytest.raises(NotPermitted, match="błędny"):
                await pins_of(place).check(WRONG)
            if wait:
                place.clock.step(timedelta(seconds=wait - 1))
                with pytest.raises(NotPermitted, match="Spróbuj za 1 s"):
                    await pins_of(place).check(PIN)
                place.clock.step(timedelta(seconds=1))
        place.clock.step(timedelta(days=30))
        with pytest.raises(NotPermitted, match="zablokowany"):
            await pins_of(place).check(PIN)
        pins_of(place).set("Anna", "314159")
        assert await pins_of(place).check("314159") == "Anna"

    async def test_a_right_pin_forgets_the_failures(self, place: World) -> None:
        for _ in range(6):
            for _ in range(2):
                with pytest.raises(NotPermitted, match="błędny"):
                    await pins_of(place).check(WRONG)
            assert await pins_of(place).check(PIN) == "Anna"

    async def test_answers_say_what_is_left(self, client: Client) -> None:
        for left in (9, 8, 7):
            answer = await enter(client, WRONG)
            assert (answer.status, (await answer.json())["code"]) == (403, "pin-wrong")
            assert f"Pozostałe próby: {left}." in (await answer.json())["detail"]
        answer = await enter(client)
        assert (answer.status, (await answer.json())["code"]) == (429, "pin-locked")

    async def test_a_guess_is_counted_before_it_is_checked(self, place: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def dies(*_: object) -> None:
            raise SystemExit

        monkeypatch.setattr("agent.services.manager_pins._owner", dies)
        with pytest.raises(SystemExit):
            await pins_of(place).check(WRONG)
        assert json.loads((place.settings.data_dir / FAILURES_FILE).read_text())["failures"] == 1


class TestFile:
    @pytest.mark.parametrize("name", [PINS_FILE, FAILURES_FILE])
    async def test_a_pipe_in_the_place_of_either_is_not_read(self, tmp_path: Path, name: str) -> None:
        """It would hold up whoever enters a PIN, and the stop."""
        pins = ManagerPins(tmp_path, FakeClock())
        pins.set("Anna", PIN)
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
        with pytest.raises(Unavailable):
            await pins.check(PIN)

    def test_holds_no_pin_and_belongs_to_the_agent_alone(self, tmp_path: Path) -> None:
        ManagerPins(tmp_path, FakeClock()).set("Anna", PIN)
        file = tmp_path / PINS_FILE
        assert PIN not in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize("pin", ["", "12345", "abcdef", "1234567890123", "111111", "123456", "987654", "٢٧١٨٢٨"])
    def test_refuses_what_is_easily_guessed(self, tmp_path: Path, pin: str) -> None:
        with pytest.raises(BadInput):
            ManagerPins(tmp_path, FakeClock()).set("Anna", pin)

    async def test_two_managers_two_pins(self, tmp_path: Path) -> None:
        pins = ManagerPins(tmp_path, FakeClock())
        pins.set("Anna", PIN)
        with pytest.raises(Conflict):
            pins.set("Jan", PIN)
        pins.set("Jan", "314159")
        assert [await pins.check("314159"), await pins.check(PIN)] == ["Jan", "Anna"]
        pins.remove("Anna")
        with pytest.raises(NotFound):
            pins.remove("Anna")
        assert pins.names() == ("Jan",)
