"""A till in memory behind the `Till` port: enough of the rules to try handlers and the page, no law, no KSeF, no disk.

`python -m tests.fakes.till [PORT]` serves the till page on it (tokens: kasjer, kierownik).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from agent.domain.callers import Caller, Role
from agent.domain.errors import BadInput, Conflict, FieldError, KeyReused, NotFound, NotPermitted
from agent.domain.invoice import (
    LEGAL_BASIS,
    Buyer,
    BuyerKind,
    InvoiceRecord,
    Mode,
    Payment,
    RateTotal,
    Totals,
)
from agent.domain.lifecycle import UNSENT, InvoiceState, PrintState
from agent.ports import Clock, Event, InvoiceFilter, Json, Picture, PrinterStatus, PrintJob
from agent.services.contract import (
    CertificateHealth,
    Counters,
    HealthReport,
    HeldAnswer,
    InvoiceAnswer,
    IssueAnswer,
    ModeAnswer,
    OutboxStatus,
    Paper,
    Problem,
    QueueHealth,
    UpoAnswer,
)
from tests.fakes.clock import FakeClock

CENT = Decimal("0.01")
WARSAW = ZoneInfo("Europe/Warsaw")
PERCENT = {"23": 23, "8": 8, "5": 5}
KNOWN_BUYERS: dict[str, dict[str, Json]] = {
    "5260250274": {
        "nip": "5260250274",
        "name": "Ministerstwo Finansów",
        "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa", "country": "PL"},
        "source": "invoices",
    }
}
REASONS = {
    Mode.ONLINE: "KSeF odpowiada.",
    Mode.OFFLINE24: "Brak łącza z KSeF.",
    Mode.UNAVAILABILITY: "Ogłoszona przerwa techniczna KSeF.",
    Mode.FAILURE: "Ogłoszona awaria KSeF.",
    Mode.TOTAL_FAILURE: "Ogłoszona awaria całkowita, potwierdził kierownik.",
}
LABELS = {
    Mode.ONLINE: "Faktura VAT nr {} wystawiona w trybie online (art. 106gb)",
    Mode.OFFLINE24: "Faktura VAT nr {} wystawiona w trybie offline24 (art. 106nda)",
    Mode.UNAVAILABILITY: "Faktura VAT nr {} wystawiona w trybie offline – niedostępność KSeF (art. 106nh)",
    Mode.FAILURE: "Faktura VAT nr {} wystawiona w trybie offline – awaria KSeF (art. 106nf)",
    Mode.TOTAL_FAILURE: "Faktura VAT nr {}",
}


@dataclass
class FakeTill:
    """Everything settable: tests change ``current_mode``, ``printer_problem``, ``problems`` and the counters."""

    clock: Clock = field(default_factory=FakeClock)
    current_mode: Mode = Mode.ONLINE
    printer_problem: str | None = None
    problems: list[Problem] = field(default_factory=list)
    numbers: Counters = field(default_factory=Counters)
    status: str = "ok"
    ready: bool = True
    live: bool = True
    to_confirm: bool = False
    hold: asyncio.Event | None = None
    """When set, a press waits for it: for tests of double clicks and dropped connections."""
    fail_with: Exception | None = None
    png: bytes | None = None
    pages: int = 1
    """Pages of every picture."""
    records: dict[str, InvoiceAnswer] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, tuple[str, ...]]] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Sales as they came."""
    declared: tuple[Mode, str, Caller] | None = None
    false_alarms: int = 0
    false_alarm_possible: bool = False
    delivered: int = 0
    """Cursor of the outbox."""
    waiting: list[HeldAnswer] = field(default_factory=list)
    pressed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a press has come in."""
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an invoice is stored."""
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody waits for changes."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    # --- issuing ------------------------------------------------------------------------------------

    async def issue_sale(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        self.calls.append("issue_sale")
        self.bodies.append(body)
        self.pressed.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.fail_with is not None:
            raise self.fail_with
        if (replayed := self._replay(body, key)) is not None:
            return replayed
        sale = json.loads(body)
        answer = self._make(_checked(sale), caller, xml=_xml(sale))
        self.keys[key] = (body, (answer.record.id,))
        return IssueAnswer((answer,))

    async def issue_ready(self, xml: bytes, key: str, caller: Caller, receipt_nip: str | None = None) -> IssueAnswer:
        self.calls.append("issue_ready" if receipt_nip is None else f"issue_ready {receipt_nip}")
        if (replayed := self._replay(xml, key)) is not None:
            return replayed
        if b"<Faktura" not in xml:
            raise BadInput("To nie jest faktura FA(3).", code="not-fa3")
        sale = {"buyer": {"nip": "5260250274", "name": "Z gotowego pliku"}, "lines": [], "payments": []}
        answer = self._make(sale, caller, xml=xml)
        self.keys[key] = (xml, (answer.record.id,))
        return IssueAnswer((answer,))

    async def correct(self, invoice_id: str, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        self.calls.append("correct")
        base = (await self.invoice(invoice_id)).record
        if self.fail_with is not None:
            raise self.fail_with
        if (replayed := self._replay(body, key)) is not None:
            return replayed
        if base.state is InvoiceState.REJECTED:
            raise Conflict("Tej faktury KSeF nie przyjął.", code="base-rejected")
        order = json.loads(body)
        sale: dict[str, object] = {"buyer": {}, "lines": [], "payments": []}
        if base.ksef_number is None:
            waiting = HeldAnswer(
                id=f"held-{len(self.waiting) + 1}",
                base_id=base.id,
                base_number=base.number,
                state="waiting",
                gross=-base.totals.gross,
                currency="PLN",
                created_at=self.clock.now(),
                hand_over="Wydaj potwierdzenie zwrotu. Korekta powstanie sama, gdy faktura dostanie numer KSeF.",
            )
            self.waiting.append(waiting)
            return IssueAnswer((), held=waiting)
        made = [self._make(sale, caller, xml=b"<Faktura/>", kind="KOR", base=base)]
        if "buyer" in order:
            made.append(self._make({**sale, "buyer": order["buyer"]}, caller, xml=b"<Faktura/>"))
        self.keys[key] = (body, tuple(answer.record.id for answer in made))
        return IssueAnswer(tuple(made))

    async def correct_outside(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        self.calls.append("correct_outside")
        if self.fail_with is not None:
            raise self.fail_with
        if (replayed := self._replay(body, key)) is not None:
            return replayed
        made = self._make({"buyer": {}, "lines": [], "payments": []}, caller, xml=b"<Faktura/>", kind="KOR")
        self.keys[key] = (body, (made.record.id,))
        return IssueAnswer((made,))

    async def technical_correction(self, invoice_id: str, caller: Caller, xml: bytes | None = None) -> InvoiceAnswer:
        answer = await self.invoice(invoice_id)
        if answer.record.state is not InvoiceState.REJECTED:
            raise Conflict("Korekta techniczna jest możliwa tylko po odrzuceniu przez KSeF.", code="not-rejected")
        return self.change(invoice_id, state=InvoiceState.ISSUED, version=2)

    async def resend(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        answer = await self.invoice(invoice_id)
        rejected = answer.record.state is InvoiceState.REJECTED
        if not rejected or not (answer.record.rejection or "").startswith("410"):
            raise Conflict("Ponownie przesyła się tylko po odrzuceniu z powodu uprawnień.", code="resend-refused")
        return self.change(invoice_id, state=InvoiceState.ISSUED)

    async def close(self, invoice_id: str, reason: str, caller: Caller) -> InvoiceAnswer:
        answer = await self.invoice(invoice_id)
        if answer.record.state is not InvoiceState.REJECTED:
            raise Conflict("Zamknąć można tylko sprawę faktury odrzuconej przez KSeF.", code="not-rejected")
        return self.change(invoice_id, closed_at=self.clock.now())

    async def reprint(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        answer = await self.invoice(invoice_id)
        assert answer.paper is not None
        copies = answer.paper.copies + 1
        state = PrintState.FAILED if self.printer_problem else PrintState.PRINTED
        changed = replace(
            answer, paper=replace(answer.paper, copies=copies, state=str(state), problem=self.printer_problem)
        )
        self.records[invoice_id] = changed
        self._event("print.done", invoice_id)
        return changed

    def _replay(self, body: bytes, key: str) -> IssueAnswer | None:
        if key not in self.keys:
            return None
        seen, ids = self.keys[key]
        if seen != body:
            raise KeyReused("Ten klucz należy do innej sprzedaży.")
        return IssueAnswer(tuple(self.records[invoice_id] for invoice_id in ids), replayed=True)

    def _make(
        self,
        sale: Mapping[str, object],
        caller: Caller,
        *,
        xml: bytes,
        kind: str = "VAT",
        base: InvoiceRecord | None = None,
    ) -> InvoiceAnswer:
        serial = len(self.records) + 1
        now = self.clock.now()
        today = now.astimezone(WARSAW).date()
        number = f"{'FK' if kind == 'KOR' else 'FV'}-1/{today:%Y/%m}/{serial:06}"
        digest = hashlib.sha256(xml + number.encode()).digest()
        online = self.current_mode is Mode.ONLINE
        buyer = _buyer(sale)
        record = InvoiceRecord(
            id=f"inv-{serial:06}",
            series="FV-1",
            serial=serial,
            number=number,
            kind=kind,
            issued_on=today,
            issued_at=now,
            mode=self.current_mode,
            reason=REASONS[self.current_mode],
            seller_nip="1111111111",
            buyer=base.buyer if base else buyer,
            totals=_totals(sale),
            state=InvoiceState.ACCEPTED if online else InvoiceState.ISSUED,
            version=1,
            xml=xml,
            sha256=digest,
            link_invoice=f"https://qr.example/invoice/1111111111/{digest.hex()}",
            link_certificate=None if online else "https://qr.example/certificate/x",
            deadline=None if online else today + timedelta(days=1),
            deadline_state="due",
            ksef_number=f"1111111111-20261124-{digest.hex()[:12].upper()}-A1" if online else None,
            accepted_at=now if online else None,
            sent_at=now if online else None,
            base_id=base.id if base else None,
            payments=_payments(sale),
            pressed_by=caller.name,
        )
        confirmation = not online and buyer.kind is BuyerKind.NIP and self.current_mode is not Mode.FAILURE
        label = f"Potwierdzenie transakcji nr {number}" if confirmation else LABELS[self.current_mode].format(number)
        paper = Paper(
            document="transaction_confirmation" if confirmation else "invoice",
            label=label,
            state=str(PrintState.FAILED if self.printer_problem else PrintState.PRINTED),
            copies=0 if self.printer_problem else 1,
            problem=self.printer_problem,
            printer="paragon",
        )
        hand_over = (
            "Wydaj potwierdzenie transakcji. Fakturę nabywca zobaczy w KSeF."
            if confirmation
            else "Wydaj wydrukowaną fakturę."
        )
        answer = InvoiceAnswer(record, paper, hand_over, has_upo=online)
        self.records[record.id] = answer
        self._event("invoice.issued", record.id)
        self.stored.set()
        return answer

    def change(self, invoice_id: str, **facts: object) -> InvoiceAnswer:
        """Set facts of a stored invoice, as sync would."""
        answer = self.records[invoice_id]
        changed = replace(answer, record=replace(answer.record, **facts))  # type: ignore[arg-type]
        self.records[invoice_id] = changed
        self._event("invoice.changed", invoice_id)
        return changed

    def change_nothing(self) -> None:
        """Write an event that concerns no invoice."""
        self._event("noise", None)

    # --- reading --------------------------------------------------------------------------------------

    async def invoice(self, invoice_id: str) -> InvoiceAnswer:
        if invoice_id not in self.records:
            raise NotFound("Nie ma takiej faktury.")
        return self.records[invoice_id]

    async def invoices(self, query: InvoiceFilter) -> list[InvoiceAnswer]:
        found = [answer for answer in reversed(self.records.values()) if _matches(answer.record, query)]
        if query.after_id:
            ids = [answer.record.id for answer in found]
            found = found[ids.index(query.after_id) + 1 :] if query.after_id in ids else []
        return found[: query.limit]

    async def queue(self) -> list[InvoiceAnswer]:
        waiting = [answer for answer in self.records.values() if answer.record.state in UNSENT]
        return sorted(waiting, key=lambda answer: answer.record.deadline or date.max)

    async def refused(self) -> list[HeldAnswer]:
        return [each for each in self.waiting if each.to_settle]

    async def held_one(self, held_id: str) -> HeldAnswer:
        found = [each for each in self.waiting if each.id == held_id]
        if not found:
            raise NotFound("Nie ma takiej korekty.", code="correction-not-found")
        return found[0]

    async def reprint_slip(self, held_id: str, caller: Caller) -> HeldAnswer:
        self.calls.append("reprint_slip")
        return await self.held_one(held_id)

    async def settle(self, held_id: str, reason: str, caller: Caller) -> HeldAnswer:
        settled = replace(await self.held_one(held_id), to_settle=False)
        self.waiting = [settled if each.id == held_id else each for each in self.waiting]
        return settled

    async def held(self) -> list[HeldAnswer]:
        return [each for each in self.waiting if each.state == "waiting"]

    def refuse(self, held_id: str) -> None:
        """Let a held correction turn out never to be issuable."""
        problem = "KSeF ostatecznie odrzucił fakturę, więc nie ma czego korygować."
        words = f"Korekty nie można wystawić – zawołaj kierownika. {problem}"
        self.waiting = [
            replace(each, state="refused", problem=problem, hand_over=words, to_settle=True)
            if each.id == held_id
            else each
            for each in self.waiting
        ]
        self._event("correction_refused", None)

    async def events(self, invoice_id: str) -> list[Event]:
        await self.invoice(invoice_id)
        return [event for event in self.log if event.invoice_id == invoice_id]

    async def prints(self, invoice_id: str) -> list[PrintJob]:
        answer = await self.invoice(invoice_id)
        assert answer.paper is not None
        return [
            PrintJob(1, invoice_id, 1, answer.paper.document, answer.paper.label, PrintState.PRINTED, self.clock.now())
        ]

    async def upo(self, invoice_id: str, scope: str | None = None) -> UpoAnswer:
        if not (await self.invoice(invoice_id)).has_upo:
            raise NotFound("KSeF nie wystawił jeszcze UPO.", code="upo-missing")
        return UpoAnswer(b"<Potwierdzenie/>", scope or "invoice")

    async def receipt_bytes(self, invoice_id: str) -> bytes:
        await self.invoice(invoice_id)
        return b"\x1b@paragon\n\x1dV\x00"

    async def receipt_png(self, invoice_id: str, page: int = 1) -> Picture:
        answer = await self.invoice(invoice_id)
        return Picture(self.png or _picture(await self.receipt_text(answer.record.id)), page, self.pages)

    async def receipt_text(self, invoice_id: str) -> str:
        answer = await self.invoice(invoice_id)
        record = answer.record
        label = answer.paper.label if answer.paper else ""
        return f"{label}\n\nSPRZEDAWCA\n1111111111\n\nRAZEM {record.totals.gross} {record.totals.currency}\n"

    async def receipt_pdf(self, invoice_id: str, page: str) -> bytes:
        await self.invoice(invoice_id)
        return b"%PDF-1.4 " + page.encode()

    # --- state ----------------------------------------------------------------------------------------

    def mode(self) -> ModeAnswer:
        online = self.current_mode is Mode.ONLINE
        declared = self.declared
        return ModeAnswer(
            mode=self.current_mode,
            reason=declared[1] if declared else REASONS[self.current_mode],
            legal_basis=LEGAL_BASIS[self.current_mode],
            ksef="up" if online else "down",
            latarnia="AVAILABLE" if online else "unreachable",
            declared=str(declared[0]) if declared else None,
            declared_by=declared[2].name if declared else None,
            declared_reason=declared[1] if declared else None,
            total_failure_to_confirm=self.to_confirm,
            false_alarm_possible=self.false_alarm_possible,
        )

    async def declare(self, mode: Mode, reason: str, caller: Caller) -> ModeAnswer:
        if caller.role is not Role.MANAGER:
            raise NotPermitted("Tylko kierownik.")
        self.declared, self.current_mode = (mode, reason, caller), mode
        self._event("mode.declared", None)
        return self.mode()

    async def withdraw(self, reason: str, caller: Caller, *, false_alarm: bool = False) -> ModeAnswer:
        self.declared, self.current_mode = None, Mode.ONLINE
        self.false_alarms += false_alarm
        self.false_alarm_possible = False
        self.to_confirm = self.to_confirm and not false_alarm
        self._event("mode.withdrawn", None)
        return self.mode()

    async def register_rows(self, month: str, as_of: date | None) -> list[Mapping[str, Json]]:
        return [{"number": answer.record.number, "mode": str(answer.record.mode)} for answer in self.records.values()]

    async def register_csv(self, month: str, as_of: date | None) -> str:
        return "number;mode\r\n"

    async def register_changes(self, month: str, since: date, as_of: date | None) -> list[Mapping[str, Json]]:
        return [
            {
                "id": record.id,
                "number": record.number,
                "issued_on": record.issued_on.isoformat(),
                "old": "DI",
                "new": "NrKSeF",
                "ksef_number": record.ksef_number,
            }
            for record in (answer.record for answer in self.records.values())
            if record.issued_on > since
        ]

    async def register_counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        return {
            "month": month,
            "invoices": len(self.records),
            "offline": 0,
            "by_mode": {mode.value: 0 for mode in Mode},
            "unnumbered": 0,
            "late": 0,
            "days_late_max": 0,
        }

    async def outbox(self) -> list[OutboxStatus]:
        return [OutboxStatus("shop", "http://127.0.0.1/hook", self.delivered, len(self.log), None, None)]

    async def replay(self, from_id: int, caller: Caller) -> list[OutboxStatus]:
        if not 1 <= from_id <= len(self.log) + 1:
            raise BadInput("Nie ma takiego zdarzenia.", errors=(FieldError("/from", "Nie ma.", "not-allowed"),))
        self.delivered = from_id - 1
        return await self.outbox()

    async def evidence(self, first: date, last: date) -> bytes:
        return b"PK\x05\x06" + bytes(18)

    async def buyer(self, nip: str) -> Mapping[str, Json] | None:
        return KNOWN_BUYERS.get(nip)

    async def sync_now(self) -> int:
        self.calls.append("sync_now")
        return len(await self.queue())

    def health(self) -> HealthReport:
        now = self.clock.now()
        waiting = [answer.record for answer in self.records.values() if answer.record.state in UNSENT]
        printer = PrinterStatus("paragon", self.printer_problem is None, self.printer_problem)
        return HealthReport(
            status=self.status,
            version="0.0.0",
            till="1",
            nip="1111111111",
            at=now,
            started_at=now - timedelta(hours=1),
            mode=self.mode(),
            queue=QueueHealth(
                unsent=len(waiting),
                in_doubt=sum(record.state is InvoiceState.IN_DOUBT for record in waiting),
                rejected=sum(record.state is InvoiceState.REJECTED for record in waiting),
                overdue=0,
                next_deadline=min((record.deadline for record in waiting if record.deadline), default=None),
            ),
            printers=(printer,),
            certificates=(CertificateHealth("offline", "01AB", datetime(2028, 1, 1, tzinfo=UTC), 400),),
            clock_skew_seconds=0.25,
            disk_free_bytes=10**10,
            database_bytes=10**6,
            latarnia_seen_at=now,
            ksef_seen_at=now,
            problems=tuple(self.problems),
            ready=self.ready,
            live=self.live,
        )

    def counters(self) -> Counters:
        return self.numbers

    async def wait_changes(self, after: int, seconds: float) -> int:
        if after < len(self.log) or seconds <= 0:
            return len(self.log)
        self._changed.clear()
        self.polled.set()
        with contextlib.suppress(TimeoutError):
            await self.clock.within(seconds, self._changed.wait())
        return len(self.log)

    def _event(self, kind: str, invoice_id: str | None) -> None:
        self.log.append(Event(len(self.log) + 1, self.clock.now(), kind, invoice_id, {}))
        self._changed.set()


def _checked(sale: Mapping[str, object]) -> Mapping[str, object]:
    errors = []
    lines = sale.get("lines")
    if not isinstance(lines, list) or not lines:
        errors.append(FieldError("/lines", "Koszyk jest pusty.", "empty"))
    nip = _buyer(sale).identifier
    if nip == "1234567890":
        errors.append(FieldError("/buyer/nip", "NIP ma złą cyfrę kontrolną.", "nip-checksum"))
    if errors:
        raise BadInput("Popraw zaznaczone pola.", errors=tuple(errors))
    return sale


def _buyer(sale: Mapping[str, object]) -> Buyer:
    given = sale.get("buyer")
    fields = given if isinstance(given, dict) else {}
    name = str(fields["name"]) if "name" in fields else None
    for kind in (BuyerKind.NIP, BuyerKind.EU_VAT, BuyerKind.FOREIGN_ID):
        if str(kind) in fields:
            return Buyer(kind, str(fields[str(kind)]), name=name)
    return Buyer(BuyerKind.NONE, name=name)


def _payments(sale: Mapping[str, object]) -> tuple[Payment, ...]:
    given = sale.get("payments")
    rows = given if isinstance(given, list) else []
    return tuple(Payment(row["method"], Decimal(row["amount"])) for row in rows)


def _totals(sale: Mapping[str, object]) -> Totals:
    given = sale.get("lines")
    gross: dict[str, Decimal] = {}
    for row in given if isinstance(given, list) else []:
        value = Decimal(row["quantity"]) * Decimal(row["unit_price"]) - Decimal(row.get("discount") or 0)
        gross[row["vat"]] = gross.get(row["vat"], Decimal(0)) + value.quantize(CENT, ROUND_HALF_UP)
    rates = []
    for rate, value in gross.items():
        percent = PERCENT.get(rate, 0)
        tax = (value * percent / (100 + percent)).quantize(CENT, ROUND_HALF_UP)
        rates.append(RateTotal(rate, value - tax, tax, value))
    zero = Decimal("0.00")
    return Totals(
        sum((row.net for row in rates), zero),
        sum((row.tax for row in rates), zero),
        sum((row.gross for row in rates), zero),
        "PLN",
        tuple(rates),
    )


def _xml(sale: Mapping[str, object]) -> bytes:
    given = sale.get("lines")
    rows = "".join(
        f"<FaWiersz><NrWierszaFa>{index}</NrWierszaFa><P_7>{escape(row['name'])}</P_7>"
        f"<P_8A>{escape(row.get('unit', 'szt.'))}</P_8A><P_8B>{row['quantity']}</P_8B>"
        f"<P_9B>{row['unit_price']}</P_9B><P_12>{row['vat']}</P_12></FaWiersz>"
        for index, row in enumerate(given if isinstance(given, list) else [], 1)
    )
    return f"<Faktura xmlns='urn:fake'><Fa>{rows}</Fa></Faktura>".encode()


def _matches(record: InvoiceRecord, query: InvoiceFilter) -> bool:
    text = (query.text or "").lower()
    buyer = record.buyer
    haystack = f"{record.number} {buyer.identifier} {buyer.name} {record.ksef_number} {record.external_ref}".lower()
    return (
        (query.states is None or record.state in query.states)
        and (query.number is None or record.number == query.number)
        and (query.issued_from is None or record.issued_on >= query.issued_from)
        and (query.issued_to is None or record.issued_on <= query.issued_to)
        and (query.base_id is None or record.base_id == query.base_id)
        and text in haystack
    )


def _picture(text: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("L", (576, 900), 255)
    ImageDraw.Draw(image).multiline_text((20, 20), text.replace("ó", "o"), fill=0, font_size=20)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Serve the page on a fake till: kasjer and kierownik are the tokens."""
    import sys
    import tempfile
    from pathlib import Path

    from aiohttp import web

    from agent.services.tokens import Tokens
    from agent.settings.model import ApiSettings, PageSettings
    from agent.system.clock import SystemClock
    from agent.web.api import till_app

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8780
    with tempfile.TemporaryDirectory() as folder:
        tokens = Tokens.in_directory(Path(folder))
        tokens.put("kasa 1", Role.CASHIER, "kasjer")
        tokens.put("kierownik", Role.MANAGER, "kierownik")
        till = FakeTill(clock=SystemClock())
        web.run_app(
            till_app(till, tokens, ApiSettings(port=port), PageSettings(sample_basket=True)),
            host="127.0.0.1",
            port=port,
        )


if __name__ == "__main__":
    main()
