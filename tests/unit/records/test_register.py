"""The register: markers by the day of filing, lateness, counts, what changed, CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.invoice import Buyer, BuyerKind, CorrectedBase, InvoiceRecord, Mode, Payment, RateTotal, Totals
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import (
    COLUMNS,
    Marker,
    MonthCount,
    MonthCounting,
    RegisterRow,
    count_to_dict,
    csv_line,
    marker,
    rows,
    to_dict,
)
from agent.domain.spreadsheets import EXCEL, RFC_4180, Dialect
from tests.fakes.filed import group
from tests.unit.fa3 import fa3_documents as documents

ISSUED = date(2026, 11, 24)
DEADLINE = date(2026, 11, 25)
FILING = date(2026, 12, 20)
NUMBER = "9999999999-20261125-8BEF280C8D35-4D"


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 11, tzinfo=UTC)


def month_count(month: str, records: Iterable[InvoiceRecord]) -> MonthCount:
    counting = MonthCounting(month, FILING)
    for record in records:
        counting.add(group(record))
    return counting.count()


def to_csv(register: Iterable[RegisterRow], dialect: Dialect = RFC_4180) -> bytes:
    return "".join((dialect.begin(COLUMNS), *(csv_line(row, dialect) for row in register))).encode()


BASE = InvoiceRecord(
    id="i1",
    series="FV-1",
    serial=1,
    number="FV-1/2026/11/000001",
    kind="VAT",
    issued_on=ISSUED,
    issued_at=noon(ISSUED),
    mode=Mode.OFFLINE24,
    reason="Brak połączenia.",
    seller_nip="9999999999",
    buyer=Buyer(BuyerKind.NIP, "1111111111", "PL", 'Żółw; "Ćma" sp. z o.o.'),
    totals=Totals(
        Decimal(100), Decimal(23), Decimal(123), "PLN", (RateTotal("23", Decimal(100), Decimal(23), Decimal(123)),)
    ),
    state=InvoiceState.ISSUED,
    version=1,
    stored_xml=documents.document(),
    sha256=hashlib.sha256(documents.document()).digest(),
    link_invoice="https://a",
    link_certificate=None,
    deadline=DEADLINE,
    deadline_state="due",
    payments=(Payment("cash", Decimal(100)), Payment("card", Decimal(23))),
    external_ref="Z-7",
)
ACCEPTED = replace(
    BASE,
    state=InvoiceState.ACCEPTED,
    ksef_number=NUMBER,
    sent_at=noon(DEADLINE),
    accepted_at=noon(DEADLINE),
)


@pytest.mark.parametrize("mode", Mode)
def test_a_number_known_at_filing_is_the_marker(mode: Mode) -> None:
    record = replace(ACCEPTED, mode=mode)
    assert marker(record, DEADLINE) is Marker.NUMBER
    assert marker(record, DEADLINE - timedelta(days=1)) is not Marker.NUMBER


@pytest.mark.parametrize(
    ("mode", "state", "expected"),
    [
        (Mode.ONLINE, InvoiceState.SENT, Marker.DI),
        (Mode.OFFLINE24, InvoiceState.ISSUED, Marker.DI),
        (Mode.UNAVAILABILITY, InvoiceState.REJECTED, Marker.DI),
        (Mode.FAILURE, InvoiceState.ISSUED, Marker.OFF),
        (Mode.TOTAL_FAILURE, InvoiceState.EXEMPT, Marker.BFK),
        (Mode.TOTAL_FAILURE, InvoiceState.ISSUED, Marker.BFK),
        (Mode.OUTSIDE_KSEF, InvoiceState.EXEMPT, Marker.BFK),
        # Total failure lifted the duty of a waiting invoice.
        (Mode.OFFLINE24, InvoiceState.EXEMPT, Marker.BFK),
        (Mode.UNAVAILABILITY, InvoiceState.EXEMPT, Marker.BFK),
        (Mode.FAILURE, InvoiceState.EXEMPT, Marker.OFF),
    ],
)
def test_markers_without_a_number(mode: Mode, state: InvoiceState, expected: Marker) -> None:
    assert marker(replace(BASE, mode=mode, state=state), FILING) is expected


def test_the_day_of_the_number_is_polish() -> None:
    # 23:30 UTC on 24 November is 00:30 on 25 November in Poland.
    record = replace(ACCEPTED, accepted_at=datetime(2026, 11, 24, 23, 30, tzinfo=UTC))
    assert marker(record, date(2026, 11, 24)) is Marker.DI
    assert marker(record, date(2026, 11, 25)) is Marker.NUMBER


days = st.dates(date(2026, 11, 1), date(2027, 3, 1))


@given(mode=st.sampled_from(Mode), state=st.sampled_from(InvoiceState), got=st.none() | days, early=days, later=days)
def test_markers_only_ever_turn_into_numbers(
    mode: Mode, state: InvoiceState, got: date | None, early: date, later: date
) -> None:
    number = None if got is None else NUMBER
    accepted_at = None if got is None else noon(got)
    record = replace(BASE, mode=mode, state=state, ksef_number=number, accepted_at=accepted_at)
    first, second = marker(record, min(early, later)), marker(record, max(early, later))
    assert second in (first, Marker.NUMBER)
    assert (first is Marker.NUMBER) is (got is not None and got <= min(early, later))
    assert (Marker.OFF in (first, second)) <= (mode is Mode.FAILURE)


@pytest.mark.parametrize(
    ("change", "late"),
    [
        ({}, 25),
        ({"deadline": FILING}, 0),
        ({"deadline": None}, 0),
        ({"deadline_state": "lifted"}, 0),
        ({"deadline_state": "open", "deadline": None}, 0),
        ({"state": InvoiceState.EXEMPT}, 0),
        ({"state": InvoiceState.SENT, "sent_at": noon(DEADLINE)}, 0),
        ({"state": InvoiceState.ACCEPTED, "sent_at": noon(DEADLINE + timedelta(days=3))}, 3),
        # Sent in time, numbered later: in time.
        ({"state": InvoiceState.ACCEPTED, "sent_at": noon(DEADLINE), "accepted_at": noon(FILING)}, 0),
        # Adopted after 440: only the number's time is known.
        ({"state": InvoiceState.ACCEPTED, "accepted_at": noon(DEADLINE + timedelta(days=1))}, 1),
        # KSeF refused what was sent in time: it is not there.
        ({"state": InvoiceState.REJECTED, "sent_at": noon(DEADLINE)}, 25),
        # Sent after the day asked for: on that day it was not there.
        ({"state": InvoiceState.ACCEPTED, "sent_at": noon(FILING + timedelta(days=9))}, 25),
        # 23:30 UTC on the deadline is the next day in Poland.
        ({"state": InvoiceState.SENT, "sent_at": datetime(2026, 11, 25, 23, 30, tzinfo=UTC)}, 1),
    ],
)
def test_lateness(change: dict[str, object], late: int) -> None:
    (row,) = rows([replace(BASE, **change)], as_of=FILING)  # type: ignore[arg-type]
    assert row.days_late == late


def test_a_row_says_everything() -> None:
    (row,) = rows([replace(ACCEPTED, has_upo=True)], as_of=FILING)
    said = to_dict(row)
    assert json.loads(json.dumps(said)) == {
        "id": "i1",
        "number": "FV-1/2026/11/000001",
        "kind": "VAT",
        "issued_on": "2026-11-24",
        "mode": "offline24",
        "legal_basis": "art. 106nda",
        "reason": "Brak połączenia.",
        "state": "accepted",
        "deadline": "2026-11-25",
        "deadline_state": "due",
        "days_late": 0,
        "sent_at": "2026-11-25T11:00:00+00:00",
        "accepted_at": "2026-11-25T11:00:00+00:00",
        "ksef_number": NUMBER,
        "upo": True,
        "sha256": BASE.sha256.hex(),
        "marker": "NrKSeF",
        "buyer": "1111111111",
        "buyer_name": 'Żółw; "Ćma" sp. z o.o.',
        "net": "100.00",
        "tax": "23.00",
        "gross": "123.00",
        "currency": "PLN",
        "bases": [],
        "corrections": [],
        "external_ref": "Z-7",
        "payments": [{"method": "cash", "amount": "100.00"}, {"method": "card", "amount": "23.00"}],
    }
    assert set(COLUMNS) == set(said)


def test_a_number_that_came_later_is_not_told_before() -> None:
    (row,) = rows([ACCEPTED], as_of=ISSUED)
    assert (row.ksef_number, row.accepted_at, row.marker) == (None, None, Marker.DI)


def test_rows_come_by_day_and_number_and_link_corrections() -> None:
    second = replace(BASE, id="i2", number="B", issued_on=date(2026, 11, 25))
    correction = replace(
        BASE,
        id="k1",
        number="K/1",
        kind="KOR",
        stored_xml=b"",  # exported and pruned
        base_id="i1",
        bases=(CorrectedBase("FV/1", ISSUED, NUMBER, "i1"), CorrectedBase("FV/PAPIER/2", ISSUED)),
        issued_on=date(2026, 11, 25),
        buyer=Buyer(BuyerKind.EU_VAT, "123456789", "DE"),
    )
    elsewhere = replace(correction, id="k2", number="K/2", issued_on=date(2026, 12, 1))
    register = rows([correction, second, BASE], as_of=FILING, corrections=[correction, elsewhere])
    assert [row.id for row in register] == ["i1", "i2", "k1"]
    assert register[0].corrections == ("K/1", "K/2")
    assert register[2].bases == ("FV/1", "FV/PAPIER/2")
    assert register[2].buyer == "DE123456789"


def test_counts_of_a_month() -> None:
    records = [
        BASE,
        replace(BASE, id="i2", mode=Mode.ONLINE, deadline=None),
        replace(ACCEPTED, id="i3", mode=Mode.FAILURE),
        replace(BASE, id="i4", issued_on=date(2026, 10, 30), deadline=date(2026, 11, 2)),
    ]
    online = replace(BASE, id="i5", mode=Mode.ONLINE, state=InvoiceState.REJECTED)
    october = month_count("2026-10", [each for each in records if each.issued_on.month == 10])
    november = month_count("2026-11", [online, *(each for each in records if each.issued_on.month == 11)])
    assert (october.month, october.invoices, october.late, october.days_late_max) == ("2026-10", 1, 1, 48)
    assert (november.invoices, november.offline, november.unnumbered, november.late) == (3, 2, 2, 1)
    assert count_to_dict(november)["by_mode"] == {
        "online": 1,
        "offline24": 1,
        "unavailability": 0,
        "failure": 1,
        "total_failure": 0,
        "outside_ksef": 0,
    }


def test_a_number_that_came_after_the_filing_does_not_count() -> None:
    # 23:30 UTC on the day of filing is the next day in Poland.
    later = replace(ACCEPTED, accepted_at=datetime(2026, 12, 20, 23, 30, tzinfo=UTC))
    assert [month_count("2026-11", [each]).unnumbered for each in (ACCEPTED, later)] == [0, 1]


def test_what_never_became_an_invoice_has_no_row_and_a_filed_one_is_taken_back() -> None:
    refused = replace(BASE, id="i4", number="D", mode=Mode.OFFLINE24, state=InvoiceState.REJECTED)
    online = replace(refused, id="i5", number="E", mode=Mode.ONLINE)
    closed = replace(refused, closed_at=datetime(2026, 12, 2, 9, 0, tzinfo=UTC))
    assert [row.id for row in rows([closed, online], as_of=ISSUED)] == ["i4"]
    assert [row.id for row in rows([refused], as_of=FILING)] == ["i4"]
    assert rows([closed, online], as_of=FILING) == []


def test_the_table_opens_in_a_polish_excel() -> None:
    data = to_csv(rows([ACCEPTED], as_of=FILING), EXCEL)
    assert data.startswith(b"\xef\xbb\xbfnumber;kind;")
    (read_back,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";")
    assert (read_back["gross"], read_back["payments"]) == ("123,00", "cash 100,00; card 23,00")
    assert read_back["buyer_name"] == 'Żółw; "Ćma" sp. z o.o.'


def test_csv_is_rfc_4180_and_comes_back() -> None:
    data = to_csv(rows([replace(ACCEPTED, has_upo=True)], as_of=FILING))
    assert data.endswith(b"\r\n")
    assert data.startswith(b"number,")
    (read_back,) = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))
    assert read_back["buyer_name"] == 'Żółw; "Ćma" sp. z o.o.'
    assert read_back["payments"] == "cash 100.00; card 23.00"
    assert read_back["gross"] == "123.00"
    assert read_back["upo"] == "1"
    assert read_back["deadline"] == "2026-11-25"


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+48 123", "@nazwa", "-1+1", "- myślnik"])
def test_a_name_never_becomes_a_formula(name: str) -> None:
    record = replace(BASE, buyer=Buyer(BuyerKind.NONE, name=name))
    (read_back,) = csv.DictReader(io.StringIO(to_csv(rows([record], as_of=FILING)).decode(), newline=""))
    assert read_back["buyer_name"] == f"'{name}"
    assert read_back["ksef_number"] == ""


def test_a_form_of_payment_never_becomes_a_formula() -> None:
    record = replace(BASE, payments=(Payment("=1+1", Decimal(5)),))
    (read_back,) = csv.DictReader(io.StringIO(to_csv(rows([record], as_of=FILING)).decode(), newline=""))
    assert read_back["payments"] == "'=1+1 5.00"


def test_negative_amounts_stay_numbers() -> None:
    record = replace(BASE, totals=replace(BASE.totals, gross=Decimal("-61.5")))
    (read_back,) = csv.DictReader(io.StringIO(to_csv(rows([record], as_of=FILING)).decode(), newline=""))
    assert read_back["gross"] == "-61.50"
