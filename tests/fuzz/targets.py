"""What is fuzzed: each reader of bytes from outside, good inputs to spoil, and the errors that its docstring names."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import cast

from agent.demo.sales import sample_sale
from agent.domain import ksef_number
from agent.domain.errors import BadInput, ConfigError
from agent.domain.exchange.encoding import looks_like_exchange
from agent.domain.exchange.file import read_file
from agent.domain.fa3.supplied import check_ready
from agent.domain.identifiers import bare_nip, polish_nip_in, split_eu_vat, valid_account, valid_gtin, valid_nip
from agent.domain.json_io.body import parse_object
from agent.domain.json_io.codec import PlainError, from_plain
from agent.domain.json_io.encoding import to_utf_8
from agent.domain.links import codes_name_document
from agent.domain.outages import latarnia
from agent.domain.records.upo import taken_offline
from agent.domain.sale.parse import parse_sale
from agent.hub_contract import certificates, heartbeat, offers, status
from agent.hub_contract.reading import ContractError
from agent.hub_route import client as hub_client
from agent.ksef import responses, verdicts
from agent.ports import KsefError
from agent.services.exchange import names
from agent.settings.load import load
from agent.system import service_unit
from printers.device.status_bytes import StatusParser
from printers.escpos import parse, printed_page
from printers.escpos.encode import encode
from printers.hardware_day import protocol
from printers.profiles.models import PROFILES
from tests.fakes.evidence_bundle import verify_zip_files
from tests.fakes.exchange import Item, Paperwork, epp
from tests.reference import FA3_SAMPLES, UPO_SCHEMA
from tests.unit.fa3 import fa3_documents
from tests.unit.printers.slips import invoice
from tests.unit.sale.sale_samples import fa3_schema

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 29)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
NIP = "9999999999"


@dataclass(frozen=True)
class Target:
    """One reader. ``documented``: the errors that it may raise; ``seeds``: what it reads without one."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    documented: tuple[type[Exception], ...] = ()


def _body(**document: object) -> bytes:
    return json.dumps(document).encode()


def _json(data: bytes) -> object:
    """Read JSON where the reader that is fuzzed gets it read."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _answer(data: bytes, media_type: str = "application/json", **headers: str) -> responses.Answer:
    return responses.Answer(200, data, {"content-type": media_type, **headers})


def _ksef_json(data: bytes) -> object:
    """All shapes that KSeF's answers have, of one answer."""
    answer = _answer(data)
    found: list[object] = [responses.problems(answer)]
    for read in (_members, verdicts.read_verdict):
        try:
            fields = answer.fields()
            found.append(read(fields))
        except KsefError as error:
            found.append(error.body)
    return found


def _members(fields: responses.Fields) -> object:
    fields.readable(
        "invoices", lambda item: (item.text("ksefNumber"), item.instant("invoicingDate"), item.day("issueDate"))
    )
    fields.optional_text("referenceNumber")
    fields.object("status").number("code")
    return fields.amount("grossAmount"), fields.decoded("invoiceHash"), fields.strings("headers")


def _retry(data: bytes) -> object:
    return responses.retry_after(_answer(b"", **{"retry-after": data.decode("latin-1")}), NOW)


def _session_upo(data: bytes) -> object:
    return verdicts.read_upo_page(_answer(data, "application/xml"), "s", "r", 1, 1)


def _latarnia(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    return latarnia.parse(text, text)


def _settings(data: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(data)
        return load(path, need_files=False)


def _hub(data: bytes) -> object:
    value = _json(data)
    for read in (heartbeat.heartbeat_from_json, heartbeat.news_from_json, status.status_from_json,
                 status.confirmation_from_json, status.page_from_json, status.line_from_json,
                 certificates.pair_from_json):  # fmt: skip
        try:
            read(value)
        except ContractError:
            continue
    return status.outcomes_from_json(value) if isinstance(value, dict) else None


def _hub_query(data: bytes) -> object:
    pairs = (part.partition("=") for part in data.decode("latin-1").split("&"))
    return offers.claims_from_query({name: value for name, _, value in pairs})


def _status_bytes(data: bytes) -> object:
    parser = StatusParser()
    found = [answer for at in range(0, len(data), 3) for answer in parser.feed(data[at : at + 3])]
    assert len(parser._buffer) <= 16, "what is not understood piles up"
    return found


def _names(data: bytes) -> object:
    name = os.fsdecode(data.replace(b"/", b"").replace(b"\0", b""))
    stem = names.stem_of(name)
    answer = names.result_name(stem, "json", 2)
    assert len(os.fsencode(answer)) < 256
    assert not names.wanted(names.FORMATS)(answer), "an answer would be taken for an order"
    assert names.answer_of(stem, answer) is not None
    return names.format_of(name)


def _escpos(data: bytes) -> object:
    return printed_page.compose(data, PROFILES["epson-tm-t20"])


def _archive(data: bytes) -> object:
    """An evidence bundle of one JSON document: names and contents."""
    value = _json(data)
    if not isinstance(value, dict):
        return None
    return verify_zip_files({str(name): _as_bytes(content) for name, content in value.items()})


def _as_bytes(content: object) -> bytes:
    return (content if isinstance(content, str) else json.dumps(content)).encode("utf-8", "surrogatepass")


def _identifiers(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    return [bare_nip(text), valid_nip(text), split_eu_vat(text), valid_account(text), valid_gtin(text),
            polish_nip_in(text, "PL")]  # fmt: skip


def _rules(data: bytes) -> object:
    found = service_unit.parse_rules(data.decode("utf-8", "replace"))
    return found and found.settings_file


_SALE = _body(**cast("dict[str, object]", sample_sale("nip")))
_UPO = tuple(path.read_bytes() for path in sorted(UPO_SCHEMA.parent.glob("*.xml")))
_XML = (fa3_documents.document(), *(path.read_bytes() for path in FA3_SAMPLES))
_MESSAGES = _body(
    status="FAILURE",
    messages=[
        {"id": "1", "eventId": 7, "category": "FAILURE", "type": "FAILURE_START", "title": "Awaria", "text": "t",
         "start": "2026-11-29T10:00:00+01:00", "end": None, "version": 1, "published": "2026-11-29T10:00:00+01:00"}
    ],
)  # fmt: skip
_INDEX = {
    "index.json": {"format": "ksef-agent-evidence-1"},
    "faktury/1/metadane.json": {"id": "i"},
    "dziennik.jsonl": "{}",
}
_TOML = tuple((ROOT / name).read_bytes() for name in ("config.example.toml",))


@cache
def targets() -> dict[str, Target]:
    """By name."""
    return {
        "json-body": Target(parse_object, (_SALE, b"{}", b'{"a": [1, 2.5, "x"]}'), (BadInput,)),
        "json-file": Target(lambda data: parse_object(to_utf_8(data)), (_SALE, "{}".encode("utf-16")), (BadInput,)),
        "sale": Target(
            lambda data: parse_sale(parse_object(data), today=TODAY, seller_nip=NIP),
            (_SALE, _body(**cast("dict[str, object]", sample_sale("consumer")))),
            (BadInput,),
        ),
        "fa3": Target(
            lambda data: check_ready(data, schema=fa3_schema(), seller_nip=NIP, today=TODAY), _XML, (BadInput,)
        ),
        "epp": Target(read_file, _exchange(), (BadInput,)),
        "looks-like-epp": Target(looks_like_exchange, _exchange()),
        "link": Target(
            lambda data: codes_name_document([data.decode("utf-8", "replace")], bytes(32)),
            (b"https://qr.ksef.mf.gov.pl/invoice/9999999999/29-11-2026/" + b"A" * 43,),
        ),
        "identifiers": Target(_identifiers, (b"PL 526-587-76-35", b"DE123456789", b"5901234123457")),
        "ksef-number": Target(
            lambda data: ksef_number.check_any(data.decode("utf-8", "replace")),
            (b"5265877635-20250826-0100001AF629-AF",),
            (ValueError,),
        ),
        "upo-way": Target(taken_offline, _UPO),
        "upo": Target(lambda data: verdicts.read_upo(_answer(data, "application/xml")), _UPO, (KsefError,)),
        "upo-page": Target(_session_upo, _UPO, (KsefError,)),
        "ksef-answer": Target(
            _ksef_json,
            (
                _body(
                    status={"code": 200, "description": "x", "details": []},
                    ksefNumber=None,
                    invoicingDate="2026-11-29T10:00:00Z",
                ),
                _body(title="x", status=400, detail="y", errors=[{"code": 1, "description": "x", "details": ["z"]}]),
                _body(exception={"exceptionDetailList": [{"exceptionCode": 1, "exceptionDescription": "x"}]}),
                _body(
                    invoices=[{"ksefNumber": "1", "invoicingDate": "2026-11-29T10:00:00Z", "issueDate": "2026-11-29"}],
                    grossAmount=1.5,
                    invoiceHash="AAAA",
                    headers={"a": "b"},
                    status={"code": 1},
                ),
            ),
        ),
        "retry-after": Target(_retry, (b"30", b"Sun, 29 Nov 2026 10:00:00 GMT", b"0.5")),
        "latarnia": Target(_latarnia, (_MESSAGES, b'{"status": "AVAILABLE"}', b"[]"), (latarnia.BadAnswer,)),
        "settings": Target(_settings, _TOML, (ConfigError,)),
        "status-bytes": Target(_status_bytes, (b"\x12\x12\x37\x221234\x00\x00", b"\x10\x0c\x00\x00\x37\x25\x00\x16")),
        "hub-contract": Target(_hub, _contract(), (ContractError, ValueError)),
        "hub-line": Target(
            offers.offer_from_line, (_body(sha256="00" * 32, xml="AAAA", offline=True),), (ContractError,)
        ),
        "hub-problem": Target(
            lambda data: hub_client._problem(_answer(data, hub_client.PROBLEM)), (_body(code="a", detail="b"),)
        ),
        "hub-query": Target(_hub_query, (b"offline=true&version=1&urgent=0&deadline=2026-11-30",), (ContractError,)),
        "folder-names": Target(_names, (b"zamowienie-4711.json", b"a.result.json", b"\xb1.EPP", b"x" * 250 + b".xml")),
        "escpos": Target(
            _escpos,
            tuple(encode(invoice(), PROFILES[name]) for name in ("epson-tm-t20", "generic-80")),
            (parse.UnknownBytes, parse.Incomplete, printed_page.PageError),
        ),
        "archive": Target(_archive, (json.dumps(_INDEX).encode(),), (ValueError,)),
        "print-test-protocol": Target(protocol.from_json, (_protocol(),), (protocol.Unreadable,)),
        "stored-json": Target(
            lambda data: from_plain(protocol.Attempt, _json(data)), (b'{"step": "a"}',), (PlainError, ValueError)
        ),
        "unit-file": Target(_rules, ((ROOT / "systemd" / "ksef-agent.service").read_bytes(),)),
    }


def _exchange() -> tuple[bytes, ...]:
    coffee = Item("1", "Kawa żółta", Decimal("9.99"), Decimal(2))
    return (epp(Paperwork([coffee], number="FS 1/2026")),)


def _contract() -> tuple[bytes, ...]:
    found = [path.read_text("utf-8") for path in sorted((ROOT / "tests/contract/hub_exchanges").rglob("*.json"))]
    bodies: list[bytes] = []
    for text in found:
        bodies += [json.dumps(each).encode() for each in _objects(json.loads(text))]
    return tuple(bodies[:40]) or (b"{}",)


def _objects(value: object) -> list[object]:
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in _objects(item))]
    return [found for item in value for found in _objects(item)] if isinstance(value, list) else []


def _protocol() -> bytes:
    return protocol.to_json(
        protocol.Protocol(protocol.FORMAT, 1, "a", "0", "6", NOW, attempts=(protocol.Attempt("slip", 1, 0, NOW),))
    )
