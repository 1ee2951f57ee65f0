"""A month of every kind of row, written in every form, to the byte: what a faster writer must not change.

The files are in month/; where a form changes on purpose, delete its file: the next run writes it and fails once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from agent.domain.books.entry import Amount, BookEntry, BookPart, PaymentTerms, Received
from agent.domain.books.jpk import JpkCsv, JpkXml, rows_of
from agent.domain.books.payments import PaymentTable
from agent.domain.invoice import Buyer, BuyerKind, CorrectedBase, InvoiceSummary, Mode, Payment, RateTotal, Totals
from agent.domain.lifecycle import InvoiceState
from agent.domain.records import register
from agent.domain.records.filed import registered
from agent.domain.spreadsheets import EXCEL, RFC_4180, Dialect
from tests.fakes.filed import filed

FOLDER = Path(__file__).parent / "month"
DAYS = (date(2026, 11, 1), date(2026, 11, 30))
FILED = date(2026, 12, 20)
NUMBER = "9999999999-20261125-8BEF280C8D35-4D"


def amounts(net: str, tax: str, gross: str, currency: str = "PLN") -> Totals:
    sums = Decimal(net), Decimal(tax), Decimal(gross)
    return Totals(*sums, currency, (RateTotal("23", *sums),))


FIRM = Buyer(BuyerKind.NIP, "111-111-11-11", "PL", 'Żółw;  "Ćma" & <Syn>\tsp. z o.o.')
PLAIN = InvoiceSummary(
    id="id-01",
    series="FV-1",
    serial=1,
    number="FV-1/2026/11/000001",
    kind="VAT",
    issued_on=date(2026, 11, 24),
    issued_at=datetime(2026, 11, 24, 11, 0, 0, 705066, tzinfo=UTC),
    mode=Mode.ONLINE,
    reason="KSeF jest dostępny.",
    seller_nip="9999999999",
    buyer=FIRM,
    totals=amounts("100.00", "23.00", "123.00"),
    state=InvoiceState.ACCEPTED,
    version=1,
    sha256=hashlib.sha256(b"1").digest(),
    link_invoice="https://a",
    link_certificate=None,
    deadline=date(2026, 11, 25),
    deadline_state="due",
    ksef_number=NUMBER,
    sent_at=datetime(2026, 11, 24, 11, tzinfo=UTC),
    accepted_at=datetime(2026, 11, 24, 23, 30, tzinfo=UTC),
    payments=(Payment("cash", Decimal(100)), Payment("=karta", Decimal("23.00"))),
    external_ref="Z-7",
    has_upo=True,
)
OFFLINE = replace(PLAIN, mode=Mode.OFFLINE24, ksef_number=None, accepted_at=None, has_upo=False)
SALE = BookPart(date(2026, 11, 24), None, (Amount("K_19", Decimal("100.00")), Amount("K_20", Decimal("23.00"))))
PAID = PaymentTerms((Received(Decimal("123.00"), date(2026, 11, 24), "cash"),), accounts=("PL1", "PL2"))
ENTRY = BookEntry((SALE,), terms=PAID)


def month() -> Iterator[tuple[InvoiceSummary, BookEntry]]:
    yield PLAIN, ENTRY
    waiting = replace(OFFLINE, id="id-02", number="FV-1/2026/11/000002", state=InvoiceState.ISSUED, sent_at=None)
    yield waiting, replace(ENTRY, to_receipt=True, terms=PaymentTerms(method="transfer", due=(date(2026, 12, 1),)))
    eu = Buyer(BuyerKind.EU_VAT, "GR 123.456", "GR", "+48 firma")
    abroad = replace(PLAIN, id="id-03", number="=2+3", buyer=eu, totals=amounts("10.5", "0", "10.5", "EUR"))
    yield abroad, replace(ENTRY, notes=("Kurs -- sprawdź.", "Drugie & zdanie."), terms=PaymentTerms())
    parts = (
        replace(SALE, day=date(2026, 10, 31), sold_on=date(2026, 10, 31)),
        replace(SALE, sold_on=date(2026, 11, 3), gtu=("GTU_01", "GTU_13"), procedures=("TP", "MR_UZ")),
    )
    two = replace(OFFLINE, id="id-04", number="FV-1/2026/11/000004-", mode=Mode.FAILURE, state=InvoiceState.SENT)
    yield two, BookEntry(parts, notes=("Marża.",), terms=PaymentTerms((), ipksef="IPK1", to_pay=Decimal("122.5")))
    nobody = Buyer(BuyerKind.NONE, None, None, None)
    outside = replace(OFFLINE, id="id-05", number="FV-1/2026/11/000005", mode=Mode.OUTSIDE_KSEF, buyer=nobody)
    outside = replace(outside, state=InvoiceState.EXEMPT, payments=(), external_ref=None, sent_at=None, deadline=None)
    yield replace(outside, deadline_state="lifted"), replace(ENTRY, reduces=True)
    pesel = Buyer(BuyerKind.FOREIGN_ID, "90010112345", "PL", "Jan\nKowalski")
    back = (Amount("K_19", Decimal("-0.00")), Amount("K_20", Decimal("-7")), Amount("SprzedazVAT_Marza", Decimal(0)))
    correction = replace(
        PLAIN,
        id="id-06",
        number="KOR/1",
        kind="KOR",
        buyer=pesel,
        totals=amounts("-0.004", "-7", "-7.005"),
        bases=(
            CorrectedBase(PLAIN.number, PLAIN.issued_on, NUMBER, PLAIN.id),
            CorrectedBase("-obca", date(2026, 10, 1)),
        ),
    )
    received = (Received(Decimal("-7.00"), None, "inne; słowo"), Received(Decimal(1), date(2026, 11, 2), ""))
    yield correction, BookEntry((replace(SALE, amounts=back),), reduces=True, terms=PaymentTerms(received, method="x"))
    sent = replace(correction, id="id-07", number="KOR/2", mode=Mode.OFFLINE24, buyer=FIRM, bases=correction.bases[:1])
    yield replace(sent, sent_at=datetime(2026, 11, 30, 22, 59, tzinfo=UTC)), BookEntry((SALE,), reduces=True)
    later = replace(sent, id="id-08", number="KOR/3", sent_at=datetime(2026, 11, 30, 23, 1, tzinfo=UTC))
    yield later, BookEntry((SALE,), reduces=True)
    refused = replace(PLAIN, id="id-09", number="FV-1/2026/11/000009", state=InvoiceState.REJECTED, ksef_number=None)
    yield refused, ENTRY
    closed = replace(OFFLINE, id="id-10", number="FV-1/2026/11/000010", closed_at=datetime(2026, 12, 1, tzinfo=UTC))
    yield replace(closed, state=InvoiceState.REJECTED), ENTRY
    long = Buyer(BuyerKind.FOREIGN_ID, "X" * 60, "DE", "N" * 600)
    numbered_later = replace(PLAIN, id="id-11", number="FV-1/2026/11/000011", mode=Mode.UNAVAILABILITY, buyer=long)
    yield replace(numbered_later, accepted_at=datetime(2026, 12, 21, tzinfo=UTC)), ENTRY


def register_json() -> Iterator[str]:
    records = [each for each, _ in month()]
    lines = register.rows_of_page(map(registered, records), as_of=FILED, corrections=records)
    yield "\n".join(json.dumps(register.to_dict(row), ensure_ascii=False, separators=(",", ":")) for row in lines)


def register_csv(dialect: Dialect) -> Iterator[str]:
    yield dialect.begin(register.COLUMNS)
    records = [each for each, _ in month()]
    for row in register.rows_of_page(map(registered, records), as_of=FILED, corrections=records):
        yield register.csv_line(row, dialect)


def jpk(writer: JpkXml | JpkCsv) -> Iterator[str]:
    yield writer.begin()
    for record, entry in month():
        for row in rows_of(filed(record), entry, DAYS, FILED):
            yield writer.row(row)
    yield writer.end()


def payments(dialect: Dialect) -> Iterator[str]:
    table = PaymentTable(dialect)
    yield table.begin()
    for record, entry in month():
        yield table.lines(filed(record), entry)


FORMS: dict[str, Callable[[], Iterator[str]]] = {
    "register.json": register_json,
    "register.csv": lambda: register_csv(RFC_4180),
    "register-excel.csv": lambda: register_csv(EXCEL),
    "jpk.xml": lambda: jpk(JpkXml()),
    "jpk.csv": lambda: jpk(JpkCsv(RFC_4180)),
    "jpk-excel.csv": lambda: jpk(JpkCsv(EXCEL)),
    "payments.csv": lambda: payments(RFC_4180),
    "payments-excel.csv": lambda: payments(EXCEL),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_books_is_what_it_was(name: str) -> None:
    written = "".join(FORMS[name]()).encode()
    file = FOLDER / name
    if not file.exists():
        file.write_bytes(written)
        pytest.fail(f"{file} was written anew: look at it")
    assert written == file.read_bytes()
