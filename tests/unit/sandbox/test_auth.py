"""Authentication against the sandbox: tokens, XAdES, and everything that has to be refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.xades.xades import XAdESSigner

from agent.sandbox.ksef.pki import CertificateAuthority, CertificateType, Credential, organization
from agent.sandbox.server import NIP
from tests.fakes.clock import FakeClock
from tests.unit.sandbox.sandbox_client import Answer, Client, running

LATER = datetime(2090, 11, 24, 9, 0, tzinfo=UTC)
"""KSeF's now: signxml takes the real one for SigningTime, which so lies in the past whenever the test runs."""
DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(FakeClock(LATER)) as started:
        yield started


def request_xml(challenge: str, context: str = f"<Nip>{NIP}</Nip>", subject: str = "certificateSubject") -> bytes:
    return (
        '<AuthTokenRequest xmlns="http://ksef.mf.gov.pl/auth/token/2.1">'
        f"<Challenge>{challenge}</Challenge><ContextIdentifier>{context}</ContextIdentifier>"
        f"<SubjectIdentifierType>{subject}</SubjectIdentifierType></AuthTokenRequest>"
    ).encode()


def sign(xml: bytes, credential: Credential) -> bytes:
    """Sign with signxml, which knows nothing of us."""
    algorithm = "ecdsa-sha256" if isinstance(credential.key, ec.EllipticCurvePrivateKey) else "rsa-sha256"
    signer = XAdESSigner(signature_algorithm=algorithm)
    signed = signer.sign(etree.fromstring(xml), key=credential.key_pem.encode(), cert=credential.certificate_pem)
    return bytes(etree.tostring(signed))


async def submit(client: Client, signed: bytes, query: str = "") -> Answer:
    headers = {"Content-Type": "application/xml"}
    return await client.call("POST", f"/auth/xades-signature{query}", data=signed, headers=headers, token="")


async def signed_request(client: Client, credential: Credential, **parts: str) -> bytes:
    challenge = (await client.challenge())["challenge"]
    return sign(request_xml(challenge, **parts), credential)


class TestXades:
    @pytest.mark.parametrize(
        ("name", "method"),
        [
            ("authentication", "InternalCertificate"),
            ("authentication_rsa", "InternalCertificate"),
            ("seal", "QualifiedSeal"),
        ],
    )
    async def test_a_right_signature_signs_in(self, client: Client, name: str, method: str) -> None:
        begun = await submit(client, await signed_request(client, getattr(client.sandbox, name)))
        assert (await client.outcome(begun))["code"] == 200
        token = begun.body["authenticationToken"]["token"]
        status = (await client.call("GET", f"/auth/{begun.body['referenceNumber']}", token=token)).body
        assert status["authenticationMethod"] == method
        assert (await client.redeem(begun)).status == 200

    async def test_an_internal_id_of_the_own_nip(self, client: Client) -> None:
        context = f"<InternalId>{NIP}-12345</InternalId>"
        begun = await submit(client, await signed_request(client, client.sandbox.authentication, context=context))
        assert (await client.outcome(begun))["code"] == 200

    async def test_another_nip_needs_a_grant(self, client: Client) -> None:
        context = "<Nip>1111111111</Nip>"
        signed = await signed_request(client, client.sandbox.authentication, context=context)
        assert (await client.outcome(await submit(client, signed)))["code"] == 415
        client.sandbox.auth.grants.add((NIP, "1111111111"))
        signed = await signed_request(client, client.sandbox.authentication, context=context)
        assert (await client.outcome(await submit(client, signed)))["code"] == 200

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [
            (lambda xml: xml.replace(NIP.encode(), b"1111111111", 1), 9105),
            (lambda xml: xml.replace(b"certificateSubject", b"certificateFingerprint", 1), 9105),
            (lambda xml: re.sub(rb"(SignatureValue>)(..)(..)", rb"\1\3\2", xml, count=1), 9105),
            (lambda xml: re.sub(rb"(SigningTime>)20", rb"\g<1>19", xml, count=1), 9105),
            (lambda xml: re.sub(rb"<ds:Signature .*</ds:Signature>", b"", xml, flags=re.DOTALL), 9102),
            (lambda xml: re.sub(rb"(<ds:Signature .*</ds:Signature>)", rb"\1\1", xml, flags=re.DOTALL), 9103),
            (lambda xml: b"<!DOCTYPE AuthTokenRequest>" + xml, 9101),
            (lambda xml: xml[:-5], 9101),
            (lambda xml: xml.replace(b"<Challenge>", b"<Challenge>\xff", 1), 21217),
        ],
        ids=["context", "subject", "value", "time", "none", "two", "dtd", "cut", "encoding"],
    )
    async def test_a_changed_document_is_refused(
        self, client: Client, spoil: Callable[[bytes], bytes], code: int
    ) -> None:
        signed = await signed_request(client, client.sandbox.authentication)
        spoiled = spoil(signed)
        assert spoiled != signed
        assert (await submit(client, spoiled)).code == code
        assert (await submit(client, signed)).status == 202

    async def test_a_signing_time_ahead_of_ksef_is_refused(self, client: Client) -> None:
        credential = client.sandbox.authentication
        client.sandbox.clock.skew = timedelta(days=-36500)
        assert (await submit(client, await signed_request(client, credential))).code == 9105

    async def test_a_challenge_serves_once_and_for_ten_minutes(self, client: Client) -> None:
        signed = await signed_request(client, client.sandbox.authentication)
        assert (await submit(client, signed)).status == 202
        assert (await submit(client, signed)).code == 21111
        late = await signed_request(client, client.sandbox.authentication)
        await client.clock.advance(601)
        assert (await submit(client, late)).code == 21111

    async def test_requests_that_the_schema_does_not_allow(self, client: Client) -> None:
        for parts in (
            {"context": "<Nip>123</Nip>"},
            {"context": "<Pesel>12345678901</Pesel>"},
            {"context": f"<Nip>{NIP}</Nip><Nip>{NIP}</Nip>"},
            {"subject": "anybody"},
        ):
            signed = await signed_request(client, client.sandbox.authentication, **parts)
            assert (await submit(client, signed)).code == 21401

    async def test_a_reference_must_lead_to_the_signed_properties(self, client: Client) -> None:
        """Signature wrapping: the signed properties moved away, forged ones in their place."""
        root = etree.fromstring(await signed_request(client, client.sandbox.authentication))
        properties = next(root.iter("{http://uri.etsi.org/01903/v1.3.2#}SignedProperties"))
        forged = etree.fromstring(etree.tostring(properties))
        etree.SubElement(next(root.iter(f"{DS}Signature")), f"{DS}Object").append(forged)
        assert (await submit(client, etree.tostring(root))).code == 9105


class TestCertificateTrust:
    async def test_each_reason_is_told_apart(self, client: Client) -> None:
        sandbox = client.sandbox
        foreign = CertificateAuthority(client.clock.now())
        key = ec.generate_private_key(ec.SECP256R1())
        stranger = foreign.credential(
            organization("Obcy", NIP), key, CertificateType.AUTHENTICATION, client.clock.now()
        )
        revoked = sandbox.authentication_rsa
        sandbox.authority.revoked.add(revoked.certificate.serial_number)
        for credential, words in (
            (stranger, "Niezaufany łańcuch certyfikatów"),
            (revoked, "Certyfikat odwołany"),
            (sandbox.offline, "Niepoprawny certyfikat"),
        ):
            outcome = await client.outcome(await submit(client, await signed_request(client, credential)))
            assert (outcome["code"], outcome["details"]) == (460, [words])
        signed = await signed_request(client, stranger)
        unchecked = await submit(client, signed, "?verifyCertificateChain=false")
        assert (await client.outcome(unchecked))["code"] == 200

    async def test_an_expired_certificate(self, client: Client) -> None:
        credential = client.sandbox.authentication
        client.clock.step(timedelta(days=731))
        outcome = await client.outcome(await submit(client, await signed_request(client, credential)))
        assert (outcome["code"], outcome["details"]) == (460, ["Nieważny certyfikat"])


class TestToken:
    async def test_it_signs_in_and_tokens_are_given_once(self, client: Client) -> None:
        begun = await client.begin_token()
        token = begun.body["authenticationToken"]["token"]
        waiting = await client.call("GET", f"/auth/{begun.body['referenceNumber']}", token=token)
        assert waiting.body["status"]["code"] == 100
        assert (await client.redeem(begun)).code == 21301
        assert (await client.outcome(begun))["code"] == 200
        assert (await client.redeem(begun)).status == 200
        assert (await client.redeem(begun)).code == 21301

    async def test_each_reason_is_told_apart(self, client: Client) -> None:
        token = client.sandbox.auth.tokens[client.sandbox.ksef_token]

        async def reason(**changes: object) -> str:
            outcome = await client.outcome(await client.begin_token(**changes))  # type: ignore[arg-type]
            assert outcome["code"] == 450
            return str(outcome["details"][0])

        assert await reason(text="unknown|1") == "Nieprawidłowy token"
        assert await reason(text=f"{client.sandbox.ksef_token}|1") == "Nieprawidłowy czas tokena"
        assert await reason(encryptedToken="AAAA") == "Nieprawidłowe szyfrowanie tokena"
        other = {"type": "Nip", "value": "1111111111"}
        assert await reason(contextIdentifier=other) == "Token nie może być użyty w kontekście 1111111111"
        token.state = "revoked"
        assert await reason() == "Token unieważniony"
        token.state = "inactive"
        assert await reason() == "Token nieaktywny"

    async def test_unknown_key_and_challenge(self, client: Client) -> None:
        assert (await client.begin_token(publicKeyId="A" * 43 + "=")).code == 21470
        assert (await client.begin_token(challenge="20261124-CR-0000000000-0000000000-00")).code == 21111

    async def test_a_suspected_incident(self, client: Client) -> None:
        client.sandbox.behaviour.blocked = True
        assert (await client.outcome(await client.begin_token()))["code"] == 480


class TestTokens:
    async def test_access_ends_and_is_refreshed(self, client: Client) -> None:
        await client.sign_in()
        assert (await client.call("GET", "/rate-limits")).status == 200
        await client.clock.advance(900)
        assert (await client.call("GET", "/rate-limits")).status == 401
        fresh = await client.call("POST", "/auth/token/refresh", token=client.refresh)
        client.access = fresh.body["accessToken"]["token"]
        assert (await client.call("GET", "/rate-limits")).status == 200

    async def test_each_kind_has_its_own_use(self, client: Client) -> None:
        await client.sign_in()
        assert (await client.call("GET", "/rate-limits", token=client.refresh)).status == 401
        assert (await client.call("POST", "/auth/token/refresh")).status == 401
        assert (await client.call("GET", "/rate-limits", token="")).status == 401
        assert (await client.call("GET", "/rate-limits", token="made-up")).status == 401

    async def test_a_revoked_session_can_not_be_refreshed(self, client: Client) -> None:
        await client.sign_in()
        assert len((await client.call("GET", "/auth/sessions")).body["items"]) == 1
        assert (await client.call("DELETE", "/auth/sessions/current")).status == 204
        assert (await client.call("POST", "/auth/token/refresh", token=client.refresh)).code == 21301
        assert (await client.call("GET", "/auth/sessions")).body["items"] == []

    async def test_tokens_can_be_taken_away(self, client: Client) -> None:
        await client.sign_in()
        client.sandbox.auth.expire_tokens()
        assert (await client.call("GET", "/rate-limits")).status == 401
        assert (await client.call("POST", "/auth/token/refresh", token=client.refresh)).status == 200


class TestErrorShapes:
    async def test_both_shapes_of_an_error(self, client: Client) -> None:
        old = await client.call("POST", "/auth/ksef-token", {}, token="")
        new = await client.call("POST", "/auth/ksef-token", {}, token="", headers={"X-Error-Format": "problem-details"})
        assert old.code == 21405
        assert new.headers["Content-Type"].startswith("application/problem+json")
        assert [error["code"] for error in new.body["errors"]] == [21405]

    async def test_ksef_tells_its_own_time(self, client: Client) -> None:
        client.sandbox.clock.skew = timedelta(minutes=7)
        answer = await client.call("POST", "/auth/challenge", token="")
        assert answer.headers["Date"] == "Fri, 24 Nov 2090 09:07:00 GMT"
        assert answer.body["timestamp"].startswith("2090-11-24T09:07:00")
