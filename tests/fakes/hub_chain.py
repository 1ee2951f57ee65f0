"""A chain of real processes: hubs over either database, tills with lines that can be cut; the sandbox is here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from agent.hub.demo.chain import OWN_ACCESS
from agent.hub.services.administration import Administration
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from tests.fakes.cut_line import CutLine, cut_line
from tests.fakes.forked import ForkHost, fork_host
from tests.fakes.hub_memory import HubMemory, PostgresqlMemory, SqliteMemory
from tests.fakes.postgres import cluster

HUBS = 2
START_SECONDS = 120.0
SETTLE_SECONDS = 900.0
OPEN_AT_HUB = "SELECT sha256 FROM invoices WHERE state <> 'accepted'"
UNPROVEN_AT_HUB = """
SELECT number, invoices.state, session_ref, sessions.kind, sessions.state AS session_state
FROM invoices LEFT JOIN sessions ON sessions.reference = session_ref WHERE NOT proven
"""
FAILED = 1
"""Exit code after which systemd starts a service again."""
SWIFT = Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=0)
TILL_SETTINGS = "\n[watch]\nprobe_seconds = 1\n\n[issue]\nbudget_seconds = 1.0\n"


HELD: list[socket.socket] = []
"""Bound and never listening: whoever comes for such a port without SO_REUSEADDR is refused, our process is not."""


def port_of_nobody() -> int:
    """Return a port that is this run's until its end, also while the process that listens there is dead."""
    for _ in range(1000):
        port = random.randint(10_000, 32_000)
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        HELD.append(holder)
        return port
    raise AssertionError("no free port")


@dataclass
class ChainProcess:
    """A hub or a till."""

    name: str
    config: Path
    command: tuple[str, ...]
    ready: str
    host: ForkHost
    http: aiohttp.ClientSession
    pid: int | None = None
    kills: int = 0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One fault at a time."""

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    async def start(self, *, wait: bool = True) -> None:
        """Start it; ``wait``: until it answers."""
        self.pid = await self.host.start(self.log, *self.command, "--config", str(self.config))
        if wait:
            await self.answers()

    async def answers(self) -> None:
        """Wait until it does; what ended by itself is started again, as systemd does (a database that is away)."""
        give_up = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < give_up:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self.http.get(self.ready) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
            if self.pid is not None and (code := await self.host.ended(self.pid)) is not None:
                assert code == FAILED, f"{self.name} ended with {code}: {self.log.read_text('utf-8')[-3000:]}"
                await self.start(wait=False)
        raise AssertionError(f"{self.name} did not start: {self.log.read_text('utf-8')[-3000:]}")

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.pid is not None
        assert await self.host.end(self.pid) == -signal.SIGKILL, f"{self.name}: {self.log.read_text('utf-8')[-3000:]}"
        self.pid = None
        self.kills += 1


@dataclass
class ChainTill(ChainProcess):
    """A till, and how it is pressed on."""

    number: int = 0
    api: str = ""
    token: str = ""
    line: CutLine | None = None
    hub_token: Path = Path()

    @property
    def database(self) -> Path:
        return self.config.with_name(f"{self.config.stem}-data") / "agent.db"

    async def post(self, path: str, body: object, key: str | None = None) -> tuple[int, Any]:
        """POST JSON."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({} if key is None else {"Idempotency-Key": key})
        async with self.http.post(self.api + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def queue(self) -> list[Any]:
        """Return what is not in KSeF yet."""
        async with self.http.get(f"{self.api}/v1/queue", headers={"Authorization": f"Bearer {self.token}"}) as answer:
            found: list[Any] = (await answer.json())["invoices"]
            return found

    def rows(self, statement: str) -> list[Any]:
        """Ask the till's database past the program."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as opened:
            return opened.execute(statement).fetchall()

    def unproven(self) -> int:
        """Count what KSeF's confirmation does not name yet, as a UPO of its own or on a page of a session's."""
        proven = "SELECT invoice_id FROM events WHERE kind = 'upo' AND invoice_id IS NOT NULL"
        return len(self.rows(f"SELECT id FROM invoices WHERE id NOT IN ({proven})"))


@dataclass
class HubChain:
    """All of it."""

    sandbox: Sandbox
    memory: HubMemory
    hubs: list[ChainProcess]
    tills: list[ChainTill]
    access: dict[str, Any]
    database_kills: int = 0
    database_busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def enter(self) -> None:
        """Make the seller and every till known to the hub's database; the tills get their tokens."""
        store = await self.memory.open()
        try:
            acts = Administration(store)
            await acts.add_seller(self.sandbox.nip, self.sandbox.name, self.access)
            for till in self.tills:
                series = (f"FV-{till.number}", f"FK-{till.number}")
                made = await acts.add_till(f"kasa {till.number}", self.sandbox.nip, "Sklep", series)
                till.hub_token.write_text(made.token, "utf-8")
                till.hub_token.chmod(0o600)
        finally:
            await store.close()

    async def kill_database(self, away: float) -> None:
        """SIGKILL the whole server; start it again after ``away`` seconds."""
        assert isinstance(self.memory, PostgresqlMemory)
        async with self.database_busy:
            await asyncio.to_thread(self.memory.server.kill)
            self.database_kills += 1
            await asyncio.sleep(away)
            await asyncio.to_thread(self.memory.server.start)

    async def all_alive(self) -> None:
        """Fail where a process ended by itself: systemd would start it again, and it is a defect all the same."""
        for each in (*self.hubs, *self.tills):
            assert each.pid is not None
            code = await each.host.ended(each.pid)
            assert code is None, f"{each.name} ended with {code}: {each.log.read_text('utf-8')[-4000:]}"

    async def settled(self) -> None:
        """Wait until every till has KSeF's number and its proof for everything, and the hub has nothing open."""
        give_up = asyncio.get_running_loop().time() + SETTLE_SECONDS
        waiting: list[Any] = []
        lacking = 0
        while asyncio.get_running_loop().time() < give_up:
            await self.all_alive()
            waiting = [each for till in self.tills for each in await till.queue()]
            lacking = sum(till.unproven() for till in self.tills)
            if not waiting and not lacking and not await self.memory.ask(OPEN_AT_HUB):
                return
            await asyncio.sleep(1)
        unproven = await self.memory.ask(UNPROVEN_AT_HUB)
        logs = [hub.log.read_text("utf-8")[-1500:] for hub in self.hubs]
        raise AssertionError(
            f"still waiting: {waiting[:2]}, without UPO: {lacking}, the hub has no UPO of {unproven}, {logs}"
        )

    async def mend(self) -> None:
        """Let everything work: lines, hubs, tills, KSeF."""
        await self.sandbox.plan("*", "none")
        for till in self.tills:
            assert till.line is not None
            till.line.mend()
        dead = [each for each in (*self.hubs, *self.tills) if each.pid is None]
        for each in dead:
            await each.start(wait=False)
        await asyncio.gather(*(each.answers() for each in (*self.hubs, *self.tills)))


@asynccontextmanager
async def hub_chain(folder: Path, count: int, *, sqlite: bool = False, started: bool = True) -> AsyncIterator[HubChain]:
    """Run a chain of ``count`` tills, which have no access to KSeF and no printer. ``sqlite``: one hub, no server.

    Not ``started``: nothing runs yet, and the hub knows nobody.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(limits=NO_LIMITS, behaviour=SWIFT))
        host = await stack.enter_async_context(fork_host())
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)))
        facts = describe(sandbox, folder / "certificates")
        files: Any = facts["authentication"]
        ports = [port_of_nobody() for _ in range(1 if sqlite else HUBS)]
        hubs = [
            ChainProcess(f"hub {n}", folder / f"hub-{n}.toml", ("hub", "run"), f"{_at(port)}/health/live", host, http)
            for n, port in enumerate(ports)
        ]
        tills = []
        for number in range(1, count + 1):
            line = await stack.enter_async_context(cut_line(ports, number))
            tills.append(_till(sandbox, facts, folder, host, http, number, line))
        access = {"certificate_file": files["certificate"], "key_file": files["key"]}
        memory = SqliteMemory(hubs[0].config) if sqlite else PostgresqlMemory(stack.enter_context(cluster()))
        for hub, port in zip(hubs, ports, strict=True):
            _write_hub(sandbox, hub.config, memory.dsn, port)
        chain = HubChain(sandbox, memory, hubs, tills, access)
        if started:
            await memory.begin_anew()
            await chain.enter()
            await start_all(hubs)
            await start_all(tills)
        yield chain


async def start_all(processes: Sequence[ChainProcess]) -> None:
    """Start them at once; wait until they answer."""
    for each in processes:
        await each.start(wait=False)
    await asyncio.gather(*(each.answers() for each in processes))


def _at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _write_hub(sandbox: Sandbox, config: Path, dsn: str, port: int) -> None:
    data = config.with_suffix(".data")
    data.mkdir(exist_ok=True)
    config.write_text(
        f'[hub]\ndata_dir = "{data}"\ndsn = "{dsn}"\nhost = "127.0.0.1"\nport = {port}\nplain_http = true\n'
        f'[ksef]\nurl = "{sandbox.ksef}"\nlatarnia_url = "{sandbox.latarnia_url}"\n',
        "utf-8",
    )


def _till(
    sandbox: Sandbox,
    facts: dict[str, Any],
    folder: Path,
    host: ForkHost,
    http: aiohttp.ClientSession,
    number: int,
    line: CutLine,
) -> ChainTill:
    config = folder / f"kasa-{number}.toml"
    known = write_config(sandbox, config, facts)
    head, mark, tail = config.read_text("utf-8").partition("[offline]")
    own, _, rest = tail.partition("[[printer]]")
    _, lookup, rest = rest.partition("[page]")
    head = OWN_ACCESS.sub("", head).replace('till = "1"', f'till = "{number}"')
    text = head.replace("[ksef]\n", '[ksef]\nroute = "hub"\n') + mark + own + lookup + rest
    api, health = port_of_nobody(), port_of_nobody()
    for name, port in (("api", api), ("health", health)):
        text = text.replace(str(known[name]).rpartition(":")[2], str(port))
    token = folder / f"kasa-{number}.token"
    way = f'\n[hub]\nurl = "{_at(line.port)}"\ntoken_file = {json.dumps(str(token))}\nheartbeat_seconds = 5.0\n'
    config.write_text(text + TILL_SETTINGS + way, "utf-8")
    config.chmod(0o600)
    return ChainTill(
        *(f"till {number}", config, ("run",), f"{_at(health)}/health/ready", host, http),
        number=number,
        api=_at(api),
        token=str(known["cashier_token"]),
        line=line,
        hub_token=token,
    )
