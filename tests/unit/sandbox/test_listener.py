"""A listener or printer that goes away or ends leaves no connection behind, however far it had come."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest
from aiohttp import web

from agent.sandbox.accepting import bound
from agent.sandbox.listener import Listener
from agent.sandbox.printer import NetworkPrinter

LARGE = b"x" * 20_000_000
"""More than the kernel takes from an answer that nobody reads."""
REQUEST = b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n"


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(body=LARGE)


async def _connect_and_end(rounds: int, sent: bytes, *, down: bool) -> socket.socket:
    """Connect, let the loop turn so often, and end the listener; return the caller's socket."""
    application = web.Application()
    application.router.add_get("/", _answer)
    listener = Listener(application)
    await listener.start()
    caller = socket.create_connection(("127.0.0.1", listener.port))
    caller.sendall(sent)
    for _ in range(rounds):
        await asyncio.sleep(0)
    if down:
        await listener.down()
    await listener.stop()
    return caller


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["silent", "asking"])
@pytest.mark.parametrize("rounds", range(8))
def test_the_end_of_a_listener_is_the_end_of_its_connections(rounds: int, sent: bytes, down: bool) -> None:
    with asyncio.Runner() as runner:
        caller = runner.run(_connect_and_end(rounds, sent, down=down))
    caller.close()
    gc.collect()  # a connection that was left open says so here: ResourceWarning


async def _connect_and_end_printer(rounds: int, *, refused: bool) -> socket.socket:
    printer = NetworkPrinter()
    await printer.start()
    caller = socket.create_connection(("127.0.0.1", printer.port))
    for _ in range(rounds):
        await asyncio.sleep(0)
    if refused:
        await printer.plan("refused")
    await printer.stop()
    return caller


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("rounds", range(8))
def test_so_is_the_end_of_a_printer(rounds: int, refused: bool) -> None:
    with asyncio.Runner() as runner:
        caller = runner.run(_connect_and_end_printer(rounds, refused=refused))
    caller.close()
    gc.collect()


async def test_a_printer_that_refuses_keeps_its_port() -> None:
    """What others connect from is drawn among such ports: one of them had taken it, and the printer never came back."""
    printer = NetworkPrinter()
    await printer.start()
    await printer.plan("refused")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((printer.host, printer.port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((printer.host, printer.port))
    await printer.heal()
    socket.create_connection((printer.host, printer.port)).close()
    await printer.stop()


async def test_answers_in_parts_leave_at_once() -> None:
    """Nagle's algorithm would hold the second part back until the first is acknowledged, 40 ms later."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made = writer.get_extra_info("socket")
        accepted.set_result(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = bound("127.0.0.1", 0)
    server = await asyncio.start_server(serve, sock=listening)
    _, writer = await asyncio.open_connection(*listening.getsockname())
    assert await accepted != 0
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
