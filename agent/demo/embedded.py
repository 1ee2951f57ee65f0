"""An agent on the embedded sandbox: real servers on loopback, real settings, data in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from agent import app
from agent.domain.values import dataclass
from agent.ports import Json
from agent.sandbox.ksef.limits import TABLES
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.settings.load import load


@dataclass(frozen=True, slots=True)
class Embedded:
    """The pair, running."""

    sandbox: Sandbox
    agent: app.Agent
    facts: Mapping[str, Json]
    """What `sandbox --write-config` prints."""


@asynccontextmanager
async def embedded(
    folder: Path, *, api_port: int | None = None, health_port: int | None = None
) -> AsyncIterator[Embedded]:
    """Run both; ``folder`` holds certificates, settings and data."""
    async with Sandbox(limits=TABLES["production"]) as sandbox:
        facts = write_config(sandbox, folder / "demo.toml", describe(sandbox, folder / "certificates"))
        settings = load(folder / "demo.toml")
        settings = replace(
            settings,
            api=replace(settings.api, port=api_port or settings.api.port),
            health=replace(settings.health, port=health_port or settings.health.port),
            page=replace(settings.page, sample_basket=True),
            watch=replace(settings.watch, latarnia_seconds=5.0, probe_seconds=5.0),
        )
        async with app.assembled(settings) as agent:
            yield Embedded(sandbox, agent, facts)
