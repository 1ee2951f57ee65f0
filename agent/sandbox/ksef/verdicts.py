"""What KSeF says of an invoice file: verification, duplicates, number (docs/protocol.md, section 3).

The strict XML rules are written here a second time on purpose: the agent's own check is what they test.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date, datetime, timedelta

from lxml import etree

from agent.domain.errors import BadInput
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.values import dataclass
from agent.sandbox.ksef.state import (
    ACCEPTED,
    Behaviour,
    InvoiceKey,
    Ledger,
    LedgerEntry,
    Mood,
    SentInvoice,
    Session,
    Sessions,
    SkewedClock,
    Status,
)
from agent.sandbox.ksef.wire import WARSAW, ksef_number, reference

FA3 = "{http://crd.gov.pl/wzor/2025/06/25/13775/}"
LAST_OF_PLANES = "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
DISCOURAGED = re.compile("[\x7f-\x84\x86-\x9f\ufdd0-\ufdef" + LAST_OF_PLANES + "]")
NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)


def semantic(detail: str) -> Status:
    """Status 450."""
    return Status(450, "Błąd weryfikacji semantyki dokumentu faktury", (detail,))


def bad_file(detail: str) -> Status:
    """Status 430."""
    return Status(430, "Błąd weryfikacji pliku faktury", (detail,))


NOT_DECRYPTED = Status(435, "Błąd odszyfrowania pliku")
WRONG_SCOPE = Status(410, "Nieprawidłowy zakres uprawnień")
ATTACHMENT = Status(415, "Brak możliwości wysyłania faktury z załącznikiem")
CANCELLED_WITH_SESSION = Status(405, "Przetwarzanie anulowane z powodu błędu sesji")
UNKNOWN_ERROR = Status(500, "Nieznany błąd (500)")
CANCELLED_BY_SYSTEM = Status(
    550,
    "Operacja została anulowana przez system",
    ("Przetwarzanie zostało przerwane z przyczyn wewnętrznych systemu. Spróbuj ponownie",),
)

FORCED: dict[str, Status] = {
    "405": CANCELLED_WITH_SESSION,
    "410": WRONG_SCOPE,
    "415": ATTACHMENT,
    "430": bad_file("Nieprawidłowy plik faktury."),
    "435": NOT_DECRYPTED,
    "450": semantic("Faktura nie spełnia reguł semantycznych."),
    "500": UNKNOWN_ERROR,
    "550": CANCELLED_BY_SYSTEM,
}
MOODS = frozenset({*FORCED, "440_own", "440_foreign", "150", "disorder", "none"})
"""Forced statuses; a duplicate of own or foreign bytes; 150 for ``seconds``; statuses out of order; an honest one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a valid file says."""

    key: InvoiceKey
    issued_on: date

    @property
    def number(self) -> str:
        """P_2."""
        return self.key[2]


@dataclass(slots=True)
class Upload:
    """A decrypted file on its way to a verdict. ``day``: the Polish day that counts as the day of sending."""

    xml: bytes
    day: date
    offline: bool
    received_at: datetime
    ordinal: int
    reference: str
    file_name: str | None = None


class Verdicts:
    """Judges files and keeps the ledger."""

    def __init__(
        self, clock: SkewedClock, behaviour: Behaviour, ledger: Ledger, sessions: Sessions, schema: Fa3Schema
    ) -> None:
        self._clock = clock
        self._behaviour = behaviour
        self._ledger = ledger
        self._schema = schema
        self._sessions = sessions

    def judge(self, session: Session, upload: Upload, mood: Mood | None) -> SentInvoice:
        """Return the invoice with its verdict; an accepted one is in the ledger from now on."""
        name = mood.name if mood else "none"
        facts = self._examine(session, upload)
        offline = upload.offline or (isinstance(facts, Facts) and facts.issued_on < upload.day)
        invoice = SentInvoice(
            reference=upload.reference,
            ordinal=upload.ordinal,
            sha256=hashlib.sha256(upload.xml).digest(),
            received_at=upload.received_at,
            decided_at=self._clock.monotonic() + self._behaviour.number_delay,
            verdict=UNKNOWN_ERROR,
            offline=offline,
            number=facts.number if isinstance(facts, Facts) else None,
            file_name=upload.file_name,
        )
        if mood is not None and name == "150":
            invoice.decided_at += mood.seconds
        if name == "disorder":
            invoice.relapses = 2
        if name in FORCED:
            invoice.verdict = FORCED[name]
        elif isinstance(facts, Status):
            invoice.verdict = facts
        else:
            if name in ("440_own", "440_foreign"):
                self._plant(session, upload, facts, foreign=name == "440_foreign")
            self._decide(session, upload, facts, invoice)
        return invoice

    def undecided(self, upload: Upload, verdict: Status) -> SentInvoice:
        """Return an invoice that never came to a verification of its content (430, 435, 405)."""
        return SentInvoice(
            reference=upload.reference,
            ordinal=upload.ordinal,
            sha256=hashlib.sha256(upload.xml).digest(),
            received_at=upload.received_at,
            decided_at=self._clock.monotonic() + self._behaviour.number_delay,
            verdict=verdict,
            offline=upload.offline,
            file_name=upload.file_name,
        )

    # --- the file --------------------------------------------------------------------------------

    def _examine(self, session: Session, upload: Upload) -> Facts | Status:
        if len(upload.xml) > self._behaviour.max_invoice_bytes:
            return bad_file(f"Rozmiar faktury przekracza {self._behaviour.max_invoice_bytes} bajtów.")
        if self._behaviour.strict_xml:
            complaint = strict_complaint(upload.xml)
            if complaint is not None:
                return semantic(complaint)
        try:
            root = self._schema.check(upload.xml)
        except BadInput as error:
            found = tuple(f"{item.pointer}: {item.message}" for item in error.errors[:10])
            return Status(450, "Błąd weryfikacji semantyki dokumentu faktury", found or (error.detail,))
        return self._semantics(session, upload, root)

    def _semantics(self, session: Session, upload: Upload, root: etree._Element) -> Facts | Status:
        seller = text(root, "Podmiot1/DaneIdentyfikacyjne/NIP")
        facts = Facts(
            (seller, text(root, "Fa/RodzajFaktury"), text(root, "Fa/P_2")),
            date.fromisoformat(text(root, "Fa/P_1")[:10]),
        )
        if seller != session.context.split("-")[0]:
            return WRONG_SCOPE
        if not self._behaviour.attachments and root.find(f"{FA3}Zalacznik") is not None:
            return ATTACHMENT
        if facts.issued_on > upload.day:
            return semantic(f"Data wystawienia faktury {facts.issued_on} jest późniejsza niż data przyjęcia.")
        wrong = wrong_nip(root) if self._behaviour.check_identifiers or session.checks_identifiers else None
        return facts if wrong is None else semantic(f"Nieprawidłowy numer NIP {wrong}.")

    # --- number or duplicate -----------------------------------------------------------------------

    def _decide(self, session: Session, upload: Upload, facts: Facts, invoice: SentInvoice) -> None:
        original = self._ledger.original(facts.key)
        if original is not None:
            invoice.verdict = duplicate(original)
            return
        invoice.verdict = ACCEPTED
        invoice.entry = self._accept(session, upload, facts, invoice.offline)

    def _accept(self, session: Session, upload: Upload, facts: Facts, offline: bool) -> LedgerEntry:
        accepted_at = self._clock.now() + timedelta(seconds=self._behaviour.number_delay)
        delay = self._behaviour.number_delay + self._behaviour.storage_delay
        entry = LedgerEntry(
            ksef_number=ksef_number(facts.key[0], accepted_at),
            key=facts.key,
            issued_on=facts.issued_on,
            xml=upload.xml,
            sha256=hashlib.sha256(upload.xml).digest(),
            offline=offline,
            session=session.reference,
            invoice=upload.reference,
            context=session.context,
            received_at=upload.received_at,
            accepted_at=accepted_at,
            stored_after=self._clock.monotonic() + delay,
        )
        self._ledger.add(entry)
        return entry

    def _plant(self, session: Session, upload: Upload, facts: Facts, *, foreign: bool) -> None:
        """Accept the invoice beforehand in an earlier session: the same bytes, or other bytes of the same number."""
        if self._ledger.original(facts.key) is not None:
            return
        now = self._clock.now()
        earlier = replace(
            session,
            reference=reference("SO", now),
            batch=False,
            invoices={},
            pages=[],
            closed_at=self._clock.monotonic(),
        )
        xml = upload.xml.replace(b"</Faktura>", b"\n</Faktura>") if foreign else upload.xml
        first = Upload(xml, upload.day, upload.offline, now, 1, reference("EE", now))
        self._sessions.by_reference[earlier.reference] = earlier
        invoice = self.judge(earlier, first, None)
        earlier.invoices[invoice.reference] = invoice


def duplicate(original: LedgerEntry) -> Status:
    """Status 440; the original's hash is not told (CIRFMF/ksef-api#790)."""
    return Status(
        440,
        "Duplikat faktury",
        (
            f"Duplikat faktury. Faktura o numerze KSeF: {original.ksef_number} została już prawidłowo przesłana "
            f"do systemu w sesji: {original.session}",
        ),
        (
            ("originalSessionReferenceNumber", original.session),
            ("originalKsefNumber", original.ksef_number),
        ),
    )


def text(root: etree._Element, path: str) -> str:
    """Return the text of an element that the schema demands."""
    found = root.findtext("/".join(FA3 + step for step in path.split("/")))
    if found is None:
        raise AssertionError(f"the schema let a file pass without {path}")
    return found.strip()


def nip_adds_up(nip: str) -> bool:
    """Tell whether the check digit of a NIP is right."""
    if len(nip) != 10 or not nip.isdecimal():
        return False
    return sum(weight * int(digit) for weight, digit in zip(NIP_WEIGHTS, nip, strict=False)) % 11 == int(nip[9])


def wrong_nip(root: etree._Element) -> str | None:
    """Return the first NIP of seller, buyer or third party whose check digit is wrong."""
    for place in ("Podmiot1", "Podmiot2", "Podmiot3"):
        for element in root.findall(f"{FA3}{place}/{FA3}DaneIdentyfikacyjne/{FA3}NIP"):
            if not nip_adds_up(element.text or ""):
                return element.text
    return None


def strict_complaint(xml: bytes) -> str | None:
    """Return what breaks the strict XML rules of 2026, None where nothing does."""
    if xml.startswith(b"\xef\xbb\xbf"):
        return "Plik zawiera znacznik BOM."
    try:
        content = xml.decode("utf-8")
    except UnicodeDecodeError:
        return "Plik nie jest zapisany w UTF-8."
    if "<!DOCTYPE" in content:
        return "Plik zawiera DTD."
    if DISCOURAGED.search(content):
        return "Plik zawiera niedozwolone znaki Unicode."
    body = content.split("?>", 1)[1] if content.startswith("<?xml") else content
    if "<?" in body:
        return "Plik zawiera instrukcje przetwarzania."
    return None


def polish_day(at: datetime) -> date:
    """Return the Polish civil day of an instant: KSeF compares days, not hours."""
    return at.astimezone(WARSAW).date()
