"""A command line in this process, and settings of a till that reaches nobody."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from agent import cli
from agent.services.tokens import COMMANDS_FILE
from tests.fakes.command_line import Ran, Run
from tests.fakes.served import till_http, tokens_in
from tests.fakes.shop import Shop
from tests.fakes.world import World, world


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands set up the logging of their process, which here is that of all tests."""
    logger = logging.getLogger("agent")
    before = logging.root.handlers[:], logging.root.level, logger.level
    yield
    logging.root.handlers[:], logging.root.level, logger.level = before


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as main() does, in this process."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG", "KSEF_AGENT_CONFIG"):
        monkeypatch.delenv(variable, raising=False)

    def inside(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ksef-agent", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert isinstance(stopped.value.code, int)
        captured = capsys.readouterr()
        return Ran(stopped.value.code, captured.out, captured.err)

    return inside


@pytest.fixture
def free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@pytest.fixture
def config(tmp_path: Path, free_ports: tuple[int, int]) -> Path:
    """Settings that are right but reach nobody: KSeF and Latarnia refuse every connection."""
    secret = tmp_path / "ksef.token"
    secret.write_text("token")
    secret.chmod(0o600)
    file = tmp_path / "config.toml"
    file.write_text(
        f"""data_dir = "data"
[seller]
nip = "5261040828"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
[backup]
dir = "."
[ksef]
url = "http://127.0.0.1:9/v2"
latarnia_url = "http://127.0.0.1:9"
auth = "token"
token_file = "ksef.token"
[[printer]]
name = "paragon"
connection = "file"
device = "/dev/nie-ma-takiej"
[api]
port = {free_ports[0]}
[health]
host = "127.0.0.1"
port = {free_ports[1]}
""",
        "utf-8",
    )
    return file


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    tokens = tokens_in(tmp_path)
    (tmp_path / COMMANDS_FILE).write_text("kierownik")
    stack = AsyncExitStack()

    async def serve() -> tuple[World, int]:
        place = await stack.enter_async_context(world(tmp_path))
        runner = web.AppRunner(till_http(place, tokens), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return place, runner.addresses[0][1]

    place, port = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    config = tmp_path / "shop.toml"
    config.write_text(
        f"""data_dir = "{tmp_path}"
[seller]
nip = "5265877635"
name = "Sklep"
address = {{ line1 = "ul. Prosta 1" }}
[api]
port = {port}
"""
    )

    async def close() -> None:
        # Asked once more: who connected before and went at once is accepted by then, so that cleanup closes it.
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/"):
            pass
        await stack.aclose()

    yield Shop(place, config, loop)
    asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def printing_config(config: Path) -> Path:
    """The same with a printer that takes everything."""
    device = config.parent / "lp0"
    device.touch()
    config.write_text(config.read_text("utf-8").replace("/dev/nie-ma-takiej", str(device)), "utf-8")
    return config
