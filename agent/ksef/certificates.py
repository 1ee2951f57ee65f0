"""KSeF certificates over the API: limits, the subject's data, request, status, retrieval (certyfikaty-KSeF.md).

Only an agent that authenticated with a certificate may ask for one; with a KSeF token KSeF refuses (25001, 25002).
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from agent.domain.values import dataclass
from agent.ksef.calls import AuthenticatedClient, Call
from agent.ksef.crypto import b64
from agent.ksef.limits import PATIENCE_SECONDS, SILENT_BLOCK_SECONDS, Group
from agent.ksef.responses import Answer, Fields
from agent.ports import TOO_MANY, CallOutcome, Clock, Json, KsefError

ISSUING, ISSUED = 100, 200
POLL_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Waits between status questions; the last one repeats (group "other" allows 30 a minute)."""
ISSUED_WITHIN_SECONDS = 300.0
"""So long it is waited for, and for as many questions as there are waits: with a small share of the limits one question
may take longer."""
NO_REQUESTS_LEFT, NO_CERTIFICATES_LEFT = 25006, 25007
TOKEN_CAN_NOT = "KSeF wydaje certyfikaty tylko po uwierzytelnieniu certyfikatem, nie tokenem: ustaw ksef.auth."  # noqa: S105 - a sentence
FAILURES: dict[int, str] = {
    25001: TOKEN_CAN_NOT,
    25002: TOKEN_CAN_NOT,
    NO_REQUESTS_LEFT: "Limit wniosków o certyfikat jest wyczerpany.",
    NO_CERTIFICATES_LEFT: "Limit aktywnych certyfikatów jest wyczerpany: unieważnij niepotrzebne.",
}
"""KSeF's codes a technician can do something about."""

SUBJECT: tuple[tuple[str, ObjectIdentifier], ...] = (
    ("commonName", NameOID.COMMON_NAME),
    ("givenName", NameOID.GIVEN_NAME),
    ("surname", NameOID.SURNAME),
    ("organizationName", NameOID.ORGANIZATION_NAME),
    ("organizationIdentifier", NameOID.ORGANIZATION_IDENTIFIER),
    ("countryName", NameOID.COUNTRY_NAME),
    ("serialNumber", NameOID.SERIAL_NUMBER),
    ("uniqueIdentifier", NameOID.X500_UNIQUE_IDENTIFIER),
)
"""CertificateEnrollmentDataResponse -> attributes of the request; every one given must be there unchanged (25003)."""


class CertificateType(StrEnum):
    """KsefCertificateType."""

    AUTHENTICATION = "Authentication"
    OFFLINE = "Offline"


@dataclass(frozen=True, slots=True)
class CertificateLimits:
    """What KSeF still allows this subject."""

    can_request: bool
    requests_left: int
    certificates_left: int
    certificates_in_use: int


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate as KSeF gives it back."""

    certificate: x509.Certificate = field(repr=False)
    name: str
    serial: str
    kind: str


class Certificates:
    """The calls. KsefError as everywhere; only what KSeF turned away for its limits (429) is repeated.

    ``patience``: seconds that each may wait for this till's share of the limits. An enrolment has days: with
    math.inf it waits as long as that takes, between its steps, which are durable.
    """

    def __init__(self, api: AuthenticatedClient, clock: Clock, *, patience: float = PATIENCE_SECONDS) -> None:
        self._api = api
        self._clock = clock
        self._patience = patience

    async def limits(self) -> CertificateLimits:
        """Return what KSeF still allows."""
        answer = await self._get("/certificates/limits")
        certificates = answer.object("certificate")
        left = certificates.number("remaining")
        return CertificateLimits(
            answer.flag("canRequest"),
            answer.object("enrollment").number("remaining"),
            left,
            certificates.number("limit") - left,
        )

    async def subject(self) -> x509.Name:
        """Return the name a request must carry."""
        answer = await self._get("/certificates/enrollments/data")
        answer.text("commonName")  # without it this is no answer to that question
        given = ((oid, answer.optional_text(name)) for name, oid in SUBJECT)
        # not validated: a Polish name of up to 64 letters may take more than 64 bytes, and it is KSeF's, not ours
        name = x509.Name([x509.NameAttribute(oid, text, _validate=False) for oid, text in given if text])
        try:
            signing_request(new_key(), name)  # nothing less tells whether one can hold it
        except ValueError as error:
            raise answer.unusable("KSeF podał dane do wniosku, których nie da się w nim zapisać.") from error
        return name

    async def request(self, kind: CertificateType, name: str, csr: x509.CertificateSigningRequest) -> str:
        """Send a request; return its reference."""
        body: Json = {
            "certificateName": name,
            "certificateType": str(kind),
            "csr": b64(csr.public_bytes(Encoding.DER)),
        }
        answer = await self._run(Call(Group.OTHER, "POST", "/certificates/enrollments", json=body))
        return answer.reference("referenceNumber")

    async def serial(self, reference: str) -> str:
        """Wait until the certificate is issued; return its serial number. KsefError REFUSED where it is refused."""
        give_up = self._clock.monotonic() + ISSUED_WITHIN_SECONDS
        asked = 0
        while True:
            answer = await self._get(f"/certificates/enrollments/{reference}")
            status = answer.object("status")
            code = status.number("code")
            if code == ISSUED:
                return answer.reference("certificateSerialNumber")
            if code != ISSUING:
                said = f"KSeF odrzucił wniosek o certyfikat: {code} {status.said()}"
                raise KsefError(said, outcome=CallOutcome.REFUSED, code=code)
            if self._clock.monotonic() > give_up and asked >= len(POLL_SECONDS):
                raise KsefError(
                    "KSeF jeszcze nie wydał certyfikatu; spróbuj później.", outcome=CallOutcome.REFUSED, code=code
                )
            await self._clock.sleep(POLL_SECONDS[min(asked, len(POLL_SECONDS) - 1)])
            asked += 1

    async def retrieve(self, serial: str) -> IssuedCertificate:
        """Fetch an issued certificate."""
        body: Json = {"certificateSerialNumbers": [serial]}
        answer = await self._run(Call(Group.OTHER, "POST", "/certificates/retrieve", json=body))
        for item in answer.objects("certificates"):
            if item.text("certificateSerialNumber") == serial:
                try:
                    certificate = x509.load_der_x509_certificate(item.decoded("certificate"))
                    certificate.public_key()
                except (ValueError, UnsupportedAlgorithm) as error:
                    raise item.unusable(f"KSeF zwrócił nieczytelny certyfikat: {error}.") from error
                return IssuedCertificate(
                    certificate, item.text("certificateName"), serial, item.text("certificateType")
                )
        raise answer.unusable(f"KSeF nie zwrócił certyfikatu {serial}.")

    async def revoke(self, serial: str) -> None:
        """Revoke a certificate for good; papers signed with it no longer verify. Not with a KSeF token."""
        await self._call(Call(Group.OTHER, "POST", f"/certificates/{serial}/revoke"))

    async def _get(self, path: str) -> Fields:
        return await self._run(Call(Group.OTHER, "GET", path))

    async def _run(self, call: Call) -> Fields:
        return (await self._call(call)).fields()

    async def _call(self, call: Call) -> Answer:
        try:
            return await self._within_limits(replace(call, patience=self._patience))
        except KsefError as error:
            hint = FAILURES.get(error.code)
            if hint is None:
                raise
            raise KsefError(
                f"{hint} ({error.message})", outcome=error.outcome, code=error.code, body=error.body
            ) from error

    async def _within_limits(self, call: Call) -> Answer:
        """Make a call; one that others' calls left no room for (429) waits as KSeF says, where patience allows."""
        while True:
            try:
                return await self._api.run(call)
            except KsefError as error:
                turned_away = error.code == TOO_MANY and error.outcome is CallOutcome.REFUSED
                if not turned_away or (error.retry_after or SILENT_BLOCK_SECONDS) > self._patience:
                    raise


def new_key() -> ec.EllipticCurvePrivateKey:
    """Draw a P-256 key: small KOD II, fast signature."""
    return ec.generate_private_key(ec.SECP256R1())


def signing_request(key: ec.EllipticCurvePrivateKey, subject: x509.Name) -> x509.CertificateSigningRequest:
    """Return the PKCS#10 request for ``key``."""
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
