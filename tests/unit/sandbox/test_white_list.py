"""The sandbox's white list, asked as the agent asks the Ministry's, and by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.invoice import Address
from agent.domain.known_buyers import listed
from agent.outbound import Outbound, WhiteList
from agent.sandbox.white_list import subject
from agent.system.clock import SystemClock
from tests.unit.sandbox.sandbox_client import Client, running

NIP = "5260250274"


def address_of(text: str) -> Address:
    """What the agent makes of an address of the list."""
    address = listed("x", text, datetime(2026, 11, 24, tzinfo=UTC)).address
    assert address is not None
    return address


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        yield started


async def test_the_agent_reads_it(client: Client) -> None:
    outbound = Outbound(SystemClock())
    try:
        white_list = WhiteList(outbound, SystemClock(), client.sandbox.control)
        found = await white_list.find(NIP)
        assert found is not None
        name, address = found
        assert name.isupper()
        assert address is not None
        assert address_of(address).line2 is not None
        assert await white_list.find(NIP) == found  # the same company every time
        assert await white_list.find("5265877635") != found
        assert await white_list.find("5260250275") is None
    finally:
        await outbound.close()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{NIP}", "WL-101"),
        (f"{NIP}?date=jutro", "WL-101"),
        ("526025027?date=2026-11-22", "WL-113"),
        ("526025027A?date=2026-11-22", "WL-114"),
        ("5260250275?date=2026-11-22", "WL-115"),
    ],
)
async def test_wrong_questions(client: Client, path: str, code: str) -> None:
    answer = await client.call("GET", f"{client.sandbox.control}/api/search/nip/{path}", token="")
    assert (answer.status, answer.body["code"]) == (400, code)


async def test_the_shape_of_an_answer(client: Client) -> None:
    answer = await client.call("GET", f"{client.sandbox.control}/api/search/nip/{NIP}?date=2026-11-22", token="")
    assert answer.status == 200
    result = answer.body["result"]
    assert set(result) == {"subject", "requestId", "requestDateTime"}
    assert (result["subject"]["nip"], result["subject"]["statusVat"]) == (NIP, "Czynny")
    assert date.fromisoformat(result["subject"]["registrationLegalDate"]) < date(2026, 1, 1)


@given(st.integers(0, 9_999_999_999).map(lambda number: f"{number:010}"))
def test_every_nip_has_a_name_and_an_address(nip: str) -> None:
    invented = subject(nip)
    assert isinstance(invented["name"], str)
    assert len(invented["name"].split()) >= 3
    assert isinstance(invented["workingAddress"], str)
    assert address_of(invented["workingAddress"]).line2 is not None


def test_addresses_of_the_list_come_in_one_piece() -> None:
    assert address_of("DŁUGA 7 M. 2, 30-123 KRAKÓW") == Address("DŁUGA 7 M. 2", "30-123 KRAKÓW")
    assert address_of("KRAKÓW") == Address("KRAKÓW")
