"""Batch sessions of the sandbox: archives, parts, partial failure, and packages that are refused as a whole."""

from __future__ import annotations

import asyncio
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.sandbox.sandbox_client import FORM_CODE, Answer, Client, b64, invoice, running, sha256

HEADERS = {"x-ms-blob-type": "BlockBlob"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        await started.sign_in()
        yield started


def zipped(*files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, file in enumerate(files):
            archive.writestr(f"{index}.xml", file)
    return buffer.getvalue()


def tarred(*files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for index, file in enumerate(files):
            entry = tarfile.TarInfo(f"{index}.xml")
            entry.size = len(file)
            archive.addfile(entry, io.BytesIO(file))
    return buffer.getvalue()


async def open_batch(client: Client, package: bytes, *, parts: int = 1, **changes: Any) -> tuple[Answer, list[bytes]]:
    """Open a session for a package cut into encrypted parts."""
    step = -(-len(package) // parts)
    pieces = [client.encrypt(package[start : start + step]) for start in range(0, len(package), step)]
    file: dict[str, Any] = {
        "fileSize": len(package),
        "fileHash": b64(sha256(package)),
        "fileParts": [
            {"ordinalNumber": index, "fileSize": len(piece), "fileHash": b64(sha256(piece))}
            for index, piece in enumerate(pieces, 1)
        ],
        **changes,
    }
    body = {"formCode": FORM_CODE, "encryption": await client.encryption(), "batchFile": file}
    return await client.call("POST", "/sessions/batch", body), pieces


async def upload(client: Client, opened: Answer, pieces: list[bytes]) -> list[int]:
    places = opened.body["partUploadRequests"]
    answers = [
        await client.call(place["method"], place["url"], data=piece, token="", headers=place["headers"])
        for place, piece in zip(places, pieces, strict=True)
    ]
    return [answer.status for answer in answers]


async def finish(client: Client, opened: Answer) -> dict[str, Any]:
    """Close, let it work, return the session's status answer."""
    reference = opened.body["referenceNumber"]
    closed = await client.call("POST", f"/sessions/batch/{reference}/close")
    assert closed.status == 204, closed.body
    for _ in range(200):
        await asyncio.sleep(0)
        await client.clock.advance(1)
        status = (await client.call("GET", f"/sessions/{reference}")).body
        if status["status"]["code"] != 150:
            return dict(status)
    raise AssertionError("the batch was never done")


async def invoices(client: Client, opened: Answer) -> list[dict[str, Any]]:
    path = f"/sessions/{opened.body['referenceNumber']}/invoices?pageSize=1000"
    return list((await client.call("GET", path)).body["invoices"])


@pytest.mark.parametrize(("pack", "kind"), [(zipped, "Zip"), (tarred, "TarGz")])
@pytest.mark.parametrize("parts", [1, 3])
async def test_good_invoices_are_accepted_and_bad_ones_are_not(
    client: Client, pack: Any, kind: str, parts: int
) -> None:
    files = [invoice("FV/1"), b"<Faktura/>", invoice("FV/2"), invoice("FV/1", tail="<!-- again -->")]
    opened, pieces = await open_batch(client, pack(*files), parts=parts, compressionType=kind)
    assert set(await upload(client, opened, pieces)) == {201}
    status = await finish(client, opened)

    assert status["status"]["code"] == 200
    assert (status["invoiceCount"], status["successfulInvoiceCount"], status["failedInvoiceCount"]) == (4, 2, 2)
    found = await invoices(client, opened)
    assert [item["status"]["code"] for item in found] == [200, 450, 200, 440]
    assert [item["invoiceHash"] for item in found] == [b64(sha256(file)) for file in files]
    assert [item["invoiceFileName"] for item in found] == ["0.xml", "1.xml", "2.xml", "3.xml"]
    assert {entry.key[2] for entry in client.sandbox.ledger.entries()} == {"FV/1", "FV/2"}
    page = status["upo"]["pages"][0]
    assert (await client.call("GET", page["downloadUrl"], token="")).status == 200


async def test_the_day_of_opening_counts(client: Client) -> None:
    client.sandbox.behaviour.batch_upload_lifetime = client.sandbox.behaviour.access_token_lifetime = 86400
    await client.sign_in()
    opened, pieces = await open_batch(client, zipped(invoice()))
    await client.clock.advance(20 * 3600)
    await upload(client, opened, pieces)
    await finish(client, opened)
    assert [item["invoicingMode"] for item in await invoices(client, opened)] == ["Online"]


async def test_nothing_valid(client: Client) -> None:
    opened, pieces = await open_batch(client, zipped(b"<x/>"))
    await upload(client, opened, pieces)
    assert (await finish(client, opened))["status"]["code"] == 445


async def test_more_invoices_than_a_session_takes(client: Client) -> None:
    client.sandbox.behaviour.max_invoices = 1
    opened, pieces = await open_batch(client, zipped(invoice("FV/1"), invoice("FV/2")))
    await upload(client, opened, pieces)
    assert (await finish(client, opened))["status"]["code"] == 420


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"fileHash": b64(bytes(32))}, 405), ({"fileSize": 17}, 405), ({"compressionType": "TarGz"}, 430)],
)
async def test_packages_that_are_not_what_was_declared(client: Client, changes: dict[str, Any], code: int) -> None:
    opened, pieces = await open_batch(client, zipped(invoice()), **changes)
    await upload(client, opened, pieces)
    assert (await finish(client, opened))["status"]["code"] == code


async def test_parts_that_are_not_what_was_declared(client: Client) -> None:
    opened, pieces = await open_batch(client, zipped(invoice()))
    await upload(client, opened, [bytes(len(pieces[0]))])
    assert (await finish(client, opened))["status"]["code"] == 405
    assert len(client.sandbox.ledger) == 0


async def test_parts_that_the_session_s_key_does_not_open(client: Client) -> None:
    package = zipped(invoice())
    foreign = client.never_opens()
    part = {"ordinalNumber": 1, "fileSize": len(foreign), "fileHash": b64(sha256(foreign))}
    opened, _ = await open_batch(client, package, fileParts=[part])
    await upload(client, opened, [foreign])
    assert (await finish(client, opened))["status"]["code"] == 435


async def test_closing_wants_all_parts_in_their_sizes_and_once(client: Client) -> None:
    opened, pieces = await open_batch(client, zipped(invoice(), invoice("FV/2")), parts=2)
    path = f"/sessions/batch/{opened.body['referenceNumber']}/close"
    assert (await client.call("POST", path)).code == 21205
    await upload(client, opened, [pieces[0], b"short"])
    assert (await client.call("POST", path)).code == 21157
    await upload(client, opened, pieces)
    assert (await client.call("POST", path)).status == 204
    assert (await client.call("POST", path)).code == 21180


async def test_storage_wants_the_signed_address_and_no_token(client: Client) -> None:
    opened, pieces = await open_batch(client, zipped(invoice()))
    url = opened.body["partUploadRequests"][0]["url"]
    assert (await client.call("PUT", url, data=pieces[0], headers=HEADERS)).status == 403
    assert (await client.call("PUT", url + "x", data=pieces[0], headers=HEADERS, token="")).status == 403
    assert (await client.call("PUT", url, data=pieces[0], token="")).status == 400
    await client.clock.advance(3600)
    assert (await client.call("PUT", url, data=pieces[0], headers=HEADERS, token="")).status == 403


async def test_declarations_that_are_refused(client: Client) -> None:
    package = zipped(invoice())
    part = {"ordinalNumber": 1, "fileSize": 1, "fileHash": b64(bytes(32))}
    many = [{**part, "ordinalNumber": index} for index in range(1, 52)]
    assert (await open_batch(client, package, fileParts=many))[0].code == 21161
    assert (await open_batch(client, package, fileParts=[{**part, "fileSize": 100_000_017}]))[0].code == 21157
    assert (await open_batch(client, package, fileParts=[{**part, "ordinalNumber": 2}]))[0].code == 21405
    assert (await open_batch(client, package, compressionType="Rar"))[0].code == 21405


async def test_a_session_that_nobody_closes_is_cancelled(client: Client) -> None:
    opened, _ = await open_batch(client, zipped(invoice()))
    await client.clock.advance(3600)
    await client.sign_in()
    reference = opened.body["referenceNumber"]
    assert (await client.call("POST", f"/sessions/batch/{reference}/close")).code == 21208
    assert (await client.call("GET", f"/sessions/{reference}")).body["status"]["code"] == 440
