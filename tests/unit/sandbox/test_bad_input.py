"""Whatever a client sends, the sandbox answers as KSeF does: a 4xx with a code, never an error of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.unit.sandbox.sandbox_client import FORM_CODE, Client, b64, running

WRONG: tuple[Any, ...] = (None, True, 5, -1, 10**30, "", "x", "\ud800", "ąę=", [], [1], {}, {"a": []})
UNREADABLE = (b"", b"{", b"null", b"[]", b'"x"', b"5", b"\xff\xfe", b"[" * 5000, b'{"a":NaN')
HASH = b64(bytes(32))
PART = {"ordinalNumber": 1, "fileSize": 1, "fileHash": HASH}
ENCRYPTION = {"encryptedSymmetricKey": b64(bytes(256)), "initializationVector": b64(bytes(16))}
BODIES: dict[str, dict[str, Any]] = {
    "/auth/ksef-token": {
        "challenge": "20261124-CR-0000000000-0000000000-00",
        "contextIdentifier": {"type": "Nip", "value": "5265877635"},
        "encryptedToken": b64(bytes(256)),
        "publicKeyId": HASH,
    },
    "/sessions/online": {"formCode": FORM_CODE, "encryption": ENCRYPTION},
    "/sessions/online/{session}/invoices": {
        "invoiceHash": HASH,
        "invoiceSize": 1,
        "encryptedInvoiceHash": HASH,
        "encryptedInvoiceSize": 1,
        "encryptedInvoiceContent": b64(b"x"),
        "offlineMode": True,
        "hashOfCorrectedInvoice": HASH,
    },
    "/sessions/batch": {
        "formCode": FORM_CODE,
        "encryption": ENCRYPTION,
        "batchFile": {"fileSize": 1, "fileHash": HASH, "compressionType": "Zip", "fileParts": [PART]},
        "offlineMode": False,
    },
    "/certificates/enrollments": {"certificateName": "Kasa 1", "certificateType": "Offline", "csr": b64(b"x")},
    "/certificates/retrieve": {"certificateSerialNumbers": ["0" * 16]},
    "/certificates/query": {"type": "Offline", "status": "Active", "expiresAfter": "2026-11-24T00:00:00Z"},
    "/invoices/query/metadata": {
        "subjectType": "Subject1",
        "dateRange": {"dateType": "Issue", "from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"},
        "invoiceNumber": "1",
    },
}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        await started.sign_in()
        await started.open()
        yield started


def spoiled(body: Any) -> Iterator[Any]:
    """Yield the body with each member, at any depth, missing or replaced by something wrong."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield {other: kept for other, kept in body.items() if other != name}
            for inner in (*WRONG, *spoiled(value)):
                yield {**body, name: inner}
    elif isinstance(body, list):
        for index, value in enumerate(body):
            for inner in (*WRONG, *spoiled(value)):
                yield [*body[:index], inner, *body[index + 1 :]]


@pytest.mark.parametrize("path", BODIES)
async def test_wrong_members(client: Client, path: str) -> None:
    place = path.format(session=client.session)
    for body in spoiled(BODIES[path]):
        data = json.dumps(body).encode()
        answer = await client.call("POST", place, data=data, headers={"Content-Type": "application/json"})
        assert answer.status < 500, (body, answer.body)
        assert answer.status < 300 or answer.code > 0


@pytest.mark.parametrize("path", BODIES)
async def test_unreadable_bodies(client: Client, path: str) -> None:
    place = path.format(session=client.session)
    for data in UNREADABLE:
        answer = await client.call("POST", place, data=data, headers={"Content-Type": "application/json"})
        assert answer.status in (200, 400) if path == "/certificates/query" else answer.code == 21001, data


async def test_documents_that_are_no_signed_request(client: Client) -> None:
    for data in (b"", b"x", b"<a/>", b"<a>" * 5000, b"\xff", "<a b='\u0105'/>".encode("utf-16")):
        headers = {"Content-Type": "application/xml"}
        answer = await client.call("POST", "/auth/xades-signature", data=data, headers=headers, token="")
        assert answer.status == 400
        assert answer.code in (9101, 9102, 21217)
