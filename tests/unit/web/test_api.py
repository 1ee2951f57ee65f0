"""The till's HTTP: handlers translate, never more. Against FakeTill, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.callers import Caller, Role
from agent.domain.errors import BadInput, Conflict, FieldError, StoreLost, Unavailable
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings, PageSettings
from agent.web.api import till_app
from agent.web.context import SHELTER
from tests.fakes.till import FakeTill

CASHIER = {"Authorization": "Bearer kasjer"}
MANAGER = {"Authorization": "Bearer kierownik"}
SALE: dict[str, Any] = {
    "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów"},
    "prices": "gross",
    "lines": [{"name": "Kawa", "quantity": "2", "unit": "szt.", "unit_price": "61.50", "vat": "23"}],
    "payments": [{"method": "cash", "amount": "123.00"}],
}
KEY = {"Idempotency-Key": "koszyk-1"}
Client = TestClient[Any, Any]


def with_key(key: str) -> dict[str, str]:
    return CASHIER | {"Idempotency-Key": key}


@pytest.fixture
def till() -> FakeTill:
    return FakeTill()


@pytest.fixture
async def client(till: FakeTill, tmp_path: Path) -> AsyncIterator[Client]:
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    tokens.put("kierownik", Role.MANAGER, "kierownik")
    api = ApiSettings(port=0, origins=("https://pos.example",), max_body_bytes=20_000)
    async with TestClient(TestServer(till_app(till, tokens, api, PageSettings(sample_basket=True)))) as client:
        yield client


async def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Every refusal has this form."""
    assert response.status == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]
    assert isinstance(body["errors"], list)
    return body


async def issued(client: Client, key: str = "koszyk-1") -> dict[str, Any]:
    response = await client.post("/v1/invoices", json=SALE, headers=with_key(key))
    assert response.status == 201
    answer: dict[str, Any] = await response.json()
    return answer


class TestIssue:
    async def test_answer_has_the_contract_s_fields(self, client: Client) -> None:
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        assert response.status == 201
        body = await response.json()
        assert response.headers["Location"] == f"/v1/invoices/{body['id']}"
        assert "Idempotent-Replayed" not in response.headers
        assert body["number"] == "FV-1/2026/11/000001"
        assert body["issued_on"] == "2026-11-24"
        assert body["issued_at"] == "2026-11-24T10:00:00+01:00"
        assert (body["mode"], body["legal_basis"], body["state"]) == ("online", "art. 106gb", "accepted")
        assert body["totals"]["gross"] == "123.00"
        assert body["totals"]["rates"] == [{"rate": "23", "net": "100.00", "tax": "23.00", "gross": "123.00"}]
        assert body["links"]["invoice"].startswith("https://")
        assert body["links"]["certificate"] is None
        assert body["paper"]["document"] == "invoice"
        assert body["deadline"] is None
        assert len(body["sha256"]) == 64

    async def test_same_key_and_body_is_the_same_invoice(self, client: Client, till: FakeTill) -> None:
        first = await issued(client)
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        assert response.status == 200
        assert response.headers["Idempotent-Replayed"] == "true"
        assert (await response.json())["id"] == first["id"]
        assert len(till.records) == 1

    async def test_same_key_other_body_is_refused(self, client: Client) -> None:
        await issued(client)
        other = SALE | {"external_ref": "2"}
        response = await client.post("/v1/invoices", json=other, headers=CASHIER | KEY)
        await problem(response, 422, "idempotency-key-reused")

    async def test_ready_invoice_goes_by_content_type(self, client: Client, till: FakeTill) -> None:
        headers = CASHIER | KEY | {"Content-Type": "application/xml"}
        response = await client.post("/v1/invoices", data=b"<Faktura/>", headers=headers)
        assert response.status == 201
        assert till.calls == ["issue_ready"]

    @pytest.mark.parametrize("key", [None, "", "ma spacje", "ż", "k" * 256])
    async def test_key_is_required(self, client: Client, till: FakeTill, key: str | None) -> None:
        headers = CASHIER if key is None else with_key(key)
        response = await client.post("/v1/invoices", json=SALE, headers=headers)
        await problem(response, 400, "idempotency-key-missing")
        assert not till.calls

    @pytest.mark.parametrize(
        ("body", "content_type", "status", "code"),
        [
            (b"{", "application/json", 400, "not-json"),
            (b"", "application/json", 400, "not-json"),
            (b"[]", "application/json", 400, "not-json"),
            (b"<Faktura/>", "application/json", 400, "not-json"),
            (b'{"a": NaN}', "application/json", 400, "not-json"),
            ('{"a": "ż"}'.encode("utf-16"), "application/json", 400, "not-json"),
            (b'{"a": "\xff"}', "application/json", 400, "not-json"),
            (b"[" * 10_000, "application/json", 400, "not-json"),
            (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "application/json", 400, "not-json"),
            (b'{"a": 1' + b"0" * 6_000 + b"}", "application/json", 400, "not-json"),
            (b'{"lines": [{"vat": "23", "vat": "8"}]}', "application/json", 400, "duplicate-json-key"),
            (b"{}", "text/plain", 415, "unsupported-media-type"),
            (b"{}", "application/octet-stream", 415, "unsupported-media-type"),
            (b" " * 20_001, "application/json", 413, "body-too-large"),
            (b" " * 20_001, "application/xml", 413, "body-too-large"),
        ],
    )
    async def test_bad_bodies_never_reach_the_till(
        self, client: Client, till: FakeTill, body: bytes, content_type: str, status: int, code: str
    ) -> None:
        headers = CASHIER | KEY | {"Content-Type": content_type}
        response = await client.post("/v1/invoices", data=body, headers=headers)
        await problem(response, status, code)
        assert not till.calls

    async def test_five_megabytes_are_refused_without_breaking_the_line(self, till: FakeTill, tmp_path: Path) -> None:
        """With the default limit: the answer arrives although the body was not read to its end."""
        tokens = Tokens.in_directory(tmp_path)
        tokens.put("kasa 1", Role.CASHIER, "kasjer")
        headers = CASHIER | KEY | {"Content-Type": "application/json"}
        body = io.BytesIO(json.dumps(SALE | {"notes": [{"key": "k", "value": "x" * 5_000_000}]}).encode())
        async with TestClient(TestServer(till_app(till, tokens, ApiSettings(port=0)))) as client:
            response = await client.post("/v1/invoices", data=body, headers=headers)
            await problem(response, 413, "body-too-large")
        assert not till.calls

    async def test_xml_under_json_is_told_what_to_do(self, client: Client) -> None:
        headers = CASHIER | KEY | {"Content-Type": "application/json"}
        response = await client.post("/v1/invoices", data=b"\xef\xbb\xbf <?xml version='1.0'?>", headers=headers)
        assert "application/xml" in (await response.json())["detail"]

    async def test_errors_name_their_fields(self, client: Client, till: FakeTill) -> None:
        errors = (FieldError("/buyer/nip", "Zła cyfra kontrolna.", "nip-checksum"),)
        till.fail_with = BadInput("Sprzedaż: zła cyfra kontrolna.", code="nip-checksum", errors=errors)
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        body = await problem(response, 422, "nip-checksum")
        assert body["errors"] == [{"pointer": "/buyer/nip", "message": "Zła cyfra kontrolna.", "code": "nip-checksum"}]

    @pytest.mark.parametrize(
        ("error", "status", "code", "retry"),
        [
            (Conflict("Zajęty."), 409, "conflict", None),
            (Unavailable("Nie teraz."), 503, "unavailable", "2"),
            (Unavailable("Pełny dysk.", code="disk-full"), 507, "disk-full", "2"),
            (StoreLost("EIO"), 503, "store-lost", "10"),
        ],
    )
    async def test_errors_of_the_rules(
        self, client: Client, till: FakeTill, error: Exception, status: int, code: str, retry: str | None
    ) -> None:
        till.fail_with = error
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        body = await problem(response, status, code)
        assert response.headers.get("Retry-After") == retry
        assert body["retry_safe"] is (retry is not None)

    async def test_a_defect_leaks_nothing(
        self, client: Client, till: FakeTill, caplog: pytest.LogCaptureFixture
    ) -> None:
        till.fail_with = RuntimeError("secret path /var/lib")
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        body = await problem(response, 500, "internal-error")
        assert "secret" not in await response.text()
        incident = body["detail"].split("numer ")[1].split(")")[0]
        assert incident in caplog.text
        assert "secret path" in caplog.text


class TestNothingCancelsAPress:
    async def test_dropped_connection(self, client: Client, till: FakeTill) -> None:
        till.hold = asyncio.Event()
        press = asyncio.create_task(client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY))
        await till.pressed.wait()
        press.cancel()
        with pytest.raises(asyncio.CancelledError):
            await press
        await client.session.close()
        till.hold.set()
        await till.stored.wait()
        assert len(till.records) == 1

    async def test_shelter_outlives_its_caller(self, client: Client, till: FakeTill) -> None:
        """Whoever cancels the handler (server stop, a future handler_cancellation=True), the work goes on."""
        shelter = client.app[SHELTER]
        till.hold = asyncio.Event()
        work = till.issue_sale(json.dumps(SALE).encode(), "k", Caller("kasa 1", Role.CASHIER))
        waiting = asyncio.create_task(shelter.run(work, "press"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        till.hold.set()
        await shelter.drain()
        assert len(till.records) == 1

    async def test_stop_ends_a_long_poll_at_once(self, till: FakeTill, tmp_path: Path) -> None:
        tokens = Tokens.in_directory(tmp_path)
        tokens.put("kasa 1", Role.CASHIER, "kasjer")
        server = TestServer(till_app(till, tokens, ApiSettings(port=0)))
        await server.start_server()
        async with ClientSession() as session:
            url = server.make_url("/v1/changes?after=0")
            poll = asyncio.create_task(session.get(url, headers=CASHIER))
            await till.polled.wait()
            async with asyncio.timeout(5):
                await server.close()
                response = await poll
                assert await response.json() == {"seq": 0}


class TestReading:
    async def test_documents_of_an_invoice(self, client: Client) -> None:
        invoice = await issued(client)
        one = f"/v1/invoices/{invoice['id']}"
        kinds = {
            "/xml": "application/xml",
            "/upo": "application/xml",
            "/receipt.png": "image/png",
            "/receipt.txt": "text/plain",
            "/receipt.escpos": "application/octet-stream",
            "/receipt.pdf": "application/pdf",
            "/receipt.pdf?page=receipt": "application/pdf",
            "/events": "application/json",
            "/prints": "application/json",
            "": "application/json",
        }
        for path, kind in kinds.items():
            response = await client.get(one + path, headers=CASHIER)
            assert (path, response.status, response.content_type) == (path, 200, kind)
            assert await response.read()
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    async def test_xml_is_the_stored_bytes(self, client: Client, till: FakeTill) -> None:
        invoice = await issued(client)
        response = await client.get(f"/v1/invoices/{invoice['id']}/xml", headers=CASHIER)
        assert await response.read() == till.records[invoice["id"]].record.xml

    async def test_exported_content_is_gone(self, client: Client, till: FakeTill) -> None:
        invoice = await issued(client)
        till.change(invoice["id"], xml=b"")
        await problem(await client.get(f"/v1/invoices/{invoice['id']}/xml", headers=CASHIER), 404, "exported")

    async def test_unknown_things(self, client: Client) -> None:
        await problem(await client.get("/v1/invoices/none", headers=CASHIER), 404, "not-found")
        await problem(await client.get("/v1/nothing", headers=CASHIER), 404, "not-found")
        await problem(await client.get("/page/../api.py", headers=CASHIER), 404, "not-found")
        response = await client.put("/v1/invoices", headers=CASHIER)
        await problem(response, 405, "method-not-allowed")
        assert "POST" in response.headers["Allow"]

    async def test_filters_reach_the_till(self, client: Client, till: FakeTill) -> None:
        first = await issued(client, "1")
        await issued(client, "2")
        till.change(first["id"], state=InvoiceState.REJECTED)
        response = await client.get("/v1/invoices?state=rejected,sent&from=2026-11-24&to=2026-11-24", headers=CASHIER)
        body = await response.json()
        assert [item["id"] for item in body["invoices"]] == [first["id"]]
        assert body["next"] is None

    async def test_pages_of_a_list(self, client: Client) -> None:
        ids = [(await issued(client, str(number)))["id"] for number in range(3)]
        body = await (await client.get("/v1/invoices?limit=2", headers=CASHIER)).json()
        assert [item["id"] for item in body["invoices"]] == [ids[2], ids[1]]
        body = await (await client.get(f"/v1/invoices?limit=2&after={body['next']}", headers=CASHIER)).json()
        assert [item["id"] for item in body["invoices"]] == [ids[0]]

    @pytest.mark.parametrize(
        "query",
        [
            "invoices?state=lost",
            "invoices?from=24.11.2026",
            "invoices?from=20261124",
            "invoices?to=",
            "invoices?to=2026-02-30",
            "invoices?from=2026-11-25&to=2026-11-24",
            "invoices?limit=0",
            "invoices?limit=501",
            "invoices?limit=ten",
            "invoices?nummer=1",
            "invoices?state=sent&state=issued",
            "register?month=2026-13",
            "register?month=0000-01",
            "register",
            "register?month=2026-11&format=xml",
            "register?month=2026-11&as_of=x",
            "changes?wait=3600",
        ],
    )
    async def test_bad_queries(self, client: Client, query: str) -> None:
        await problem(await client.get(f"/v1/{query}", headers=CASHIER), 400, "bad-query")

    async def test_queue_sync_and_buyers(self, client: Client, till: FakeTill) -> None:
        till.current_mode = Mode.OFFLINE24
        invoice = await issued(client)
        queue = await (await client.get("/v1/queue", headers=CASHIER)).json()
        assert [item["id"] for item in queue["invoices"]] == [invoice["id"]]
        assert queue["invoices"][0]["deadline"] == "2026-11-25"
        response = await client.post("/v1/sync", headers=CASHIER)
        assert (response.status, await response.json()) == (202, {"waiting": 1})
        known = await (await client.get("/v1/buyers/5260250274", headers=CASHIER)).json()
        assert known["name"] == "Ministerstwo Finansów"
        await problem(await client.get("/v1/buyers/1111111111", headers=CASHIER), 404, "buyer-unknown")

    async def test_changes_wait_for_an_event(self, client: Client, till: FakeTill) -> None:
        assert await (await client.get("/v1/changes?wait=0", headers=CASHIER)).json() == {"seq": 0}
        poll = asyncio.create_task(client.get("/v1/changes?after=0", headers=CASHIER))
        await till.polled.wait()
        assert not poll.done()
        await issued(client)
        assert await (await poll).json() == {"seq": 1}

    async def test_register_and_evidence(self, client: Client) -> None:
        await issued(client)
        rows = await (await client.get("/v1/register?month=2026-11&as_of=2026-12-20", headers=CASHIER)).json()
        assert rows["month"] == "2026-11"
        assert len(rows["rows"]) == 1
        response = await client.get("/v1/register?month=2026-11&format=csv", headers=CASHIER)
        assert response.content_type == "text/csv"
        assert "rejestr-2026-11.csv" in response.headers["Content-Disposition"]
        response = await client.get("/v1/evidence?from=2026-11-01&to=2026-11-30", headers=MANAGER)
        assert response.content_type == "application/zip"
        response = await client.get("/v1/evidence?from=2026-11-30&to=2026-11-01", headers=MANAGER)
        await problem(response, 400, "bad-query")

    async def test_status_and_page(self, client: Client) -> None:
        status = await (await client.get("/v1/status", headers=CASHIER)).json()
        assert (status["mode"], status["till"]) == ("online", "1")
        page = await (await client.get("/v1/page", headers=MANAGER)).json()
        assert page["role"] == "manager"
        assert page["sample_basket"] is True


class TestChanging:
    async def test_reprint(self, client: Client) -> None:
        invoice = await issued(client)
        response = await client.post(f"/v1/invoices/{invoice['id']}/reprint", headers=CASHIER)
        assert (response.status, (await response.json())["paper"]["copies"]) == (200, 2)

    async def test_correction_and_replay(self, client: Client) -> None:
        invoice = await issued(client)
        path, body = f"/v1/invoices/{invoice['id']}/corrections", {"kind": "full_return", "reason": "zwrot"}
        await problem(await client.post(path, json=body, headers=CASHIER), 400, "idempotency-key-missing")
        response = await client.post(path, json=body, headers=with_key("zwrot-1"))
        made = await response.json()
        assert (response.status, made["kind"], made["corrects"]) == (201, "KOR", invoice["id"])
        again = await client.post(path, json=body, headers=with_key("zwrot-1"))
        assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert (await again.json())["id"] == made["id"]

    async def test_wrong_buyer_gives_two_documents(self, client: Client) -> None:
        invoice = await issued(client)
        body = {"kind": "buyer", "buyer": {"nip": "1111111111"}}
        path = f"/v1/invoices/{invoice['id']}/corrections"
        made = await (await client.post(path, json=body, headers=with_key("nabywca-1"))).json()
        assert made["kind"] == "KOR"
        assert made["replacement"]["buyer"]["identifier"] == "1111111111"

    async def test_correction_waits_for_its_base(self, client: Client, till: FakeTill) -> None:
        till.current_mode = Mode.OFFLINE24
        invoice = await issued(client)
        path = f"/v1/invoices/{invoice['id']}/corrections"
        response = await client.post(path, json={"kind": "full_return"}, headers=with_key("z"))
        made = await response.json()
        assert (response.status, made["held_by"]) == (202, invoice["number"])
        assert made["held"]["gross"] == "-123.00"
        assert made["hand_over"]
        queue = await (await client.get("/v1/queue", headers=CASHIER)).json()
        assert queue["held"] == [made["held"]]

    async def test_technical_correction(self, client: Client, till: FakeTill) -> None:
        invoice = await issued(client)
        path = f"/v1/invoices/{invoice['id']}/technical-correction"
        await problem(await client.post(path, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(path, headers=MANAGER), 409, "not-rejected")
        till.change(invoice["id"], state=InvoiceState.REJECTED)
        response = await client.post(path, headers=MANAGER)
        assert (response.status, (await response.json())["version"]) == (200, 2)

    async def test_other_ways_out_of_a_rejection(self, client: Client, till: FakeTill) -> None:
        invoice = await issued(client)
        resend, close = (f"/v1/invoices/{invoice['id']}/{way}" for way in ("resend", "close"))
        await problem(await client.post(resend, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(close, json={"reason": "x"}, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(resend, headers=MANAGER), 409, "resend-refused")
        await problem(await client.post(close, json={"reason": "x"}, headers=MANAGER), 409, "not-rejected")
        await problem(await client.post(close, json={"reason": " "}, headers=MANAGER), 422, "bad-input")
        till.change(invoice["id"], state=InvoiceState.REJECTED, rejection="410: brak uprawnień")
        response = await client.post(close, json={"reason": "nowa faktura FV/2"}, headers=MANAGER)
        assert (response.status, (await response.json())["closed_at"] is not None) == (200, True)
        response = await client.post(resend, headers=MANAGER)
        assert (response.status, (await response.json())["state"]) == (200, "issued")

    async def test_mode_needs_a_manager_and_a_reason(self, client: Client, till: FakeTill) -> None:
        body = {"mode": "offline24", "reason": "brak internetu"}
        await problem(await client.post("/v1/mode", json=body, headers=CASHIER), 403, "not-permitted")
        await problem(await client.delete("/v1/mode", json=body, headers=CASHIER), 403, "not-permitted")
        response = await client.post("/v1/mode", json={"mode": "offline24", "reason": " "}, headers=MANAGER)
        assert (await problem(response, 422, "bad-input"))["errors"][0]["pointer"] == "/reason"
        response = await client.post("/v1/mode", json={"mode": "failure", "reason": "x"}, headers=MANAGER)
        assert (await problem(response, 422, "bad-input"))["errors"][0]["pointer"] == "/mode"
        assert till.declared is None
        declared = await (await client.post("/v1/mode", json=body, headers=MANAGER)).json()
        assert (declared["mode"], declared["declared_by"]) == ("offline24", "kierownik")
        assert (await (await client.get("/v1/mode", headers=CASHIER)).json())["mode"] == "offline24"
        await problem(await client.delete("/v1/mode", headers=MANAGER), 422, "bad-input")
        withdrawn = await (await client.delete("/v1/mode", json={"reason": "działa"}, headers=MANAGER)).json()
        assert withdrawn["mode"] == "online"

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({"mode": "offline24"}, "/reason", "required"),
            ({"mode": "offline24", "reason": 5}, "/reason", "wrong-type"),
            ({"mode": "offline24", "reason": "x" * 501}, "/reason", "too-long"),
            ({"mode": "offline24", "reason": "x", "until": "noon"}, "/until", "unknown-field"),
            ({"reason": "x"}, "/mode", "unknown-mode"),
        ],
    )
    async def test_a_bad_declaration_names_what_is_wrong(
        self, client: Client, till: FakeTill, body: dict[str, Any], pointer: str, code: str
    ) -> None:
        response = await client.post("/v1/mode", json=body, headers=MANAGER)
        (error,) = (await problem(response, 422, "bad-input"))["errors"]
        assert (error["pointer"], error["code"], till.declared) == (pointer, code, None)

    async def test_a_total_failure_can_be_called_a_false_alarm(self, client: Client, till: FakeTill) -> None:
        till.to_confirm = True
        body = {"reason": "BIP milczy", "false_alarm": True}
        answer = await (await client.delete("/v1/mode", json=body, headers=MANAGER)).json()
        assert (answer["total_failure_to_confirm"], till.false_alarms) == (False, 1)
        await client.delete("/v1/mode?reason=BIP&false_alarm=true", headers=MANAGER)
        assert till.false_alarms == 2
        await client.delete("/v1/mode?reason=koniec", headers=MANAGER)
        assert till.false_alarms == 2
        wrong = await client.delete("/v1/mode", json={**body, "false_alarm": "tak"}, headers=MANAGER)
        assert (await problem(wrong, 422, "bad-input"))["errors"][0]["pointer"] == "/false_alarm"
        wrong = await client.delete("/v1/mode?reason=BIP", json={"falsealarm": True}, headers=MANAGER)
        assert (await problem(wrong, 422, "bad-input"))["errors"][0]["pointer"] == "/falsealarm"

    async def test_withdraw_takes_the_reason_from_the_query_too(self, client: Client, till: FakeTill) -> None:
        till.current_mode = Mode.OFFLINE24
        response = await client.delete("/v1/mode?reason=wr%C3%B3ci%C5%82o", headers=MANAGER)
        assert (await response.json())["mode"] == "online"


async def test_server_stop_waits_for_a_press(till: FakeTill, tmp_path: Path) -> None:
    """A press under way when the agent is told to stop is finished, not lost."""
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    server = TestServer(till_app(till, tokens, ApiSettings(port=0)))
    await server.start_server(shutdown_timeout=0.01)
    till.hold = asyncio.Event()
    async with ClientSession() as session:
        press = asyncio.create_task(session.post(server.make_url("/v1/invoices"), json=SALE, headers=CASHIER | KEY))
        await till.pressed.wait()
        closing = asyncio.create_task(server.close())
        with pytest.raises(ServerDisconnectedError):
            await press
        till.hold.set()
        await closing
    assert len(till.records) == 1
