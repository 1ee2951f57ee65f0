"""schemas/api against the routes, against real answers and against the sale parser."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.errors import BadInput
from agent.domain.json_io.reader import Fields
from agent.domain.sale.parse import parse_sale
from agent.services.monitoring.webhooks import INVOICE_TYPES, Subscriber
from agent.settings.model import ApiSettings
from agent.web.api import routes
from agent.web.problem_codes import PROBLEMS, title_of
from tests.fakes import counter
from tests.fakes import world as fakes
from tests.fakes.exchange import Item, Paperwork, epp
from tests.fakes.served import MANAGER, till_http, tokens_in
from tests.fakes.world import KNOWN_NIP, SELLER, World, sale, world
from tools.openapi import examples
from tools.openapi.document import documents

SCHEMAS = Path(__file__).parents[3] / "schemas" / "api"
OPENAPI = json.loads((SCHEMAS / "openapi.json").read_text())
SALE = json.loads((SCHEMAS / "sale.schema.json").read_text())
HEALTH = json.loads((SCHEMAS / "health.schema.json").read_text())
GOOD = SALE["examples"][0]
WAYS = ("technical-correction", "resend", "close")
Client = TestClient[Any, Any]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    shop = Subscriber("shop", "https://erp.example/", b"secret", INVOICE_TYPES)
    async with world(tmp_path, subscribers=(shop,)) as found:
        yield found


@pytest.fixture
async def client(place: World, tmp_path: Path) -> AsyncIterator[Client]:
    async with TestClient(TestServer(till_http(place, tokens_in(tmp_path)))) as client:
        yield client


def test_every_route_is_described_and_none_is_invented() -> None:
    served = {(route.method.lower(), route.path) for route in routes()}
    described = {(method, path) for path, item in OPENAPI["paths"].items() for method in item}
    assert described == served


def test_path_parameters_are_declared() -> None:
    for path, item in OPENAPI["paths"].items():
        for operation in item.values():
            names = {each["name"] for each in operation.get("parameters", []) if each.get("in") == "path"}
            assert names == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path


def test_operation_ids_are_unique_and_references_lead_somewhere() -> None:
    ids = [operation["operationId"] for item in OPENAPI["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)
    for reference in _references(OPENAPI):
        target: Any = OPENAPI
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_every_component_is_used() -> None:
    """Linters of descriptions warn of one that is not."""
    used = set(_references(OPENAPI)) | {"#/components/securitySchemes/bearer"}
    kinds = OPENAPI["components"].items()
    assert {f"#/components/{kind}/{name}" for kind, parts in kinds for name in parts} <= used


def test_the_generated_client_knows_every_kind_of_file() -> None:
    """openapi-python-client leaves out an operation whose answer it cannot read."""
    settings = SCHEMAS.parents[1] / "examples" / "generated" / "openapi-python-client.yaml"
    known = {"application/octet-stream", *re.findall(r"^  (\S+): ", settings.read_text(), re.MULTILINE)}
    operations = (operation for item in OPENAPI["paths"].values() for operation in item.values())
    kinds = {kind for each in operations for answer in each["responses"].values() for kind in answer.get("content", {})}
    assert {kind for kind in kinds if not kind.startswith("text/") and not kind.endswith("json")} <= known


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in _references(value)]
    if isinstance(part, list):
        return [found for value in part for found in _references(value)]
    return []


def test_schemas_are_schemas() -> None:
    for schema in (SALE, HEALTH, *OPENAPI["components"]["schemas"].values()):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_committed_files_are_the_generated_ones() -> None:
    for name, text in documents().items():
        assert (SCHEMAS / name).read_text() == text, "make openapi"


def _schemas(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document, with its place."""
    if isinstance(part, dict):
        if "type" in part or "enum" in part or "oneOf" in part or "const" in part:
            yield path, part
        for name, inner in part.items():
            if name not in {"example", "examples", "value"}:
                yield from _schemas(inner, f"{path}/{name}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _schemas(inner, f"{path}/{index}")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_nothing_that_generators_stumble_over() -> None:
    """Each made a generator fail, or its output not compile; the run with the real ones: make test-clients."""
    for path, schema in _schemas(OPENAPI):
        assert "const" not in schema, f"{path}: a boolean with one value, and no enum elsewhere"
        assert "default" not in schema, f"{path}: a default makes a field required"
        if "enum" in schema:
            assert schema.get("type") == "string", f"{path}: an enum of several types"
    for name, schema in OPENAPI["components"]["schemas"].items():
        assert _snake(name) not in schema.get("properties", {}), f"{name}: shadowed by its own field in Python"
    assert "additionalProperties" not in OPENAPI["components"]["schemas"]["Invoice"], "fields may be added"
    assert OPENAPI["components"]["schemas"]["SaleLine"]["additionalProperties"] is False, "unknown fields are refused"


def test_every_operation_says_what_a_reader_and_a_linter_want() -> None:
    tags = {tag["name"] for tag in OPENAPI["tags"]}
    for path, item in OPENAPI["paths"].items():
        for method, operation in item.items():
            place = f"{method} {path}"
            assert set(operation["tags"]) <= tags, place
            assert operation["summary"], place
            assert operation["description"].endswith("."), place
            assert {"400", "421", "default"} <= operation["responses"].keys(), place
    assert OPENAPI["servers"][0]["url"] == f"http://127.0.0.1:{ApiSettings().port}"
    assert OPENAPI["webhooks"]["invoiceEvent"]["post"]["requestBody"]


def test_a_refusal_names_its_codes() -> None:
    said = " ".join(each["description"] for each in OPENAPI["components"]["responses"].values())
    of_the_page = {"pin-locked"}
    assert {code for code in PROBLEMS if f"`{code}`" not in said} == {"method-not-allowed"} | of_the_page


async def test_the_examples_are_what_they_are_examples_of(client: Client) -> None:
    for name, example in examples.SALES.items():
        jsonschema.validate(example["value"], SALE)
        response = await client.post("/v1/invoices", headers=MANAGER | key(name), json=example["value"])
        assert response.status == 201, await response.text()
    for name, example in examples.BUYERS.items():
        basket = examples.SALES["consumer"]["value"] | {"buyer": example["value"]}
        response = await client.post("/v1/invoices", headers=MANAGER | key(f"buyer-{name}"), json=basket)
        assert response.status == 201, await response.text()
    jsonschema.validate(examples.INVOICE, _closed("Invoice"))
    jsonschema.validate(examples.PROBLEM, _closed("Problem"))
    assert title_of(examples.PROBLEM["code"]) == examples.PROBLEM["title"]


def _closed(name: str) -> dict[str, Any]:
    """Return a schema that takes no field it does not name: whatever is answered is described."""
    return _close({"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]})  # type: ignore[no-any-return]


def _close(part: Any) -> Any:
    if isinstance(part, list):
        return [_close(each) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {name: _close(each) for name, each in part.items()}
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


async def test_webhooks_have_the_described_form(place: World) -> None:
    invoice = await place.sell(external_ref="order-7")
    await counter.correct(place, invoice.id, b'{"kind": "full_return"}', "return", fakes.CASHIER)
    shop = fakes.FakeSubscriber()
    subscriber = Subscriber("shop", "https://erp.example/", b"secret", INVOICE_TYPES)
    assert await place.outbox(shop, subscriber).deliver_all()
    messages = [json.loads(each) for each in shop.messages]
    assert {"invoice.issued", "invoice.accepted", "invoice.corrected"} <= {each["type"] for each in messages}
    for message in messages:
        jsonschema.validate(message, _closed("WebhookMessage"))
    described = OPENAPI["components"]["schemas"]["WebhookMessage"]["properties"]["type"]["enum"]
    assert set(INVOICE_TYPES.values()) == set(described)


def _fields_of(schema: dict[str, Any], place: str, found: dict[str, set[str]]) -> None:
    """Collect the fields of the described objects by the same places."""
    schema = SALE["$defs"][schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
    for each in schema.get("oneOf", []):
        _fields_of(each, place, found)
    if "items" in schema:
        _fields_of(schema["items"], f"{place}/*", found)
    for name, inner in schema.get("properties", {}).items():
        found.setdefault(place, set()).add(name)
        _fields_of(inner, f"{place}/{name}", found)


def test_every_field_of_the_sale_is_described_and_none_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}
    take = Fields.take

    def recorded(self: Fields, name: str, *, required: bool = False) -> object | None:
        asked.setdefault(re.sub(r"/[0-9]+", "/*", self.pointer), set()).add(name)
        return take(self, name, required=required)

    monkeypatch.setattr(Fields, "take", recorded)
    address = {"line1": "ul. Prosta 1", "country": "US"}
    everything = GOOD | {
        "buyer": {"foreign_id": {"country": "US", "number": "1"}, "name": "Firma", "address": address},
        "recipient": {"name": "Szkoła", "address": address},
        "receipt": {"number": "1"},
        "notes": [{"key": "a", "value": "b"}],
        "deposits": [{"name": "Kaucja", "amount": "1"}],
        "payments": [{"method": "cash", "amount": "1"}],
        "simplified": True,
    }
    for exemption in ({"act": "x"}, {"directive": "x"}, {"other": "x"}):
        with suppress(BadInput):
            parse_sale(everything | {"exemption": exemption}, today=date(2026, 11, 24))
    described: dict[str, set[str]] = {}
    _fields_of(SALE, "", described)
    assert asked == described


def test_health_is_the_same_in_both_places() -> None:
    inside = OPENAPI["components"]["schemas"]["Health"]["properties"]
    assert inside.keys() == HEALTH["properties"].keys()


def test_sale_schema_and_parser_agree() -> None:
    """What the parser takes is in the schema; a field the schema does not know is refused by the parser."""
    jsonschema.validate(GOOD, SALE)
    parse_sale(GOOD, today=date(2026, 11, 24))
    full = GOOD | {
        "sold_on": "2026-11-23",
        "currency": "EUR",
        "exchange_rate": "4.25",
        "receipt": {"number": "123/2026", "register": "ABC1234567890", "nip": "526-025-02-74"},
        "notes": [{"key": "Zamówienie", "value": "7"}],
        "external_ref": "order-7",
        "lines": [
            {
                "name": "Kawa",
                "quantity": "1.5",
                "unit": "kg",
                "unit_price": "40",
                "vat": "23",
                "discount": "1.00",
                "gtu": "GTU_01",
                "annex_15": True,
            },
            {"name": "Lekcja", "quantity": 1, "unit_price": 10, "vat": "zw"},
        ],
        "exemption": {"act": "art. 43 ust. 1 pkt 26"},
        "payments": [
            {"method": "cash", "amount": "70.00"},
            {"method": "transfer", "amount": "4.00", "due": "2026-12-08"},
        ],
        "recipient": {"role": "local_government", "internal_id": "5260250274-00001", "name": "Szkoła nr 5"},
        "deposits": [{"name": "Kaucja 10 × 0,50 zł", "amount": "5.00"}],
    }
    jsonschema.validate(full, SALE)
    parse_sale(full, today=date(2026, 11, 24))
    properties = set(SALE["properties"]) | set(SALE["$defs"]["SaleLine"]["properties"])
    assert properties >= set(full) | set(full["lines"][0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(GOOD | {"unknown": 1}, SALE)
    with pytest.raises(BadInput):
        parse_sale(GOOD | {"unknown": 1}, today=date(2026, 11, 24))


async def answer(client: Client, method: str, path: str, template: str, **more: Any) -> Any:
    """Ask, and check the answer against what the document says of it."""
    headers = MANAGER | more.pop("headers", {})
    response = await client.request(method, path, headers=headers, **more)
    operation = OPENAPI["paths"][template][method.lower()]
    described = operation["responses"].get(str(response.status))
    if described is None:
        assert response.status >= 400, (template, response.status)
        described = operation["responses"]["default"]
    if "$ref" in described:
        described = OPENAPI["components"]["responses"][described["$ref"].rsplit("/", 1)[-1]]
    assert response.content_type in described["content"], (template, response.content_type)
    if not response.content_type.endswith("json"):
        return await response.read()
    body = await response.json()
    schema = described["content"][response.content_type]["schema"]
    jsonschema.validate(body, _close(schema | {"components": OPENAPI["components"]}))
    return body


def key(word: str) -> dict[str, str]:
    return {"Idempotency-Key": word}


async def ask_about_files(ask: Callable[..., Awaitable[Any]]) -> None:
    """One document of each status, with the line down, and a file that is none."""
    coffee = Item("KAWA", "Kawa", Decimal("64.90"), Decimal(2))
    back = replace(coffee, quantity=Decimal(1), before=coffee)
    file = epp(
        Paperwork([coffee], number="FS 1/2026"),
        Paperwork([coffee], number="FS 2/2026", fields={18: "1111111112"}),
        Paperwork([coffee], kind="WZ"),
        Paperwork([back], kind="KFS", number="KFS 1/2026", fields={8: "FS 1/2026"}),
        info={11: SELLER.nip},
    )
    headers = {"Idempotency-Key": "epp", "Content-Type": "application/x-epp"}
    answer = await ask("POST", "/v1/exchange", data=file, headers=headers)
    assert [each["status"] for each in answer["documents"]] == ["issued", "refused", "skipped", "waiting"]
    assert answer["status"] == "partly"
    assert (await ask("POST", "/v1/exchange", data=b"{}", headers=headers))["code"] == "epp-malformed"
    await ask("POST", "/v1/exchange", data=file, headers={"Idempotency-Key": "epp"})


async def test_real_answers_have_the_described_form(client: Client, place: World) -> None:
    one = "/v1/invoices/{id}"
    asked: set[tuple[str, str]] = set()

    async def ask(method: str, template: str, path: str = "", **more: Any) -> Any:
        asked.add((method.lower(), template))
        return await answer(client, method, path or template, template, **more)

    await ask("POST", "/v1/preview", json=GOOD)
    await ask("POST", "/v1/preview", json={"lines": []})
    made = await ask("POST", "/v1/invoices", json=GOOD, headers=key("1"))
    await ask("POST", "/v1/invoices", json=GOOD, headers=key("1"))
    await ask("POST", "/v1/invoices", json=GOOD)
    here = f"/v1/invoices/{made['id']}"
    for tail in ("", "/xml", "/upo", "/receipt.png", "/receipt.txt", "/receipt.pdf", "/receipt.escpos", "/code.svg"):
        await ask("GET", one + tail, here + tail)
    for tail in ("/events", "/prints"):
        await ask("GET", one + tail, here + tail)
    await ask("POST", f"{one}/reprint", f"{here}/reprint")
    right = {"kind": "buyer", "buyer": sale()["buyer"]}
    await ask("POST", f"{one}/corrections", f"{here}/corrections", json=right, headers=key("2"))
    await place.lose_the_line()
    await ask_about_files(ask)
    offline = [
        (await ask("POST", "/v1/invoices", json=GOOD, headers=key(f"offline-{number}")))["id"] for number in range(4)
    ]
    held = {"kind": "full_return", "reason": "zwrot"}
    path = f"/v1/invoices/{offline[0]}/corrections"
    waiting = await ask("POST", f"{one}/corrections", path, json=held, headers=key("4"))
    await ask("POST", f"{one}/corrections", path, json=held, headers=key("4"))
    outside = {"base": {}, "correction": held}
    await ask("POST", "/v1/corrections", json=outside, headers=key("5"))
    technical, resend, close = (f"/v1/invoices/{each}/{way}" for each, way in zip(offline[1:], WAYS, strict=True))
    await ask("POST", f"{one}/technical-correction", technical)
    for invoice_id, code in zip(offline[1:], (450, 410, 450), strict=True):
        await place.be_rejected(invoice_id, code)
    await ask("POST", f"{one}/technical-correction", technical)
    await ask("POST", f"{one}/resend", resend)
    await ask("POST", f"{one}/close", f"{here}/close", json={"reason": "inny dokument"})
    await ask("POST", f"{one}/close", close, json={"reason": "inny dokument"})
    path, found = "/v1/corrections/{id}", f"/v1/corrections/{waiting['held']['id']}"
    for method, tail in (("GET", ""), ("POST", "/reprint")):
        await ask(method, path + tail, found + tail)
        await ask(method, path + tail, f"/v1/corrections/nobody{tail}")
    await place.be_rejected(offline[0])
    await place.rejected.close(offline[0], "inny dokument", fakes.MANAGER)
    await place.pending.issue_ready()
    await ask("POST", f"{path}/close", f"{found}/close", json={"reason": "oddano gotówką"})
    for path in ("/v1/invoices", "/v1/queue", "/v1/corrections", "/v1/mode", "/v1/status", "/v1/page", "/openapi.json"):
        await ask("GET", path)
    await ask("GET", "/v1/changes", "/v1/changes?wait=0")
    await ask("GET", "/v1/register", "/v1/register?month=2026-11")
    await ask("GET", "/v1/register", "/v1/register?month=2026-11&format=csv")
    await ask("GET", "/v1/register/changes", "/v1/register/changes?month=2026-11&since=2026-11-01")
    await ask("GET", "/v1/register/counts", "/v1/register/counts?month=2026-11")
    await ask("GET", "/v1/register", "/v1/register?month=2026-11&format=jpk")
    await ask("GET", "/v1/register", "/v1/register?month=2026-11&format=jpk-csv&dialect=excel&bom=0")
    await ask("GET", "/v1/register", "/v1/register?month=2026-11&format=payments")
    for query in ("month=2026-11", "month=2025-01"):
        await ask("GET", "/v1/register/changes", f"/v1/register/changes?{query}")
    await ask("GET", "/v1/register/ksef", "/v1/register/ksef?month=2026-11")
    await place.restore_the_line()
    await ask("GET", "/v1/register/ksef", "/v1/register/ksef?month=2026-11&from=2026-11-24")
    await place.lose_the_line()
    await ask("GET", "/v1/outbox")
    for start in (1, "x", 10_000):
        await ask("POST", "/v1/outbox/replay", json={"from": start})
    await ask("GET", "/v1/evidence", "/v1/evidence?from=2026-11-01&to=2026-11-30")
    await ask("GET", "/v1/annex")
    await ask("GET", "/v1/retention")
    await ask("POST", "/v1/retention")
    (outage, *_) = (await ask("GET", "/v1/outages", "/v1/outages?from=2026-11-01&to=2026-11-30"))["outages"]
    for tail in (outage["name"], f"{outage['name']}?format=pdf", "nothing"):
        await ask("GET", "/v1/outages/{name}", f"/v1/outages/{tail}")
    await ask("GET", "/v1/buyers", "/v1/buyers?text=fin")
    await ask("GET", "/v1/buyers/{nip}", f"/v1/buyers/{KNOWN_NIP}")
    await ask("GET", "/v1/buyers/{nip}", "/v1/buyers/9999999999")
    await ask("POST", "/v1/sync")
    await ask("POST", "/v1/mode", json={"mode": "offline24", "reason": "brak sieci"})
    await ask("DELETE", "/v1/mode", json={"reason": "działa"})
    shown = await ask("GET", "/v1/clock")
    for day in ("2020-01-01", "jutro", shown["date"]):
        await ask("POST", "/v1/clock", json={"date": day})
    described = {(method, path) for path, item in OPENAPI["paths"].items() for method in item}
    assert asked == described
