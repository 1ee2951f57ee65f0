"""ksef-client 0.20.0, an independent client, against the sandbox; and every exchange against OpenAPI 2.9.0.

Real time, no waiting: the sandbox decides at once. Invoices are dated long ago, so no test depends on today.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict

import ksef_client.http
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from ksef_client import AsyncKsefClient, KsefClientOptions, models
from ksef_client.exceptions import KsefApiError, KsefRateLimitError
from ksef_client.services.auth import build_auth_token_request_xml
from ksef_client.services.csr import generate_csr_ec
from ksef_client.services.workflows import (
    AsyncAuthCoordinator,
    AsyncBatchSessionWorkflow,
    AsyncOnlineSessionWorkflow,
)

from agent.ports import Json
from agent.sandbox.ksef.limits import NO_LIMITS, Limit
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.server import Sandbox
from tests.contract.ksef_openapi import Witness
from tests.unit.sandbox.sandbox_client import invoice
from tests.unit.sandbox.test_auth import sign

FORM = models.FormCode(system_code="FA (3)", schema_version="1-0E", value="FA")


def at_once() -> Behaviour:
    """A KSeF that never lets anybody wait."""
    return Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=0)


def dated(number: str) -> bytes:
    return invoice(number, issued_on="2026-02-01")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    witness = Witness()
    async with Sandbox(behaviour=at_once(), limits=NO_LIMITS) as started:
        started.observers.append(witness)
        yield started
    assert witness.complaints == []


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncKsefClient]:
    options = KsefClientOptions(base_url=sandbox.ksef, base_lighthouse_url=sandbox.latarnia_url)
    async with AsyncKsefClient(options) as opened:
        yield opened


async def key(client: AsyncKsefClient, usage: models.PublicKeyCertificateUsage) -> models.PublicKeyCertificate:
    return await client.security.get_public_key_certificate(usage)


async def by_token(client: AsyncKsefClient, sandbox: Sandbox) -> str:
    public = await key(client, models.PublicKeyCertificateUsage.KSEFTOKENENCRYPTION)
    result = await AsyncAuthCoordinator(client.auth).authenticate_with_ksef_token(
        token=sandbox.ksef_token,
        public_certificate=public.certificate,
        public_key_id=public.public_key_id,
        context_identifier_type="nip",
        context_identifier_value=sandbox.nip,
        poll_interval_seconds=0,
    )
    return str(result.access_token)


async def by_certificate(client: AsyncKsefClient, sandbox: Sandbox) -> str:
    challenge = await client.auth.get_challenge()
    xml = build_auth_token_request_xml(
        challenge=challenge.challenge, context_identifier_type="nip", context_identifier_value=sandbox.nip
    )
    signed = sign(xml.encode(), sandbox.authentication).decode()
    begun = await client.auth.submit_xades_auth_request(signed, verify_certificate_chain=True)
    assert begun is not None
    status = await client.auth.get_auth_status(begun.reference_number, begun.authentication_token.token)
    assert status.status.code == 200
    tokens = await client.auth.redeem_token(begun.authentication_token.token)
    refreshed = await client.auth.refresh_access_token(tokens.refresh_token.token)
    return str(refreshed.access_token.token)


async def test_it_authenticates_sends_polls_and_fetches_the_upo(client: AsyncKsefClient, sandbox: Sandbox) -> None:
    token = await by_certificate(client, sandbox)
    public = await key(client, models.PublicKeyCertificateUsage.SYMMETRICKEYENCRYPTION)
    session = await AsyncOnlineSessionWorkflow(client.sessions).open_session(
        form_code=FORM, public_certificate=public.certificate, public_key_id=public.public_key_id, access_token=token
    )
    xml = dated("FV/1")
    sent = await session.send_invoice(xml, offline_mode=True, access_token=token)
    status = await session.get_invoice_status(sent.reference_number, access_token=token)
    assert (status.status.code, status.ksef_number is None) == (200, False)
    upo = await session.get_invoice_upo_by_ref(sent.reference_number, access_token=token)
    assert base64.b64encode(hashlib.sha256(xml).digest()) in upo
    await session.close(access_token=token)
    closed = await session.get_status(access_token=token)
    assert (closed.status.code, closed.successful_invoice_count) == (200, 1)
    original = await client.invoices.get_invoice_bytes(str(status.ksef_number), access_token=token)
    assert original.content == xml
    assert [entry.xml for entry in sandbox.ledger.entries()] == [xml]


async def test_it_runs_a_batch(client: AsyncKsefClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # the only change to the client: it refuses presigned addresses on loopback
    monkeypatch.setattr(ksef_client.http, "_validate_presigned_url_security", lambda *_: None)
    token = await by_token(client, sandbox)
    public = await key(client, models.PublicKeyCertificateUsage.SYMMETRICKEYENCRYPTION)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index in range(20):
            archive.writestr(f"{index}.xml", dated(f"FV/{index}"))
        archive.writestr("bad.xml", b"<Faktura/>")
    reference = await AsyncBatchSessionWorkflow(client.sessions, client.http_client).open_upload_and_close(
        form_code=FORM,
        archive_bytes=buffer.getvalue(),
        public_certificate=public.certificate,
        public_key_id=public.public_key_id,
        access_token=token,
    )
    while (status := await client.sessions.get_session_status(reference, token)).status.code == 150:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (status.status.code, status.successful_invoice_count, status.failed_invoice_count) == (200, 20, 1)
    failed = await client.sessions.get_session_failed_invoices(reference, access_token=token)
    assert [item.invoice_file_name for item in failed.invoices] == ["bad.xml"]
    assert len(sandbox.ledger) == 20


async def test_it_enrols_and_revokes_a_certificate(client: AsyncKsefClient, sandbox: Sandbox) -> None:
    token = await by_certificate(client, sandbox)
    assert (await client.certificates.get_limits(token)).can_request
    data = await client.certificates.get_enrollment_data(token)
    request = generate_csr_ec(asdict(data))
    asked = await client.certificates.send_enrollment(
        models.EnrollCertificateRequest(
            certificate_name="Kasa 1", certificate_type=models.KsefCertificateType.OFFLINE, csr=request.csr_base64
        ),
        access_token=token,
    )
    status = await client.certificates.get_enrollment_status(asked.reference_number, access_token=token)
    serial = status.certificate_serial_number
    assert serial is not None
    got = await client.certificates.retrieve_certificate(
        models.RetrieveCertificatesRequest(certificate_serial_numbers=[serial]), access_token=token
    )
    certificate = x509.load_der_x509_certificate(base64.b64decode(got.certificates[0].certificate))
    private = serialization.load_der_private_key(base64.b64decode(request.private_key_base64), None)
    assert certificate.public_key() == private.public_key()
    await client.certificates.revoke_certificate(serial, models.RevokeCertificateRequest(), access_token=token)
    listed = await client.certificates.query_certificates(models.QueryCertificatesRequest(), access_token=token)
    assert {item.certificate_serial_number: item.status.value for item in listed.certificates}[serial] == "Revoked"


async def test_it_reads_limits_latarnia_and_refusals(client: AsyncKsefClient, sandbox: Sandbox) -> None:
    token = await by_token(client, sandbox)
    assert (await client.limits.get_context_limits(token)).online_session.max_invoices == 10_000
    assert (await client.rate_limits.get_rate_limits(token)).invoice_send.per_hour == -1
    message: dict[str, Json] = {
        "id": "K/2026/AWR/01",
        "eventId": 1,
        "category": "FAILURE",
        "type": "FAILURE_START",
        "title": "Awaria",
        "text": "Awaria KSeF",
        "start": "2026-02-01T10:00:00Z",
        "end": None,
        "version": 1,
        "published": "2026-02-01T10:00:00Z",
    }
    sandbox.latarnia.set("FAILURE", [message])
    assert (await client.lighthouse.get_status()).status.value == "FAILURE"
    (told,) = await client.lighthouse.get_messages()
    assert told.event_id == 1
    with pytest.raises(KsefApiError) as refused:
        await client.invoices.get_invoice_bytes(f"{sandbox.nip}-20260201-000000000000-00", access_token=token)
    assert "21164" in str(refused.value.response_body)
    sandbox.limits.table["other"] = Limit(0)
    with pytest.raises(KsefRateLimitError):
        await client.limits.get_context_limits(token)
