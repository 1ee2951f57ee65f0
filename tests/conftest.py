"""Settings of every test run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import pytest
from hypothesis import HealthCheck, settings

from agent.commands import rights
from agent.sandbox.ksef.routing import Exchange
from agent.sandbox.server import Sandbox
from agent.settings.model import Settings
from tests.time_limit import CHANGE, LONGEST, ends_within, has_limit

if TYPE_CHECKING:
    from tests.fakes.hub_stores import Postgres

# Machines are shared, so time limits per example only make noise; a change is judged by the same examples every time.
LAX = (HealthCheck.too_slow,)
settings.register_profile(
    CHANGE, deadline=None, derandomize=True, max_examples=40, stateful_step_count=40, suppress_health_check=LAX
)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, stateful_step_count=100, suppress_health_check=LAX
)
settings.register_profile(
    "release", deadline=None, max_examples=2000, stateful_step_count=200, suppress_health_check=LAX
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", CHANGE)
settings.load_profile(PROFILE)

DEFAULT_DATA = Settings.__dataclass_fields__["data_dir"].default


@pytest.fixture(autouse=True)
def _leave_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse the till's own data and another user: on a machine with the package a test run by root would become it."""
    step_down = rights.step_down

    def checked(data_dir: Path) -> None:
        assert data_dir != DEFAULT_DATA, "a test uses the till's own data directory: give its settings a data_dir"
        step_down(data_dir)

    def refused(*_: object) -> Never:
        raise AssertionError("a test would become another user")

    monkeypatch.setattr(rights, "step_down", checked)
    for name in ("initgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, refused)


@pytest.fixture(autouse=True)
def _ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test of a change that hangs fail; what is of the night, or searches as long, takes its time."""
    if not has_limit(PROFILE, nightly=request.node.get_closest_marker("nightly") is not None):
        yield
        return
    with ends_within(LONGEST, request.node.nodeid):
        yield


@pytest.fixture(scope="session")
def _broken_contract() -> Iterator[list[str]]:
    """What the sandboxes of this process, of whatever scope and thread, say or take against KSeF's OpenAPI 2.9.0."""
    complaints: list[str] = []
    begin = Sandbox.__init__

    def hear(exchange: Exchange) -> None:
        from tests.contract.ksef_openapi import STORAGE, contract

        if not exchange.template.startswith(STORAGE):
            complaints.extend(contract().check(exchange))

    def begin_overheard(self: Sandbox, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        self.observers.append(hear)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sandbox, "__init__", begin_overheard)
        yield complaints


@pytest.fixture(autouse=True)
def _every_exchange_is_as_ksef_describes_it(_broken_contract: list[str]) -> Iterator[None]:
    yield
    found = sorted(set(_broken_contract))
    _broken_contract.clear()
    assert found == []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this run, started where a test wants it."""
    from tests.fakes.hub_stores import postgres_session

    yield from postgres_session()
