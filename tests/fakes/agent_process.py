"""A sandbox in this process and an agent as a process of its own, as on a till; for crash and end-to-end tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from agent.sandbox.ksef.limits import TABLES
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox

START_SECONDS = 30.0
PROGRAM = (sys.executable, "-m", "agent.cli")


@dataclass
class AgentProcess:
    """The pair, and the HTTP session of a till's software."""

    sandbox: Sandbox
    facts: Mapping[str, Any]
    http: aiohttp.ClientSession
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the agent alone, beside this process's own."""
    program: tuple[str, ...] = PROGRAM
    """What a command line begins with: this tree by this interpreter, another program, words before one as nice(1)."""
    process: asyncio.subprocess.Process | None = None

    @property
    def database(self) -> Path:
        return self.folder / "agent-data" / "agent.db"

    async def start(self, state: str = "ready") -> None:
        """Start the agent and wait until it answers: ready for a press, or live."""
        log = (self.folder / "agent.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *self.program,
            "run",
            "--config",
            str(self.facts["config"]),
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning", **self.environment},
        )
        log.close()
        for _ in range(int(START_SECONDS * 20)):
            if self.process.returncode is not None:
                raise AssertionError(f"the agent ended: {self.log()}")
            try:
                async with self.http.get(f"{self.facts['health']}/health/{state}") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"the agent did not start: {self.log()}")

    async def kill(self) -> None:
        """SIGKILL, as a power cut would for the process."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return await self.process.wait()

    def log(self) -> str:
        return (self.folder / "agent.log").read_text("utf-8")[-4000:]

    async def post(
        self, path: str, body: Any, key: str | None = None, *, role: str = "cashier"
    ) -> tuple[int, dict[str, Any]]:
        """POST JSON as a cashier or manager."""
        headers = {"Authorization": f"Bearer {self.facts[role + '_token']}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self.http.post(self.facts["api"] + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> Any:
        """GET JSON as a manager."""
        headers = {"Authorization": f"Bearer {self.facts['manager_token']}"}
        async with self.http.get(self.facts["api"] + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            return await response.json() if response.content_type == "application/json" else await response.read()

    async def empty_queue(self, seconds: float = 180.0) -> None:
        """Wait until KSeF has everything; for a minute after a restart background calls rest (limits.py)."""
        for _ in range(int(seconds * 4)):
            if not (await self.get("/v1/queue"))["invoices"]:
                return
            await self.post("/v1/sync", {})
            await asyncio.sleep(0.25)
        waiting = (await self.get("/v1/queue"))["invoices"]
        raise AssertionError(f"still waiting: {waiting[:3]} {self.log()}")


@asynccontextmanager
async def agent_process(
    folder: Path,
    *,
    limits: str = "none",
    extra: str = "",
    environment: Mapping[str, str] | None = None,
    program: tuple[str, ...] = PROGRAM,
    state: str = "ready",
) -> AsyncIterator[AgentProcess]:
    """Start both; ``extra`` is appended to the settings, the rest is of the agent."""
    async with Sandbox(limits=TABLES[limits]) as sandbox:
        facts = write_config(sandbox, folder / "agent.toml", describe(sandbox, folder / "certificates"))
        config = folder / "agent.toml"
        config.write_text(config.read_text("utf-8") + extra, "utf-8")
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            found = AgentProcess(sandbox, facts, http, folder, environment or {}, program)
            await found.start(state)
            try:
                yield found
            finally:
                if found.process is not None and found.process.returncode is None:
                    await found.stop()
