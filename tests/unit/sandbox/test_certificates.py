"""Certificates of the sandbox: enrolment from CSR to certificate, limits, revocation."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from agent.sandbox.ksef.certificates import SUBJECT_FIELDS
from tests.fakes.clock import FakeClock
from tests.unit.sandbox.sandbox_client import Answer, Client, b64, running
from tests.unit.sandbox.test_auth import LATER, signed_request, submit

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(FakeClock(LATER)) as started:
        begun = await submit(started, await signed_request(started, started.sandbox.authentication))
        await started.outcome(begun)
        await started.redeem(begun)
        yield started


def csr(data: dict[str, str], key: Any = KEY, **changes: str) -> str:
    names = [x509.NameAttribute(SUBJECT_FIELDS[field], value) for field, value in {**data, **changes}.items()]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    return b64(request.public_bytes(serialization.Encoding.DER))


async def enroll(client: Client, request: str, kind: str = "Offline", name: str = "Kasa 1 Łódź") -> Answer:
    body = {"certificateName": name, "certificateType": kind, "csr": request}
    return await client.call("POST", "/certificates/enrollments", body)


async def subject(client: Client) -> dict[str, str]:
    return dict((await client.call("GET", "/certificates/enrollments/data")).body)


@pytest.mark.parametrize("kind", ["Authentication", "Offline"])
async def test_from_data_to_certificate(client: Client, kind: str) -> None:
    data = await subject(client)
    assert data["organizationIdentifier"] == f"VATPL-{client.sandbox.nip}"
    asked = await enroll(client, csr(data), kind)
    path = f"/certificates/enrollments/{asked.body['referenceNumber']}"
    assert (await client.call("GET", path)).body["status"]["code"] == 100
    await client.clock.advance(1)
    status = (await client.call("GET", path)).body
    assert status["status"]["code"] == 200
    serial = status["certificateSerialNumber"]

    wanted = {"certificateSerialNumbers": [serial]}
    (item,) = (await client.call("POST", "/certificates/retrieve", wanted)).body["certificates"]
    certificate = x509.load_der_x509_certificate(base64.b64decode(item["certificate"]))
    assert certificate.public_key() == KEY.public_key()
    assert f"{certificate.serial_number:016X}" == serial
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.content_commitment, usage.digital_signature) == (kind == "Offline", kind != "Offline")
    certificate.verify_directly_issued_by(client.sandbox.authority.certificate)

    listed = (await client.call("POST", "/certificates/query", {"type": kind})).body["certificates"]
    assert serial in [found["certificateSerialNumber"] for found in listed]


async def test_requests_that_are_refused(client: Client) -> None:
    data = await subject(client)
    assert (await enroll(client, csr(data, commonName="Inna firma"))).code == 25003
    assert (await enroll(client, b64(b"nothing"))).code == 25004
    tampered = bytearray(base64.b64decode(csr(data)))
    tampered[-1] ^= 1
    assert (await enroll(client, b64(bytes(tampered)))).code == 25004
    assert (await enroll(client, csr(data, ec.generate_private_key(ec.SECP384R1())))).code == 25010
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert (await enroll(client, csr(data, small))).code == 25010
    assert (await enroll(client, csr(data), name="ab")).code == 21405
    assert (await enroll(client, csr(data), kind="Seal")).code == 21405


async def test_limits_count_both_types_together(client: Client) -> None:
    client.sandbox.behaviour.max_certificates = 3
    data = await subject(client)
    limits = (await client.call("GET", "/certificates/limits")).body
    assert (limits["canRequest"], limits["certificate"]) == (True, {"remaining": 2, "limit": 3})
    assert [(await enroll(client, csr(data), kind)).status for kind in ("Offline", "Authentication")] == [202, 202]
    assert (await enroll(client, csr(data))).code == 25007
    assert (await client.call("GET", "/certificates/limits")).body["canRequest"] is False
    client.sandbox.behaviour.max_enrollments = 2
    assert (await enroll(client, csr(data))).code == 25006


async def test_a_key_of_somebody_else(client: Client) -> None:
    stranger = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "VATPL-1111111111")])
    now = datetime(2090, 1, 1, tzinfo=UTC)
    kind = client.sandbox.authority.types[client.sandbox.authentication.certificate.serial_number]
    taken = client.sandbox.authority.issue(stranger, KEY.public_key(), kind, now, now.replace(year=2091))
    client.sandbox.certificates.register("Obcy", kind, taken)
    asked = await enroll(client, csr(await subject(client)))
    await client.clock.advance(1)
    status = (await client.call("GET", f"/certificates/enrollments/{asked.body['referenceNumber']}")).body
    assert status["status"]["code"] == 400


async def test_a_revoked_certificate_signs_in_no_more(client: Client) -> None:
    credential = client.sandbox.authentication
    path = f"/certificates/{credential.serial}/revoke"
    assert (await client.call("POST", path, {"revocationReason": "KeyCompromise"})).status == 204
    assert (await client.call("POST", path, {})).code == 25009
    assert (await client.call("POST", f"/certificates/{'0' * 16}/revoke", {})).code == 25008
    outcome = await client.outcome(await submit(client, await signed_request(client, credential)))
    assert (outcome["code"], outcome["details"]) == (460, ["Certyfikat odwołany"])
    revoked = (await client.call("POST", "/certificates/query", {"status": "Revoked"})).body["certificates"]
    assert [item["certificateSerialNumber"] for item in revoked] == [credential.serial]


async def test_a_token_may_not_ask_for_certificates(client: Client) -> None:
    data = await subject(client)
    await client.sign_in()
    assert (await client.call("GET", "/certificates/enrollments/data")).code == 25001
    assert (await enroll(client, csr(data))).code == 25002
    refused = await client.call("POST", f"/certificates/{client.sandbox.offline.serial}/revoke", {})
    assert (refused.status, refused.body["reasonCode"]) == (403, "auth-method-not-allowed")
