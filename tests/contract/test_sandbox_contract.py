"""The sandbox's tables against the official document: every call exists there, with the limits it names."""

from __future__ import annotations

from typing import Any

import pytest

from agent.sandbox.ksef.limits import PRODUCTION
from agent.sandbox.ksef.routing import CALLS
from tests.contract.ksef_openapi import NAMES, STORAGE
from tests.reference import ksef_openapi
from tests.unit.sandbox.sandbox_client import running

WINDOWS = ("perSecond", "perMinute", "perHour")
IN_CONTRACT = {call: known for call, known in CALLS.items() if not call[1].startswith(STORAGE)}


@pytest.fixture(scope="module")
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    paths = ksef_openapi()["paths"]
    return {(method.upper(), path): operation for path, found in paths.items() for method, operation in found.items()}


@pytest.mark.parametrize(("method", "path"), IN_CONTRACT)
def test_a_call_exists_with_its_limits(
    operations: dict[tuple[str, str], dict[str, Any]], method: str, path: str
) -> None:
    official = path
    for ours, theirs in NAMES.items():
        official = official.replace(f"{{{ours}}}", f"{{{theirs}}}")
    operation = operations[method, official]
    group = IN_CONTRACT[method, path][1]
    assert group is not None
    told = operation.get("x-rate-limits")
    if told is not None:
        limits = PRODUCTION[group].to_json()
        assert {name: limits[name] for name in WINDOWS if name in told} == told


async def test_every_route_has_a_name_and_every_name_a_route() -> None:
    async with running() as client:
        served = client.sandbox.routes
    assert served == set(CALLS)
