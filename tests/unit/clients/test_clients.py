"""The small clients for Windows tills: one file each, nothing but what the system brings."""

from __future__ import annotations

import ast
import hashlib
import http.server
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CLIENTS = Path(__file__).parents[3] / "clients"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = _loaded()
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    return module


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ksef_till", CLIENTS / "ksef_till.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Answer = tuple[int, dict[str, Any]] | tuple[int, bytes, dict[str, str]] | None
"""Status, body and, of what is not the agent's, headers."""


@contextmanager
def agent(answers: list[Answer]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Answer so, one after the other; None drops the connection. Yields the address and what was asked."""
    asked: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["Idempotency-Key"], body))
            answer = answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            status, value, more = (*answer, {})[:3]
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, said in ({"Content-Length": str(len(text))} | more).items():
                self.send_header(name, said)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_python_client_needs_3_8_and_the_standard_library() -> None:
    tree = ast.parse((CLIENTS / "ksef_till.py").read_text("utf-8"), feature_version=(3, 8))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_scripts_are_ascii() -> None:
    """Windows PowerShell 5.1 reads a script without a mark in the code page of the machine."""
    for file in CLIENTS.iterdir():
        assert file.read_bytes().isascii(), file.name


def test_broken_lines_and_busy_agents_get_the_same_key_again(client: ModuleType) -> None:
    busy = (503, {"detail": "zajęte", "retry_safe": True})
    with agent([None, busy, (201, {"number": "FV/1"})]) as (address, asked):
        assert client.issue_by_http(address, "token", b"{}", "key-1", wait=20) == {"number": "FV/1"}
    assert asked == [("key-1", b"{}")] * 3


def test_a_refusal_is_final(client: ModuleType) -> None:
    problem = {"detail": "zły NIP", "code": "nip-checksum", "retry_safe": False}
    with agent([(422, problem)]) as (address, asked), pytest.raises(client.Refused) as caught:
        client.issue_by_http(address, "token", b"{}", "key-1", wait=20)
    assert caught.value.answer == problem
    assert len(asked) == 1


def test_no_answer_in_time_is_no_refusal(client: ModuleType) -> None:
    with pytest.raises(TimeoutError):
        client.issue_by_http("http://127.0.0.1:9", "token", b"{}", "key-1", wait=0.05)


class TestWhatIsNoAnswerOfTheAgent:
    """Nobody knows then whether it was issued: never "refused", and the same key again."""

    ISSUED = (201, {"number": "FV/1"})

    @pytest.mark.parametrize(
        "other",
        [
            (403, b"<html>Zaloguj sie</html>", {}),
            (407, b"", {}),
            (404, b'{"error": "no such page"}', {}),
            (200, b"[]", {}),
            (200, b"5", {}),
            (200, b'{"status": "ok"}', {}),
            (200, b'{"number"', {"Content-Length": "500"}),
            (422, b'{"code": "x"', {"Content-Length": "500"}),
            (302, b"", {"Location": "http://127.0.0.1:9/portal"}),
            (200, b"{}", {"Transfer-Encoding": "chunked"}),
        ],
        ids=["portal", "proxy", "other", "list", "number", "object", "cut", "cut refusal", "redirect", "no chunks"],
    )
    def test_it_is_asked_again(self, client: ModuleType, other: tuple[int, bytes, dict[str, str]]) -> None:
        with agent([other, self.ISSUED]) as (address, asked):
            assert client.issue_by_http(address, "token", b"{}", "key-1", wait=20) == {"number": "FV/1"}
        assert [key for key, _ in asked] == ["key-1"] * 2

    def test_a_proxy_of_the_machine_gets_no_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with agent([(502, b"", {})] * 50) as (proxy, heard), agent([self.ISSUED]) as (address, _):
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy)
            for name in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setattr("urllib.request._opener", None)
            assert _loaded().issue_by_http(address, "token", b"{}", "key-1", wait=20) == {"number": "FV/1"}
            assert heard == []

    def test_nor_does_a_portal_that_redirects(self, client: ModuleType) -> None:
        with agent([(200, {"number": "portal"})]) as (portal, heard):
            away = (307, b"", {"Location": f"{portal}/v1/invoices"})
            moved = (303, b"", {"Location": f"{portal}/v1/invoices"})
            with agent([away, moved, self.ISSUED]) as (address, _):
                assert client.issue_by_http(address, "token", b"{}", "key-1", wait=20) == {"number": "FV/1"}
            assert heard == []

    def test_exit_codes(self, client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        order = tmp_path / "a.json"
        order.write_bytes(b"{}")

        def run(*arguments: object) -> int:
            monkeypatch.setattr(sys, "argv", ["ksef_till.py", "--wait", "0.05", *map(str, arguments)])
            return int(client.main())

        assert run("--folder", tmp_path / "away", order) == client.NO_ANSWER
        assert run("--api", "http://127.0.0.1:9", order) == client.NO_ANSWER
        assert run("--folder", tmp_path, tmp_path / "none.json") == client.WRONG_USE
        assert run("--token-file", tmp_path / "none", order) == client.WRONG_USE

    def test_a_share_that_comes_back_gets_the_file(
        self, client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = {"sha256": hashlib.sha256(b"{}").hexdigest(), "status": "issued"}
        looks: list[float] = []

        def pause(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 1:
                (tmp_path / "share" / "done").mkdir(parents=True)
            elif len(looks) == 2:
                (tmp_path / "share" / "a.json").unlink()
                (tmp_path / "share" / "done" / "a.result.json").write_text(json.dumps(answer))

        monkeypatch.setattr(client.time, "sleep", pause)
        assert client.issue_by_folder(str(tmp_path / "share"), "a.json", b"{}", wait=20) == answer


def test_the_folder_gets_a_whole_file_and_the_right_answer_is_taken(client: ModuleType, tmp_path: Path) -> None:
    content = b'{"lines": []}'
    stale = {"sha256": "another", "status": "issued"}
    mine = {"sha256": hashlib.sha256(content).hexdigest(), "status": "issued"}
    (tmp_path / "done").mkdir()
    result = tmp_path / "done" / "a.result.json"
    result.write_text(json.dumps(stale))

    def take() -> None:
        while not (tmp_path / "a.json").exists():
            pass
        assert (tmp_path / "a.json").read_bytes() == content
        result.write_text(json.dumps(mine))
        (tmp_path / "a.json").rename(tmp_path / "done" / "a.json")

    agent_thread = threading.Thread(target=take)
    agent_thread.start()
    assert client.issue_by_folder(str(tmp_path), "a.json", content, wait=20) == mine
    agent_thread.join()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["done"]


def test_a_refused_file_says_why(client: ModuleType, tmp_path: Path) -> None:
    content = b"{}"
    (tmp_path / "refused").mkdir()
    answer = {"sha256": hashlib.sha256(content).hexdigest(), "status": "refused"}
    (tmp_path / "refused" / "a.result.json").write_text(json.dumps(answer))
    first = {**answer, "at": "2026-11-28T09:14:03+00:00"}
    (tmp_path / "refused" / "a.result.json").write_text(json.dumps(first))

    def refuse() -> None:
        _wait_for(tmp_path / "a.json")
        (tmp_path / "refused" / "a.result.json").write_text(json.dumps(answer))
        (tmp_path / "a.json").unlink()

    taken = threading.Thread(target=refuse)
    taken.start()
    with pytest.raises(client.Refused) as refused:
        client.issue_by_folder(str(tmp_path), "a.json", content, wait=20)
    taken.join()
    assert refused.value.answer == answer


def test_what_was_refused_before_is_no_answer_to_what_is_issued_now(
    client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"{}"
    answer = {"sha256": hashlib.sha256(content).hexdigest(), "status": "refused"}
    for place in ("refused", "done"):
        (tmp_path / place).mkdir()
    (tmp_path / "refused" / "a.result.json").write_text(json.dumps(answer))
    (tmp_path / "refused" / "a.json").write_bytes(content)
    issued = {**answer, "status": "issued"}
    looks: list[float] = []

    def agent(seconds: float) -> None:
        """Take the file at the first look of the client, answer it after the second."""
        looks.append(seconds)
        if len(looks) == 1:
            (tmp_path / "a.json").unlink()
        if len(looks) == 3:
            (tmp_path / "done" / "a.result.json").write_text(json.dumps(issued))

    monkeypatch.setattr(client.time, "sleep", agent)
    assert client.issue_by_folder(str(tmp_path), "a.json", content, wait=20) == issued


def _wait_for(file: Path) -> None:
    while not file.exists():
        pass


def test_keys_tell_sales_apart(client: ModuleType) -> None:
    assert client.key_of("/x/a.json", b"1") == client.key_of("a.json", b"1")
    assert len({client.key_of(name, body) for name in ("a", "b") for body in (b"1", b"2")}) == 4
