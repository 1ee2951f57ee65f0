"""KSeF certificates: limits, enrolment, status, retrieval, query, revocation (OpenAPI: /certificates)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from agent.domain.values import dataclass
from agent.ports import Json
from agent.sandbox.ksef.auth import Auth, Operation
from agent.sandbox.ksef.pki import ORGANIZATION_IDENTIFIER, CertificateAuthority, CertificateType, subject_nip
from agent.sandbox.ksef.reading import offset_page
from agent.sandbox.ksef.state import Behaviour, SkewedClock, Status
from agent.sandbox.ksef.wire import (
    ApiProblem,
    b64,
    binary,
    choice,
    invalid,
    json_answer,
    member,
    optional,
    read_object,
    reference,
    stamp,
)

NAME = re.compile(r"[a-zA-Z0-9_\- ąćęłńóśźżĄĆĘŁŃÓŚŹŻ]{5,100}")
SERIAL = re.compile(r"[0-9A-F]{16}")
STATES = ("Active", "Blocked", "Revoked", "Expired")
KINDS = (CertificateType.AUTHENTICATION, CertificateType.OFFLINE)
LIFETIME = timedelta(days=730)
SUBJECT_FIELDS = {
    "commonName": NameOID.COMMON_NAME,
    "countryName": NameOID.COUNTRY_NAME,
    "givenName": NameOID.GIVEN_NAME,
    "surname": NameOID.SURNAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "uniqueIdentifier": NameOID.X500_UNIQUE_IDENTIFIER,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationIdentifier": ORGANIZATION_IDENTIFIER,
}
ACCEPTED = Status(100, "Wniosek przyjęty do realizacji")
ISSUED = Status(200, "Wniosek obsłużony (certyfikat wygenerowany)")
FOREIGN_KEY = Status(400, "Wniosek odrzucony", ("Klucz publiczny został już certyfikowany przez inny podmiot.",))
SIGNATURE_HASHES = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(slots=True)
class Record:
    """A certificate that KSeF gave out."""

    name: str
    kind: CertificateType
    certificate: x509.Certificate
    requested_at: datetime

    @property
    def serial(self) -> str:
        """16 hexadecimal digits."""
        return f"{self.certificate.serial_number:016X}"

    @property
    def owner(self) -> str:
        """NIP of the subject."""
        return subject_nip(self.certificate) or ""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A request for a certificate."""

    owner: str
    requested_at: datetime
    ready: float
    status: Status
    record: Record | None


class Certificates:
    """The /certificates part."""

    def __init__(self, clock: SkewedClock, behaviour: Behaviour, auth: Auth, authority: CertificateAuthority) -> None:
        self._clock = clock
        self._behaviour = behaviour
        self._auth = auth
        self._authority = authority
        self._records: dict[str, Record] = {}
        self._enrollments: dict[str, Enrollment] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [
            web.get("/certificates/limits", self.limits),
            web.get("/certificates/enrollments/data", self.data),
            web.post("/certificates/enrollments", self.enroll),
            web.get("/certificates/enrollments/{reference}", self.status),
            web.post("/certificates/retrieve", self.retrieve),
            web.post("/certificates/query", self.query),
            web.post("/certificates/{serial}/revoke", self.revoke),
        ]

    def register(self, name: str, kind: CertificateType, certificate: x509.Certificate) -> Record:
        """Keep a certificate that was issued, so that it can be listed, retrieved and revoked."""
        record = Record(name, kind, certificate, self._clock.now())
        self._records[record.serial] = record
        return record

    # --- handlers --------------------------------------------------------------------------------

    async def limits(self, request: web.Request) -> web.Response:
        """GET /certificates/limits."""
        owner = self._owner(self._auth.require(request))
        enrollments, certificates = self._left(owner)
        return json_answer(
            {
                "canRequest": enrollments > 0 and certificates > 0,
                "enrollment": {"remaining": enrollments, "limit": self._behaviour.max_enrollments},
                "certificate": {"remaining": certificates, "limit": self._behaviour.max_certificates},
            }
        )

    async def data(self, request: web.Request) -> web.Response:
        """GET /certificates/enrollments/data: the subject to put into the CSR, word for word."""
        operation = self._auth.require(request)
        if operation.certificate is None:
            text = "Brak możliwości pobrania danych do CSR dla wykorzystanego sposobu uwierzytelnienia."
            raise ApiProblem(400, 25001, text)
        subject = operation.certificate.subject
        body: dict[str, Json] = {}
        for name, oid in SUBJECT_FIELDS.items():
            found = subject.get_attributes_for_oid(oid)
            if found:
                body[name] = str(found[0].value)
        return json_answer(body)

    async def enroll(self, request: web.Request) -> web.Response:
        """POST /certificates/enrollments."""
        operation = self._auth.require(request)
        body = await read_object(request)
        name, kind_text = member(body, "certificateName", str), member(body, "certificateType", str)
        if not NAME.fullmatch(name) or kind_text not in KINDS:
            raise invalid("Nieprawidłowa nazwa lub typ certyfikatu.")
        if operation.certificate is None:
            text = "Brak możliwości złożenia wniosku certyfikacyjnego dla wykorzystanego sposobu uwierzytelnienia."
            raise ApiProblem(400, 25002, text)
        public_key = check_csr(binary(body, "csr"), operation.certificate.subject)
        owner = self._owner(operation)
        enrollments, certificates = self._left(owner)
        if enrollments <= 0:
            raise ApiProblem(400, 25006, "Osiągnięto limit możliwych do złożenia wniosków certyfikacyjnych.")
        if certificates <= 0:
            raise ApiProblem(400, 25007, "Osiągnięto limit dopuszczalnej liczby posiadanych certyfikatów.")
        now = self._clock.now()
        valid_from = _instant(optional(body, "validFrom", str)) or now
        record: Record | None = None
        if self._foreign(public_key, owner):
            status = FOREIGN_KEY
        else:
            kind = CertificateType(kind_text)
            subject = operation.certificate.subject
            issued = self._authority.issue(subject, public_key, kind, valid_from, valid_from + LIFETIME)
            record, status = self.register(name, kind, issued), ISSUED
        wanted = reference("CE", now)
        ready = self._clock.monotonic() + self._behaviour.enrollment_delay
        self._enrollments[wanted] = Enrollment(owner, now, ready, status, record)
        return json_answer({"referenceNumber": wanted, "timestamp": stamp(now)}, status=202)

    async def status(self, request: web.Request) -> web.Response:
        """GET /certificates/enrollments/{reference}."""
        owner = self._owner(self._auth.require(request))
        enrollment = self._enrollments.get(request.match_info["reference"])
        if enrollment is None or enrollment.owner != owner:
            text = "Wniosek certyfikacyjny o podanym numerze referencyjnym nie istnieje."
            raise ApiProblem(400, 25005, text)
        ready = self._clock.monotonic() >= enrollment.ready
        status = enrollment.status if ready else ACCEPTED
        body: dict[str, Json] = {"requestDate": stamp(enrollment.requested_at), "status": status.to_json()}
        if ready and enrollment.record is not None:
            body["certificateSerialNumber"] = enrollment.record.serial
        return json_answer(body)

    async def retrieve(self, request: web.Request) -> web.Response:
        """POST /certificates/retrieve: up to ten, those of the caller."""
        owner = self._owner(self._auth.require(request))
        serials = member(await read_object(request), "certificateSerialNumbers", list)
        if not 1 <= len(serials) <= 10 or not all(isinstance(item, str) and SERIAL.fullmatch(item) for item in serials):
            raise invalid("Nieprawidłowa lista numerów seryjnych.")
        found = [self._records[serial] for serial in serials if serial in self._records]
        return json_answer(
            {
                "certificates": [
                    {
                        "certificate": b64(record.certificate.public_bytes(serialization.Encoding.DER)),
                        "certificateName": record.name,
                        "certificateSerialNumber": record.serial,
                        "certificateType": record.kind.value,
                    }
                    for record in found
                    if record.owner == owner
                ]
            }
        )

    async def query(self, request: web.Request) -> web.Response:
        """POST /certificates/query."""
        owner = self._owner(self._auth.require(request))
        body = await read_object(request) if request.can_read_body else {}
        serial, name = optional(body, "certificateSerialNumber", str), optional(body, "name", str)
        kind, state = choice(body, "type", KINDS), choice(body, "status", STATES)
        after = _instant(optional(body, "expiresAfter", str))
        found = [
            record
            for record in self._records.values()
            if record.owner == owner
            and serial in (None, record.serial)
            and (name is None or name.lower() in record.name.lower())
            and kind in (None, record.kind.value)
            and state in (None, self._state(record))
            and (after is None or record.certificate.not_valid_after_utc > after)
        ]
        chosen, more = offset_page(request, found, largest=50)
        return json_answer({"certificates": [self._describe(record) for record in chosen], "hasMore": more})

    async def revoke(self, request: web.Request) -> web.Response:
        """POST /certificates/{serial}/revoke; not with a KSeF token."""
        operation = self._auth.require(request)
        if operation.certificate is None:
            text = "Ta operacja nie jest dostępna dla użytej metody uwierzytelnienia."
            raise ApiProblem(403, 0, text, reason="auth-method-not-allowed")
        record = self._records.get(request.match_info["serial"])
        if record is None or record.owner != self._owner(operation):
            raise ApiProblem(400, 25008, "Certyfikat o podanym numerze seryjnym nie istnieje.")
        if self._state(record) != "Active":
            text = "Nie można odwołać wskazanego certyfikatu, ponieważ jest już odwołany, zablokowany lub nieważny."
            raise ApiProblem(400, 25009, text)
        self._authority.revoked.add(record.certificate.serial_number)
        return web.Response(status=204)

    # --- inside ----------------------------------------------------------------------------------

    def _owner(self, operation: Operation) -> str:
        nip = subject_nip(operation.certificate) if operation.certificate is not None else None
        return nip or operation.context.split("-", maxsplit=1)[0]

    def _left(self, owner: str) -> tuple[int, int]:
        """Return how many requests and how many certificates are left."""
        asked = sum(1 for enrollment in self._enrollments.values() if enrollment.owner == owner)
        held = sum(1 for record in self._records.values() if record.owner == owner and self._state(record) == "Active")
        return max(0, self._behaviour.max_enrollments - asked), max(0, self._behaviour.max_certificates - held)

    def _state(self, record: Record) -> str:
        if record.certificate.serial_number in self._authority.revoked:
            return "Revoked"
        return "Active" if self._clock.now() <= record.certificate.not_valid_after_utc else "Expired"

    def _foreign(self, key: PublicKey, owner: str) -> bool:
        return any(
            record.owner != owner and record.certificate.public_key() == key for record in self._records.values()
        )

    def _describe(self, record: Record) -> dict[str, Json]:
        names = record.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return {
            "certificateSerialNumber": record.serial,
            "name": record.name,
            "type": record.kind.value,
            "commonName": str(names[0].value) if names else "",
            "status": self._state(record),
            "subjectIdentifier": {"type": "Nip", "value": record.owner},
            "validFrom": stamp(record.certificate.not_valid_before_utc),
            "validTo": stamp(record.certificate.not_valid_after_utc),
            "requestDate": stamp(record.requested_at),
        }


def check_csr(der: bytes, subject: x509.Name) -> PublicKey:
    """Return the key of a PKCS#10 request whose signature, key, algorithm and subject are right."""
    refused = ApiProblem(400, 25004, "Niepoprawny format CSR lub niepoprawny podpis CSR.")
    try:
        csr = x509.load_der_x509_csr(der)
        signed = csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise refused from error
    if not signed:
        raise refused
    key = csr.public_key()
    p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    rsa2048 = isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048
    if not (p256 or rsa2048) or not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ApiProblem(400, 25010, "Nieprawidłowy typ lub długość klucza.")
    if not isinstance(csr.signature_hash_algorithm, SIGNATURE_HASHES):
        raise ApiProblem(400, 25011, "Nieprawidłowy algorytm podpisu CSR.")
    if _attributes(csr.subject) != _attributes(subject):
        text = "Dane w CSR nie zgadzają się z danymi w użytym wektorze uwierzytelniającym."
        raise ApiProblem(400, 25003, text)
    return key


def _attributes(name: x509.Name) -> set[tuple[str, str]]:
    return {(attribute.oid.dotted_string, str(attribute.value)) for attribute in name}


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"Nieprawidłowa data {text}.") from error
    if found.tzinfo is None:
        raise invalid(f"Data {text} nie zawiera strefy czasowej.")
    return found
