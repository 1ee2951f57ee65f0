"""The till's HTTP: handlers translate, never more. On the whole agent with fakes, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.books.entry import BookEntry, BookPart
from agent.domain.errors import AgentError, BadInput, Conflict, FieldError, StoreLost, Unavailable
from agent.domain.fa3.view.read import read
from agent.domain.lifecycle import PrintState
from agent.ports import InvoiceFilter, PrintJob, Rejected
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.queries.invoices import IssueAnswer
from agent.settings.model import ApiSettings, PageSettings
from agent.web.problems import response_of
from tests.fakes import world as fakes
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.served import CASHIER, MANAGER, till_http, tokens_in
from tests.fakes.world import KNOWN_NIP, World, sale, world
from tests.sim.announcing import news_of
from tests.sim.oracle import Outage
from tests.unit.fa3.fa3_documents import SELLER, document

SALE = sale(
    buyer={"nip": KNOWN_NIP, "name": "Ministerstwo Finansów", "address": {"line1": "ul. Świętokrzyska 12"}},
    lines=[{"name": "Kawa", "quantity": "2", "unit": "szt.", "unit_price": "61.50", "vat": "23"}],
    payments=[{"method": "cash", "amount": "123.00"}],
)
KEY = {"Idempotency-Key": "koszyk-1"}
Client = TestClient[Any, Any]


def with_key(key: str) -> dict[str, str]:
    return CASHIER | {"Idempotency-Key": key}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


@pytest.fixture
async def client(place: World, tmp_path: Path) -> AsyncIterator[Client]:
    api = ApiSettings(port=0, origins=("https://pos.example",), max_body_bytes=20_000)
    app = till_http(place, tokens_in(tmp_path), api, PageSettings(sample_basket=True))
    async with TestClient(TestServer(app)) as client:
        yield client


async def papers(place: World) -> list[PrintJob]:
    """All print jobs."""
    found = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    return [job for record in found for job in await place.invoices.prints(record.id)]


async def export_and_prune(invoice_id: str, tx: Any) -> None:
    """What `ksef-agent export --prune` does to an old invoice, once the books have read it."""
    await tx.books.put(invoice_id, BookEntry((BookPart(date(2026, 11, 24), None, ()),)))
    await tx.exports.add(invoice_id, "/archiwum/plik.zip", bytes(32))
    await tx.exports.prune(invoice_id)


async def stored(place: World) -> int:
    """How many invoices there are."""
    return len(await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter())))


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
        assert body["links"]["certificate"].startswith("https://")
        assert (body["paper"]["document"], body["paper"]["state"]) == ("invoice", "printed")
        assert body["deadline"] == "2026-11-25"
        assert len(body["sha256"]) == 64

    async def test_what_can_wait_waits_for_the_answer(
        self, client: Client, place: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read_answer = place.invoices.issued
        waited: list[bool] = []

        async def answered(outcome: IssueOutcome) -> IssueAnswer:
            waiting = asyncio.create_task(place.presses.pass_by())
            found = await read_answer(outcome)
            waited.append(not waiting.done())
            waiting.cancel()
            return found

        monkeypatch.setattr(place.invoices, "issued", answered)
        await issued(client)
        assert waited == [True]

    async def test_same_key_and_body_is_the_same_invoice(self, client: Client, place: World) -> None:
        first = await issued(client)
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        assert response.status == 200
        assert response.headers["Idempotent-Replayed"] == "true"
        assert (await response.json())["id"] == first["id"]
        assert await stored(place) == 1

    async def test_same_key_other_body_is_refused(self, client: Client) -> None:
        await issued(client)
        other = SALE | {"external_ref": "2"}
        response = await client.post("/v1/invoices", json=other, headers=CASHIER | KEY)
        await problem(response, 422, "idempotency-key-reused")

    async def test_of_a_file_the_till_may_print_itself(self, client: Client, place: World) -> None:
        xml = document(number="SAP/8", seller=SELLER.replace("9999999999", fakes.SELLER.nip))
        coffee = Item("KAWA", "Kawa", Decimal("64.90"), Decimal(2))
        file = epp(Paperwork([coffee]), info={11: fakes.SELLER.nip})
        for path, kind, body in (("invoices", "xml", xml), ("exchange", "x-epp", file)):
            headers = CASHIER | {"Idempotency-Key": kind, "Content-Type": f"application/{kind}"}
            own = await client.post(f"/v1/{path}?print=false", data=body, headers=headers)
            assert own.status in {200, 201}, await own.text()
            made = await own.json()
            assert (made if path == "invoices" else made["documents"][0]["invoice"])["paper"] is None
            for wrong in ("no", ""):
                refused = await client.post(f"/v1/{path}?print={wrong}", data=body, headers=headers)
                await problem(refused, 400, "bad-query")
        assert place.printer.papers == []
        inside = await client.post("/v1/invoices?print=false", json=sale(), headers=CASHIER | KEY)
        await problem(inside, 400, "bad-query")

    async def test_ready_invoice_goes_by_content_type(self, client: Client) -> None:
        headers = CASHIER | KEY | {"Content-Type": "application/xml"}
        xml = document(number="SAP/7", seller=SELLER.replace("9999999999", fakes.SELLER.nip))
        response = await client.post("/v1/invoices", data=xml, headers=headers)
        assert response.status == 201
        made = await response.json()
        assert made["number"] == "SAP/7"
        assert await (await client.get(f"/v1/invoices/{made['id']}/xml", headers=CASHIER)).read() == xml

    async def test_number_on_the_receipt_stands_beside_a_ready_invoice(self, client: Client, place: World) -> None:
        headers = CASHIER | KEY | {"Content-Type": "application/xml"}
        xml = document(number="SAP/7", seller=SELLER.replace("9999999999", fakes.SELLER.nip), after_kind="<FP>1</FP>")
        nip = str(read(xml).buyer.nip)
        path = "/v1/invoices?receipt_nip="
        for wrong in (f"{nip}&receipt_nip={nip}", "4" * 61):
            await problem(await client.post(path + wrong, data=xml, headers=headers), 400, "bad-query")
        await problem(await client.post(path + nip, json=SALE, headers=CASHIER | KEY), 400, "bad-query")
        refused = await client.post("/v1/invoices", data=xml, headers=headers)
        await problem(refused, 422, "receipt-nip-missing")
        assert await stored(place) == 0
        assert (await client.post(f"{path}PL+{nip}", data=xml, headers=headers)).status == 201

    async def test_of_two_keys_nobody_knows_which_one_will_be_repeated(self, client: Client, place: World) -> None:
        headers = [*CASHIER.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
        await problem(await client.post("/v1/invoices", json=SALE, headers=headers), 400, "idempotency-key-missing")
        assert await stored(place) == 0

    @pytest.mark.parametrize("key", [None, "", "ma spacje", "ż", "k" * 256])
    async def test_key_is_required(self, client: Client, place: World, key: str | None) -> None:
        headers = CASHIER if key is None else with_key(key)
        response = await client.post("/v1/invoices", json=SALE, headers=headers)
        await problem(response, 400, "idempotency-key-missing")
        assert await stored(place) == 0

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
    async def test_bad_bodies_issue_nothing(
        self, client: Client, place: World, body: bytes, content_type: str, status: int, code: str
    ) -> None:
        headers = CASHIER | KEY | {"Content-Type": content_type}
        response = await client.post("/v1/invoices", data=body, headers=headers)
        await problem(response, status, code)
        assert await stored(place) == 0

    async def test_five_megabytes_are_refused_without_breaking_the_line(self, place: World, tmp_path: Path) -> None:
        """With the default limit: the answer arrives although the body was not read to its end."""
        headers = CASHIER | KEY | {"Content-Type": "application/json"}
        body = io.BytesIO(json.dumps(SALE | {"notes": [{"key": "k", "value": "x" * 5_000_000}]}).encode())
        async with TestClient(TestServer(till_http(place, tokens_in(tmp_path)))) as client:
            response = await client.post("/v1/invoices", data=body, headers=headers)
            await problem(response, 413, "body-too-large")
        assert await stored(place) == 0

    async def test_xml_under_json_is_told_what_to_do(self, client: Client) -> None:
        headers = CASHIER | KEY | {"Content-Type": "application/json"}
        response = await client.post("/v1/invoices", data=b"\xef\xbb\xbf <?xml version='1.0'?>", headers=headers)
        assert "application/xml" in (await response.json())["detail"]

    async def test_errors_name_their_fields(self, client: Client) -> None:
        wrong = SALE | {"buyer": SALE["buyer"] | {"nip": "5260250275"}}
        response = await client.post("/v1/invoices", json=wrong, headers=CASHIER | KEY)
        body = await problem(response, 422, "nip-checksum")
        assert [(error["pointer"], error["code"]) for error in body["errors"]] == [("/buyer/nip", "nip-checksum")]

    async def test_a_refusal_for_now_may_be_repeated(self, client: Client, place: World) -> None:
        place.clock.step(timedelta(days=-300))
        await place.connection.probe()
        place.gateway.skew = timedelta(days=300).total_seconds()
        await place.connection.probe()
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        body = await problem(response, 503, "clock-wrong")
        assert (response.headers["Retry-After"], body["retry_safe"]) == ("2", True)

    async def test_a_defect_leaks_nothing(
        self, client: Client, place: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("secret path /var/lib")

        monkeypatch.setattr(place.mode, "decide", broken)
        response = await client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY)
        body = await problem(response, 500, "internal-error")
        assert "secret" not in await response.text()
        incident = body["detail"].split("numer ")[1].split(")")[0]
        assert incident in caplog.text
        assert "secret path" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (Conflict("Zajęty."), 409, "conflict", None),
        (BadInput("Zły.", errors=(FieldError("/x", "Zły.", "bad"),)), 422, "bad-input", None),
        (Unavailable("Nie teraz."), 503, "unavailable", "2"),
        (Unavailable("Pełny dysk.", code="disk-full"), 507, "disk-full", "2"),
        (StoreLost("EIO"), 503, "store-lost", "10"),
    ],
)
def test_errors_of_the_rules(error: AgentError, status: int, code: str, retry: str | None) -> None:
    response = response_of(error)
    body = json.loads(response.text or "")
    assert (response.status, body["code"], body["retry_safe"]) == (status, code, retry is not None)
    assert response.headers.get("Retry-After") == retry


class TestNothingCancelsAPress:
    async def test_dropped_connection(self, client: Client, place: World) -> None:
        place.gateway.open.clear()
        press = asyncio.create_task(client.post("/v1/invoices", json=SALE, headers=CASHIER | KEY))
        await place.gateway.reached.wait()
        press.cancel()
        with pytest.raises(asyncio.CancelledError):
            await press
        await client.session.close()
        place.gateway.open.set()
        await place.tasks.drain(5)
        assert [paper.state for paper in await papers(place)] == [PrintState.PRINTED]

    async def test_work_outlives_its_caller(self, place: World) -> None:
        """Whoever cancels the handler (server stop, a future handler_cancellation=True), the work goes on."""
        place.gateway.open.clear()
        waiting = asyncio.create_task(place.tasks.run("press", place.sell()))
        await place.gateway.reached.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        place.gateway.open.set()
        await place.tasks.drain(5)
        assert [paper.state for paper in await papers(place)] == [PrintState.PRINTED]

    async def test_stop_ends_a_long_poll_at_once(self, place: World, tmp_path: Path) -> None:
        server = TestServer(till_http(place, tokens_in(tmp_path)))
        await server.start_server()
        async with ClientSession() as session:
            url = server.make_url("/v1/changes?after=0")
            poll = asyncio.create_task(session.get(url, headers=CASHIER))
            await place.clock.asleep.wait()
            async with asyncio.timeout(5):
                await server.close()
                response = await poll
                assert await response.json() == {"seq": 0}

    async def test_the_stop_of_the_server_ends_no_press(self, place: World, tmp_path: Path) -> None:
        """A press under way when the agent is told to stop is finished, not lost: the agent waits for its tasks."""
        server = TestServer(till_http(place, tokens_in(tmp_path)))
        await server.start_server(shutdown_timeout=0.01)
        place.gateway.open.clear()
        async with ClientSession() as session:
            url = server.make_url("/v1/invoices")
            press = asyncio.create_task(session.post(url, json=SALE, headers=CASHIER | KEY))
            await place.gateway.reached.wait()
            closing = asyncio.create_task(server.close())
            with pytest.raises(ServerDisconnectedError):
                await press
            await closing
        place.gateway.open.set()
        assert await place.tasks.drain(5) == ()
        assert [paper.state for paper in await papers(place)] == [PrintState.PRINTED]


class TestSearch:
    async def test_an_invoice_is_found_by_its_hash(self, client: Client) -> None:
        made = await issued(client)
        for text, found in ((made["sha256"], 1), (made["sha256"].upper(), 1), ("0" * 64, 0)):
            answer = await client.get("/v1/invoices", params={"sha256": text}, headers=CASHIER)
            assert len((await answer.json())["invoices"]) == found
        await problem(await client.get("/v1/invoices?sha256=abc", headers=CASHIER), 400, "bad-query")


class TestPreview:
    async def test_a_sale_is_shown_and_checked_and_takes_no_number(self, client: Client, place: World) -> None:
        for body, shown in (
            (SALE, "ul. Świętokrzyska 12"),
            (SALE | {"buyer": {"nip": KNOWN_NIP}}, "Ministerstwo Finansów"),
        ):
            response = await client.post("/v1/preview", json=body, headers=CASHIER)
            assert response.status == 200
            slip = await response.text()
            assert "To jeszcze nie jest faktura" in slip
            assert shown in slip
            assert "123,00" in slip
        answer = await client.post("/v1/preview", json=SALE | {"payments": []} | {"lines": []}, headers=CASHIER)
        assert answer.status == 422
        assert place.printer.papers == []
        assert (await issued(client))["number"].endswith("000001")


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

    async def test_xml_is_the_stored_bytes(self, client: Client, place: World) -> None:
        invoice = await issued(client)
        response = await client.get(f"/v1/invoices/{invoice['id']}/xml", headers=CASHIER)
        assert await response.read() == (await place.record(invoice["id"])).xml

    async def test_exported_content_is_gone(self, client: Client, place: World) -> None:
        invoice = await issued(client)
        await place.store.write(partial(export_and_prune, invoice["id"]))
        for tail in ("xml", "upo", "receipt.pdf"):
            path = f"/v1/invoices/{invoice['id']}/{tail}"
            await problem(await client.get(path, headers=CASHIER), 404, "exported")

    async def test_unknown_things(self, client: Client) -> None:
        await problem(await client.get("/v1/invoices/none", headers=CASHIER), 404, "invoice-not-found")
        await problem(await client.get("/v1/nothing", headers=CASHIER), 404, "not-found")
        await problem(await client.get("/page/../api.py", headers=CASHIER), 404, "not-found")
        response = await client.put("/v1/invoices", headers=CASHIER)
        await problem(response, 405, "method-not-allowed")
        assert "POST" in response.headers["Allow"]

    async def test_filters_reach_the_store(self, client: Client, place: World) -> None:
        await place.lose_the_line()
        first = await issued(client, "1")
        await issued(client, "2")
        await place.be_rejected(first["id"])
        response = await client.get("/v1/invoices?state=rejected,sent&from=2026-11-24&to=2026-11-24", headers=CASHIER)
        body = await response.json()
        assert [item["id"] for item in body["invoices"]] == [first["id"]]
        assert body["next"] is None

    async def test_a_nip_is_found_in_every_spelling(self, client: Client) -> None:
        made = await issued(client, "1")
        for typed in (KNOWN_NIP, "526-025-02-74", "NIP: PL 526 025 02 74", "526\u00a0025\u00a002\u00a074"):
            body = await (await client.get("/v1/invoices", params={"text": typed}, headers=CASHIER)).json()
            assert [item["id"] for item in body["invoices"]] == [made["id"]]

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

    async def test_queue_sync_and_buyers(self, client: Client, place: World) -> None:
        await place.lose_the_line()
        invoice = await issued(client)
        queue = await (await client.get("/v1/queue", headers=CASHIER)).json()
        assert [item["id"] for item in queue["invoices"]] == [invoice["id"]]
        assert queue["invoices"][0]["deadline"] == "2026-11-25"
        assert queue["invoices_total"] == 1
        response = await client.post("/v1/sync", headers=CASHIER)
        assert (response.status, await response.json()) == (202, {"waiting": 1})
        known = await (await client.get("/v1/buyers/5260250274", headers=CASHIER)).json()
        assert known["name"] == "Ministerstwo Finansów"
        await problem(await client.get("/v1/buyers/1111111111", headers=CASHIER), 404, "buyer-unknown")
        for text, found in (("finansow MINI", 1), ("526025", 1), ("świętok", 1), ("nansów", 0)):
            listed = await (await client.get("/v1/buyers", params={"text": text}, headers=CASHIER)).json()
            assert [each["nip"] for each in listed["buyers"]] == ["5260250274"] * found
        for short in ("", "?text=mi"):
            await problem(await client.get(f"/v1/buyers{short}", headers=CASHIER), 400, "bad-query")

    @pytest.mark.parametrize("key", ["held:0123", "folder:0123", "epp:0123"])
    async def test_a_key_of_the_agents_own_is_refused(self, client: Client, place: World, key: str) -> None:
        """It would meet a pending correction under its own key, and that one would wait for ever."""
        for path in ("/v1/invoices", "/v1/invoices/x/corrections", "/v1/corrections"):
            response = await client.post(path, json=SALE, headers=with_key(key))
            await problem(response, 400, "idempotency-key-reserved")
        assert await stored(place) == 0

    async def test_changes_wait_for_an_event(self, client: Client, place: World) -> None:
        assert await (await client.get("/v1/changes?wait=0", headers=CASHIER)).json() == {"seq": 0}
        put_back = await client.get("/v1/changes?after=9", headers=CASHIER)  # of the log before a restore
        assert await put_back.json() == {"seq": 0}
        poll = asyncio.create_task(client.get("/v1/changes?after=0", headers=CASHIER))
        await place.clock.asleep.wait()
        assert not poll.done()
        await issued(client)
        assert (await (await poll).json())["seq"] >= 1

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
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        data = await response.read()
        assert response.headers["Content-Length"] == str(len(data))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
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
        body = {"kind": "buyer", "buyer": sale()["buyer"]}
        path = f"/v1/invoices/{invoice['id']}/corrections"
        made = await (await client.post(path, json=body, headers=with_key("nabywca-1"))).json()
        assert made["kind"] == "KOR"
        assert made["replacement"]["buyer"]["identifier"] == "1111111111"

    async def test_of_two_documents_the_one_in_ksef_is_not_made_again(self, client: Client, place: World) -> None:
        invoice = await issued(client)
        path = f"/v1/invoices/{invoice['id']}/corrections"
        body = {"kind": "buyer", "buyer": sale()["buyer"]}
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        first = await (await client.post(path, json=body, headers=with_key("nabywca-1"))).json()
        assert (first["state"], first["replacement"]["state"]) == ("rejected", "accepted")
        assert "replacement_earlier" not in first
        other = {"kind": "buyer", "buyer": {**sale()["buyer"], "nip": "9999999999"}}
        refused = await client.post(path, json=other, headers=with_key("nabywca-2"))
        await problem(refused, 409, "new-invoice-stands")
        for status in (201, 200):
            response = await client.post(path, json=body, headers=with_key("nabywca-3"))
            made = await response.json()
            assert (response.status, made["state"], made["replacement_earlier"]) == (status, "accepted", True)
            assert made["replacement"]["id"] == first["replacement"]["id"]
        assert await stored(place) == 4

    async def test_correction_waits_for_its_base(self, client: Client, place: World) -> None:
        await place.lose_the_line()
        invoice = await issued(client)
        path = f"/v1/invoices/{invoice['id']}/corrections"
        response = await client.post(path, json={"kind": "full_return"}, headers=with_key("z"))
        made = await response.json()
        assert (response.status, made["held_by"]) == (202, invoice["number"])
        assert made["held"]["gross"] == "-123.00"
        assert made["hand_over"]
        queue = await (await client.get("/v1/queue", headers=CASHIER)).json()
        assert queue["held"] == [made["held"]]

    async def test_technical_correction(self, client: Client, place: World) -> None:
        await place.lose_the_line()
        invoice = await issued(client)
        path = f"/v1/invoices/{invoice['id']}/technical-correction"
        await problem(await client.post(path, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(path, headers=MANAGER), 409, "technical-correction-refused")
        await place.be_rejected(invoice["id"])
        response = await client.post(path, headers=MANAGER)
        assert (response.status, (await response.json())["version"]) == (200, 2)

    async def test_other_ways_out_of_a_rejection(self, client: Client, place: World) -> None:
        await place.lose_the_line()
        first, second = [(await issued(client, key))["id"] for key in ("1", "2")]
        resend, close = f"/v1/invoices/{first}/resend", f"/v1/invoices/{second}/close"
        await problem(await client.post(resend, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(close, json={"reason": "x"}, headers=CASHIER), 403, "not-permitted")
        await problem(await client.post(resend, headers=MANAGER), 409, "resend-refused")
        await problem(await client.post(close, json={"reason": "x"}, headers=MANAGER), 409, "not-rejected")
        await problem(await client.post(close, json={"reason": " "}, headers=MANAGER), 422, "bad-input")
        for invoice_id in (first, second):
            await place.be_rejected(invoice_id, 410, "brak uprawnień")
        response = await client.post(resend, headers=MANAGER)
        assert (response.status, (await response.json())["state"]) == (200, "issued")
        response = await client.post(close, json={"reason": "nowa faktura FV/2"}, headers=MANAGER)
        assert (response.status, (await response.json())["closed_at"] is not None) == (200, True)

    async def test_mode_needs_a_manager_and_a_reason(self, client: Client, place: World) -> None:
        body = {"mode": "offline24", "reason": "brak internetu"}
        await problem(await client.post("/v1/mode", json=body, headers=CASHIER), 403, "not-permitted")
        await problem(await client.delete("/v1/mode", json=body, headers=CASHIER), 403, "not-permitted")
        response = await client.post("/v1/mode", json={"mode": "offline24", "reason": " "}, headers=MANAGER)
        assert (await problem(response, 422, "bad-input"))["errors"][0]["pointer"] == "/reason"
        response = await client.post("/v1/mode", json={"mode": "failure", "reason": "x"}, headers=MANAGER)
        assert (await problem(response, 422, "bad-input"))["errors"][0]["pointer"] == "/mode"
        assert await place.all_events() == []
        declared = await (await client.post("/v1/mode", json=body, headers=MANAGER)).json()
        assert (declared["mode"], declared["declared_by"]) == ("offline24", "kierownik")
        assert (await (await client.get("/v1/mode", headers=CASHIER)).json())["mode"] == "offline24"
        await problem(await client.delete("/v1/mode", headers=MANAGER), 422, "bad-input")
        await place.clock.advance(1)
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
        self, client: Client, place: World, body: dict[str, Any], pointer: str, code: str
    ) -> None:
        response = await client.post("/v1/mode", json=body, headers=MANAGER)
        (error,) = (await problem(response, 422, "bad-input"))["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)
        assert await place.all_events() == []

    @pytest.mark.parametrize("where", ["body", "query"])
    async def test_a_total_failure_can_be_called_a_false_alarm(self, client: Client, place: World, where: str) -> None:
        begin = place.clock.now() - timedelta(hours=1)
        place.latarnia.status = {"status": "TOTAL_FAILURE"}
        place.latarnia.messages = [item.message for item in news_of(Outage("total", begin, begin, None), 7)]
        await place.announcements.poll()
        assert (await (await client.get("/v1/mode", headers=CASHIER)).json())["total_failure_to_confirm"] is True
        wrong = await client.delete("/v1/mode", json={"reason": "BIP", "false_alarm": "tak"}, headers=MANAGER)
        assert (await problem(wrong, 422, "bad-input"))["errors"][0]["pointer"] == "/false_alarm"
        wrong = await client.delete("/v1/mode?reason=BIP", json={"falsealarm": True}, headers=MANAGER)
        assert (await problem(wrong, 422, "bad-input"))["errors"][0]["pointer"] == "/falsealarm"
        await problem(await client.delete("/v1/mode?reason=koniec", headers=MANAGER), 409, "nothing-declared")
        if where == "body":
            body = {"reason": "BIP milczy", "false_alarm": True}
            answer = await (await client.delete("/v1/mode", json=body, headers=MANAGER)).json()
        else:
            answer = await (await client.delete("/v1/mode?reason=BIP&false_alarm=true", headers=MANAGER)).json()
        assert answer["total_failure_to_confirm"] is False

    async def test_withdraw_takes_the_reason_from_the_query_too(self, client: Client, place: World) -> None:
        await client.post("/v1/mode", json={"mode": "offline24", "reason": "burza"}, headers=MANAGER)
        await place.clock.advance(1)
        response = await client.delete("/v1/mode?reason=wr%C3%B3ci%C5%82o", headers=MANAGER)
        assert (await response.json())["mode"] == "online"
