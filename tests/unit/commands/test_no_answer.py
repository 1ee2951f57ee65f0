"""A command whose line to the agent breaks: one sentence, with the key to repeat with, and an exit code of its own."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.commands import ending, remote
from agent.services.tokens import COMMANDS_FILE
from tests.fakes.command_line import Run
from tests.fakes.world import sale

FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
PROBLEM = json.dumps({"code": "internal-error", "detail": "Błąd programu (numer 1).", "errors": []}).encode()
DEFECT = b"HTTP/1.1 500 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(PROBLEM), PROBLEM)
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"


class BrokenAgent:
    """Is found, and answers everything else with ``answer``; None: never."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.answer: bytes | None = b""
        self.keys: list[str] = []
        self._held: list[socket.socket] = []

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                request = peer.recv(65_536)
                self.keys += [key.decode() for key in re.findall(rb"(?i)idempotency-key: (\S+)", request)]
                answer = FOUND if request.startswith(b"GET /openapi.json") else self.answer
                if answer is None:
                    self._held.append(peer)
                    continue
                peer.sendall(answer)
                peer.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for peer in self._held:
            peer.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[BrokenAgent]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / COMMANDS_FILE).write_text("token")
        (tmp_path / "sale.json").write_text(json.dumps(sale()))
        (tmp_path / "config.toml").write_text(
            f'data_dir = "data"\n[api]\nport = {listening.getsockname()[1]}\n'
            '[seller]\nnip = "5265877635"\nname = "Sklep"\n[seller.address]\nline1 = "ul. Prosta 1"\n'
        )
        found = BrokenAgent(listening)
        thread = threading.Thread(target=found.serve)
        thread.start()
        yield found
        found.close()
        thread.join()


@pytest.mark.parametrize("answer", [b"", HALF, DEFECT, None], ids=["closed", "half", "defect", "silent"])
def test_an_invoice_that_may_exist_names_its_key(
    run: Run, tmp_path: Path, agent: BrokenAgent, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    agent.answer = answer
    if answer is None:
        monkeypatch.setattr(remote, "CALL_SECONDS", 0.2)
    words = ("issue", str(tmp_path / "sale.json"), "--config", str(tmp_path / "config.toml"))
    ran = run(*words)
    assert ran.code == ending.OUTCOME_UNKNOWN
    [key] = agent.keys
    assert ran.error.count("\n") == 1
    assert f"--key {key}: nic nie powstanie drugi raz" in ran.error
    assert run(*words, "--key", key).code == ending.OUTCOME_UNKNOWN
    assert agent.keys == [key, key]


def test_what_only_looks_is_not_possible_now(run: Run, tmp_path: Path, agent: BrokenAgent) -> None:
    ran = run("queue", "--config", str(tmp_path / "config.toml"))
    assert (ran.code, agent.keys) == (1, [])
    assert ran.error == "ksef-agent: Program przerwał połączenie. Ponów polecenie.\n"
