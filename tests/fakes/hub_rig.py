"""A hub as a process of its own over TLS, and a sandbox in this one; for crash and end-to-end tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from agent.commands.hub import command
from agent.hub.private_ca import issue
from agent.hub_route.client import HubClient
from agent.hub_route.gateway import HubGateway
from agent.sandbox.ksef.limits import NO_LIMITS, Limit
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.provision import describe
from agent.sandbox.server import Sandbox
from agent.system.clock import SystemClock

START_SECONDS = 40.0
ENVIRONMENT = {"PYTHONWARNINGS": "error::ResourceWarning"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class HubRig:
    """The hub's process, its settings, and tills that use its second route."""

    sandbox: Sandbox
    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None
    clients: list[HubClient] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "hub.toml"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def command(self, *arguments: str) -> str:
        """Run `ksef-agent hub …`; its output."""
        given = [*arguments, "--config", str(self.config)]
        result = await asyncio.to_thread(CliRunner().invoke, command, given)
        assert result.exit_code == 0, f"{result.output} {result.exception}"
        return result.stdout

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self.command(*arguments, "--json"))

    async def start(self, port: int | None = None) -> None:
        """Start the hub and wait until it answers."""
        with (self.folder / "hub.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent.cli", "hub", "run", "--config", str(self.config)),
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
            )
        probe = self.client("none")
        for _ in range(int(START_SECONDS * 20)):
            assert self.process.returncode is None, f"the hub ended: {self.log()}"
            try:
                await probe.now()
            except Exception:  # noqa: BLE001 - not there yet, in whatever way
                await asyncio.sleep(0.05)
            else:
                return
        raise AssertionError(f"the hub did not start: {self.log()}")

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
        return (self.folder / "hub.log").read_text("utf-8")[-4000:]

    def client(self, token: str, *, authority: Path | None = None) -> HubClient:
        trusted = authority or self.folder / "tls" / "ca.crt"
        made = HubClient(self.url, SystemClock(), token=token, database=f"database-{token[-8:]}", ca_file=trusted)
        self.clients.append(made)
        return made

    async def gateway(self, name: str, *series: str) -> HubGateway:
        """Add a till; return its second route."""
        given = [word for each in series for word in ("--series", each)]
        added = await self.json("till", "add", name, *given)
        return HubGateway(self.client(added["token"]), SystemClock())


@asynccontextmanager
async def hub_rig(
    folder: Path,
    *,
    limits: dict[str, Limit] | None = None,
    behaviour: Behaviour | None = None,
    extra: str = "",
) -> AsyncIterator[HubRig]:
    """Run both; ``extra`` is appended to [hub]."""
    async with Sandbox(limits=limits or NO_LIMITS, behaviour=behaviour) as sandbox:
        facts = describe(sandbox, folder / "certificates")
        made = issue(["localhost", "127.0.0.1"], days=10)
        tls = folder / "tls"
        tls.mkdir()
        for name, data in (("ca.crt", made.ca_certificate), ("hub.crt", made.certificate), ("hub.key", made.key)):
            (tls / name).write_bytes(data)
            (tls / name).chmod(0o600)
        port = free_port()
        (folder / "hub.toml").write_text(
            f'[hub]\ndata_dir = "{folder / "data"}"\nhost = "127.0.0.1"\nport = {port}\n'
            f'tls_certificate_file = "tls/hub.crt"\ntls_key_file = "tls/hub.key"\n{extra}\n'
            f'[ksef]\nurl = "{sandbox.ksef}"\nlatarnia_url = "{sandbox.latarnia_url}"\n',
            "utf-8",
        )
        rig = HubRig(sandbox, folder, port)
        authentication: Any = facts["authentication"]
        await rig.command(
            *("seller", "add", sandbox.nip, "--name", "Sklep"),
            *("--certificate-file", authentication["certificate"], "--key-file", authentication["key"]),
        )
        await rig.start()
        try:
            yield rig
        finally:
            for client in rig.clients:
                await client.close()
            if rig.process is not None and rig.process.returncode is None:
                await rig.stop()
