"""A chain on one machine: the sandbox and the hub in this process, three tills as processes that can die for good."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from agent.demo.sales import sample_sale
from agent.domain.errors import AgentError
from agent.domain.values import dataclass
from agent.hub.app import Hub, assembled
from agent.hub.domain.records import HubRole
from agent.hub.services.administration import Administration
from agent.hub.settings.model import FleetSettings, HubSettings, ServerSettings
from agent.ports import Json
from agent.sandbox.ksef.limits import PRODUCTION
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.settings.model import KsefSettings

TILLS = 3
HOST = "127.0.0.1"
START_SECONDS = 60.0
SHOPS = ("Kraków, Rynek", "Kraków, Rynek", "Gdańsk, Długa")
OWN_ACCESS = re.compile(r"^(certificate_file|key_file) = .+$", re.MULTILINE)


@dataclass(slots=True)
class DemoTill:
    """One till: its process, and how to press on it."""

    number: int
    config: Path
    api: str
    health: str
    token: str
    process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start it and wait until it takes presses."""
        with self.config.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent.cli", "run", "--config", str(self.config)), stdout=log, stderr=log
            )
        give_up = asyncio.get_running_loop().time() + START_SECONDS
        async with aiohttp.ClientSession() as http:
            while asyncio.get_running_loop().time() < give_up and self.alive:
                try:
                    async with http.get(f"{self.health}/health/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise AgentError(f"Kasa {self.number} nie ruszyła; {self.config.with_suffix('.log')} mówi dlaczego.")

    async def sell(self) -> str:
        """Press "invoice" once; return what the till says of it."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": secrets.token_hex(8)}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.api}/v1/invoices", json=sample_sale("nip"), headers=headers) as answer,
        ):
            said = await answer.json()
            if answer.status >= 400:
                raise AgentError(f"Kasa {self.number}: {said.get('detail', answer.status)}")
            return f"Kasa {self.number}: {said.get('number')}, {said.get('mode')}."

    async def die(self) -> None:
        """End it for good, as a disk that fails would."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


@dataclass(slots=True)
class DemoChain:
    """All of it, running."""

    sandbox: Sandbox
    hub: Hub
    tills: list[DemoTill]
    manager_token: str

    async def line(self, *, up: bool) -> None:
        """Cut the line between the hub and KSeF, or mend it."""
        await self.sandbox.plan("*", "none" if up else "refuse")


@asynccontextmanager
async def demo_hub(folder: Path, port: int) -> AsyncIterator[DemoChain]:
    """Run sandbox and hub; the tills are made and stand still (start_tills)."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(limits=PRODUCTION))
        facts = describe(sandbox, folder / "certificates")
        settings = HubSettings(
            hub=ServerSettings(data_dir=folder / "hub", host=HOST, port=port, plain_http=True),
            ksef=KsefSettings(url=sandbox.ksef, latarnia_url=sandbox.latarnia_url),
            fleet=FleetSettings(silent_minutes=0.75),
        )
        hub = await stack.enter_async_context(assembled(settings))
        acts = Administration(hub.store)
        await acts.add_seller(sandbox.nip, sandbox.name, _access(facts["authentication"]))
        tills = [await _till(sandbox, facts, folder, acts, number=number, port=port) for number in range(1, TILLS + 1)]
        manager = await acts.add_person("kierownik", HubRole.MANAGER)
        chain = DemoChain(sandbox, hub, tills, manager)
        try:
            yield chain
        finally:
            await asyncio.gather(*(each.stop() for each in tills))


async def start_tills(chain: DemoChain) -> None:
    """Start all tills at once."""
    await asyncio.gather(*(each.start() for each in chain.tills))


def _access(files: Json) -> dict[str, Json]:
    assert isinstance(files, dict)
    return {"certificate_file": files["certificate"], "key_file": files["key"]}


async def _till(
    sandbox: Sandbox, facts: dict[str, Json], folder: Path, acts: Administration, *, number: int, port: int
) -> DemoTill:
    """Make one till's settings: no access to KSeF, a token for the hub, a share of the Offline certificate."""
    config = folder / f"kasa-{number}.toml"
    known = write_config(sandbox, config, facts)
    made = await acts.add_till(f"kasa {number}", sandbox.nip, SHOPS[number - 1], (f"FV-{number}", f"FK-{number}"))
    token = folder / f"kasa-{number}.token"
    token.write_text(made.token, "utf-8")
    token.chmod(0o600)
    head, mark, tail = config.read_text("utf-8").partition("[offline]")
    head = OWN_ACCESS.sub("", head).replace('till = "1"', f'till = "{number}"')
    head = head.replace("[ksef]\n", '[ksef]\nroute = "hub"\n')
    way = f'\n[hub]\nurl = "http://{HOST}:{port}"\ntoken_file = {json.dumps(str(token))}\nheartbeat_seconds = 5.0\n'
    config.write_text(f"{head}{mark}{tail}{way}", "utf-8")
    config.chmod(0o600)
    return DemoTill(number, config, str(known["api"]), str(known["health"]), str(known["cashier_token"]))
