"""Tokens, roles, Host and Origin: who gets in, and who does not."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.callers import Caller, Role
from agent.domain.errors import Conflict, NotFound, Unavailable
from agent.services.tokens import COMMANDS_FILE, COMMANDS_NAME, Tokens, ensure_token
from agent.settings.model import ApiSettings
from agent.web.api import routes
from agent.web.security import SECURITY_HEADERS
from tests.fakes.served import CASHIER, MANAGER, till_http
from tests.fakes.world import World, world

Client = TestClient[Any, Any]


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    tokens.put("kierownik", Role.MANAGER, "kierownik")
    return tokens


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "data") as found:
        yield found


@pytest.fixture
async def client(place: World, tokens: Tokens) -> AsyncIterator[Client]:
    api = ApiSettings(port=0, origins=("https://pos.example",), max_body_bytes=20_000)
    async with TestClient(TestServer(till_http(place, tokens, api))) as client:
        yield client


async def code_of(response: Any) -> tuple[int, str]:
    return response.status, (await response.json())["code"]


class TestBearer:
    @pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic a2FzamVy", "kasjer"])
    async def test_missing(self, client: Client, value: str | None) -> None:
        response = await client.get("/v1/queue", headers={} if value is None else {"Authorization": value})
        assert await code_of(response) == (401, "token-missing")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    async def test_of_two_tokens_none_counts(self, client: Client) -> None:
        headers = [*CASHIER.items(), *MANAGER.items()]
        assert await code_of(await client.get("/v1/queue", headers=headers)) == (401, "token-missing")

    async def test_of_two_origins_none_is_ours(self, client: Client) -> None:
        own = f"http://127.0.0.1:{client.port}"
        for second in (own, "https://evil.example"):
            headers = [*CASHIER.items(), ("Origin", own), ("Origin", second)]
            assert await code_of(await client.get("/v1/queue", headers=headers)) == (403, "origin-not-allowed")

    async def test_unknown(self, client: Client) -> None:
        response = await client.get("/v1/queue", headers={"Authorization": "Bearer kasjer2"})
        assert await code_of(response) == (401, "token-unknown")

    async def test_no_route_of_the_api_answers_without_a_token(self, client: Client) -> None:
        for route in routes():
            if route.path == "/openapi.json":
                continue
            path = route.path.replace("{id}", "x").replace("{nip}", "1")
            for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):  # aiohttp answers HEAD by GET
                response = await client.request(method, path)
                assert (method, path, response.status) == (method, path, 401)

    async def test_page_and_description_need_none(self, client: Client) -> None:
        for path in ("/", "/page/app.js", "/page/styles/base.css", "/openapi.json"):
            assert (await client.get(path)).status == 200

    async def test_change_of_the_file_counts_at_once(self, client: Client, tokens: Tokens, tmp_path: Path) -> None:
        other_process = Tokens.in_directory(tmp_path)
        token = other_process.add("kasa 2", Role.CASHIER)
        headers = {"Authorization": f"bearer {token}"}
        assert (await client.get("/v1/queue", headers=headers)).status == 200
        other_process.revoke("kasa 2")
        assert await code_of(await client.get("/v1/queue", headers=headers)) == (401, "token-unknown")

    async def test_damaged_file_lets_nobody_in(self, client: Client, tmp_path: Path) -> None:
        assert (await client.get("/v1/queue", headers=CASHIER)).status == 200
        (tmp_path / "tokens.json").write_text("[{")
        response = await client.get("/v1/queue", headers=CASHIER)
        assert await code_of(response) == (503, "tokens-unreadable")


MANAGERS_ONLY = (
    ("POST", "/v1/invoices/x/technical-correction"),
    ("POST", "/v1/invoices/x/resend"),
    ("POST", "/v1/invoices/x/close"),
    ("POST", "/v1/corrections/x/close"),
    ("POST", "/v1/mode"),
    ("DELETE", "/v1/mode"),
    ("POST", "/v1/clock"),
    ("GET", "/v1/outbox"),
    ("POST", "/v1/outbox/replay"),
    ("GET", "/v1/evidence"),
    ("GET", "/v1/annex"),
    ("GET", "/v1/retention"),
    ("POST", "/v1/retention"),
    ("GET", "/v1/outages"),
    ("GET", "/v1/outages/x"),
)


class TestRoles:
    @pytest.mark.parametrize(("method", "path"), MANAGERS_ONLY)
    async def test_what_only_a_manager_may(self, client: Client, place: World, method: str, path: str) -> None:
        """A cashier is refused before anybody looks at the rest of the request."""
        response = await client.request(method, path, json={"reason": "x"}, headers=CASHIER)
        assert await code_of(response) == (403, "not-permitted")
        assert await place.all_events() == []
        response = await client.request(method, path, json={"reason": "x"}, headers=MANAGER)
        assert response.status != 403

    async def test_everything_else_is_open_to_a_cashier(self, client: Client) -> None:
        for route in routes():
            path = route.path.replace("{id}", "x").replace("{nip}", "1").replace("{name}", "x")
            if (route.method, path) not in MANAGERS_ONLY and route.path != "/v1/changes":
                response = await client.request(route.method, path, headers=CASHIER)
                assert response.status not in {401, 403}, path


class TestHostAndOrigin:
    async def test_own_names(self, client: Client) -> None:
        port = client.server.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}", "pos.example"):
            assert (await client.get("/v1/queue", headers=CASHIER | {"Host": host})).status == 200

    async def test_rebound_names_are_refused_everywhere(self, client: Client) -> None:
        port = client.server.port
        for host in (f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil.example:{port}"):
            for path in ("/v1/queue", "/", "/openapi.json"):
                response = await client.get(path, headers=CASHIER | {"Host": host})
                assert await code_of(response) == (421, "host-not-allowed")

    async def test_own_origin(self, client: Client) -> None:
        port = client.server.port
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            response = await client.get("/v1/queue", headers=CASHIER | {"Origin": origin})
            assert response.status == 200
            assert "Access-Control-Allow-Origin" not in response.headers

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://pos.example"])
    async def test_foreign_origin(self, client: Client, origin: str) -> None:
        for method in ("GET", "POST", "OPTIONS"):
            response = await client.request(method, "/v1/invoices", headers=CASHIER | {"Origin": origin})
            assert await code_of(response) == (403, "origin-not-allowed")
            assert "Access-Control-Allow-Origin" not in response.headers

    async def test_configured_origin(self, client: Client) -> None:
        headers = {"Origin": "https://pos.example"}
        response = await client.get("/v1/queue", headers=CASHIER | headers)
        assert response.headers["Access-Control-Allow-Origin"] == "https://pos.example"
        assert response.headers["Vary"] == "Origin"
        preflight = await client.options("/v1/invoices", headers=headers)
        assert preflight.status == 204
        assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]

    @pytest.mark.parametrize(
        ("method", "path", "headers", "body", "status"),
        [
            ("POST", "/v1/invoices", CASHIER | {"Idempotency-Key": "a"}, "{}", 422),
            ("POST", "/v1/invoices", CASHIER, "{", 400),
            ("POST", "/v1/invoices", CASHIER | {"Idempotency-Key": "a"}, " " * 20_001, 413),
            ("POST", "/v1/mode", CASHIER, "{}", 403),
            ("GET", "/v1/queue", {"Authorization": "Bearer nikt"}, None, 401),
            ("GET", "/v1/nowhere", CASHIER, None, 404),
            ("PUT", "/v1/invoices", CASHIER, "{}", 405),
            ("GET", "/v1/queue?x=1", CASHIER, None, 400),
            ("GET", "/v1/invoices/x", CASHIER, None, 404),
            ("GET", "/v1/queue", CASHIER | {"Host": "evil.example"}, None, 421),
            ("GET", "/v1/register?month=2026-11", CASHIER, None, 200),
            ("GET", "/page/app.js", {}, None, 200),
        ],
    )
    async def test_a_configured_origin_can_read_every_answer(
        self, client: Client, method: str, path: str, headers: dict[str, str], body: str | None, status: int
    ) -> None:
        """A browser hides an answer without these headers: the page would see „Failed to fetch”, not why."""
        asked = {"Content-Type": "application/json", "Origin": "https://pos.example"} | headers
        response = await client.request(method, path, headers=asked, data=body)
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == "https://pos.example"
        assert response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Vary"] == "Origin"

    async def test_a_defect_is_told_to_a_configured_origin(
        self, client: Client, place: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(place.queue, "send_now", None)
        response = await client.post("/v1/sync", headers=CASHIER | {"Origin": "https://pos.example"})
        assert await code_of(response) == (500, "internal-error")
        assert response.headers["Access-Control-Allow-Origin"] == "https://pos.example"


@pytest.mark.parametrize("path", ["/v1/queue", "/v1/nowhere", "/v1/register?month=2026-11", "/"])
async def test_every_answer_has_the_security_headers(client: Client, path: str) -> None:
    response = await client.get(path, headers=CASHIER)
    assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


async def test_page_runs_only_its_own_code(client: Client) -> None:
    page = await client.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    text = await page.text()
    assert " onclick=" not in text
    assert " style=" not in text
    assert "https://" not in text


async def test_only_the_demo_opens_without_a_token(client: Client, place: World, tokens: Tokens) -> None:
    assert (await client.get("/", allow_redirects=False)).status == 200
    demo = till_http(place, tokens, open_token="kasjer")
    async with TestClient(TestServer(demo)) as shown:
        response = await shown.get("/", allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, "/?demo=kasjer")
        assert response.headers["Cache-Control"] == "no-store"
        assert (await shown.get("/?demo", allow_redirects=False)).status == 200
        assert (await shown.get("/v1/queue")).status == 401
        foreign = {"Host": "evil.example"}
        assert (await shown.get("/", headers=foreign, allow_redirects=False)).status == 421


class TestTokens:
    async def test_only_hashes_are_kept(self, tmp_path: Path) -> None:
        tokens = Tokens.in_directory(tmp_path)
        token = tokens.add("kasa 1", Role.MANAGER)
        file = tmp_path / "tokens.json"
        assert token not in file.read_text()
        digest = hashlib.sha256(token.encode()).hexdigest()
        assert json.loads(file.read_text()) == [{"name": "kasa 1", "role": "manager", "sha256": digest}]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert await tokens.caller(token) == Caller("kasa 1", Role.MANAGER)

    @pytest.mark.parametrize("left", [b"", b"\xff\xfe", b"ksef-of-another"])
    async def test_commands_get_another_token_where_theirs_cannot_be_read(
        self, tokens: Tokens, tmp_path: Path, left: bytes
    ) -> None:
        ensure_token(tokens, tmp_path)
        (tmp_path / COMMANDS_FILE).write_bytes(left)
        token = ensure_token(tokens, tmp_path)
        assert (tmp_path / COMMANDS_FILE).read_text() == token
        assert await tokens.caller(token) == Caller(COMMANDS_NAME, Role.MANAGER)

    async def test_nobody_before_the_first_token(self, tmp_path: Path) -> None:
        assert await Tokens.in_directory(tmp_path).caller("") is None

    def test_nothing_is_left_beside_the_file(self, tokens: Tokens, tmp_path: Path) -> None:
        tokens.add("kasa 2", Role.CASHIER)
        assert [entry.name for entry in tmp_path.iterdir()] == ["tokens.json"]

    def test_names_are_unique(self, tokens: Tokens) -> None:
        with pytest.raises(Conflict):
            tokens.add("kasa 1", Role.MANAGER)
        with pytest.raises(NotFound):
            tokens.revoke("kasa 2")

    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            "[1]",
            '[{"name": "x", "role": "owner", "sha256": "' + "0" * 64 + '"}]',
            '[{"name": "x", "role": "cashier", "sha256": "0"}]',
            '[{"name": "x", "sha256": "' + "0" * 64 + '"}]',
            "[" * 200_000,
        ],
    )
    def test_damaged_files(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "tokens.json").write_text(text)
        with pytest.raises(Unavailable):
            Tokens.in_directory(tmp_path).list()

    def test_a_pipe_in_its_place_is_not_read(self, tmp_path: Path) -> None:
        """It would hold up every request, /health and the stop."""
        os.mkfifo(tmp_path / "tokens.json")
        tokens = Tokens.in_directory(tmp_path)
        with pytest.raises(Unavailable):
            tokens.list()
        assert "nie da się odczytać" in (tokens.problem() or "")


AUDITED = {
    "/v1/invoices",
    "/v1/invoices/{id}",
    "/v1/invoices/{id}/events",
    "/v1/invoices/{id}/upo",
    "/v1/invoices/{id}/xml",
    "/v1/register",
    "/v1/register/changes",
    "/v1/register/counts",
    "/v1/register/ksef",
    "/v1/evidence",
    "/v1/annex",
    "/v1/retention",
    "/v1/outages",
    "/v1/outages/{name}",
    "/v1/status",
}


async def test_head_is_get_without_a_body_for_every_role(client: Client, tokens: Tokens, place: World) -> None:
    """Each route, with a parameter where it takes one; and asking so files no books."""
    tokens.put("biuro", Role.AUDITOR, "biuro")
    record = await place.sell()
    await place.books.read_all()
    query = {
        "/v1/invoices": "?limit=1",
        "/v1/invoices/{id}/receipt.pdf": "?page=a4",
        "/v1/buyers": "?text=minis",
        "/v1/changes": "?wait=0",
        "/v1/register": "?month=2026-11&format=jpk",
        "/v1/register/changes": "?month=2026-11&since=2026-11-24",
        "/v1/register/counts": "?month=2026-11",
        "/v1/register/ksef": "?month=2026-11",
        "/v1/evidence": "?from=2026-11-01&to=2026-11-30",
        "/v1/outages": "?from=2026-11-01&to=2026-11-30",
    }
    before = len(await place.all_events())
    auditor = {"Authorization": "Bearer biuro"}
    for route in routes():
        if route.method != "GET":
            continue
        path = route.path.replace("{id}", record.id).replace("{nip}", "5260250274").replace("{name}", "x")
        for role in (CASHIER, MANAGER, auditor):
            head = await client.head(path + query.get(route.path, ""), headers=role)
            assert len(await place.all_events()) == before, path
            assert await place.books.exported_at("2026-11") is None, path
            if "format=jpk" in query.get(route.path, ""):
                continue  # a GET files
            answer = await client.get(path + query.get(route.path, ""), headers=role)
            assert (path, head.status, head.content_type) == (path, answer.status, answer.content_type)
            assert await head.read() == b""


async def test_an_auditor_reads_the_books_and_nothing_else_on_any_route(
    client: Client, tokens: Tokens, place: World
) -> None:
    tokens.put("biuro", Role.AUDITOR, "biuro")
    record = await place.sell()
    await place.books.read_all()  # else the first look at the books notes in the log what it read
    before = len(await place.all_events())
    served = [(route.method, route.path) for route in routes() if route.path.startswith("/v1/")]
    assert {path for _, path in served} >= AUDITED
    for method, path in served:
        query = "?month=2026-11&from=2026-11-01&to=2026-11-30" if path in {"/v1/register/ksef"} else ""
        target = path.replace("{id}", record.id).replace("{nip}", "5260250274").replace("{name}", "x") + query
        answer = await client.request(method, target, headers={"Authorization": "Bearer biuro"}, data=b"{}")
        allowed = method == "GET" and path in AUDITED
        assert (answer.status == 403) is not allowed, (method, path, answer.status)
        assert allowed is not (answer.status == 403 and (await answer.json())["code"] == "not-permitted")
    assert len(await place.all_events()) == before, "nothing was issued, printed or changed"


async def test_what_an_auditor_takes_is_no_filing(client: Client, tokens: Tokens, place: World) -> None:
    tokens.put("biuro", Role.AUDITOR, "biuro")
    for secret, filed in (("biuro", False), ("kierownik", True)):
        headers = {"Authorization": f"Bearer {secret}"}
        answer = await client.get("/v1/register?month=2026-11&format=jpk", headers=headers)
        assert answer.status == 200
        assert (await place.books.exported_at("2026-11") is not None) is filed
    evidence = "/v1/evidence?from=2026-11-01&to=2026-11-30"
    assert (await client.get(evidence, headers={"Authorization": "Bearer biuro"})).status == 200
    assert (await client.get(evidence, headers=CASHIER)).status == 403
