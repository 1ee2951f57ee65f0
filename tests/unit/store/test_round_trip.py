"""Nothing is lost on the way through the store: whatever can be stored comes back equal, field by field."""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agent.domain.corrections.correction import Correction
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import Address, Buyer, NewInvoice, Payment, RateTotal, Totals
from agent.domain.json_io.codec import PlainError, from_plain, to_plain
from agent.domain.known_buyers import KnownBuyer
from agent.domain.lifecycle import HeldState, InvoiceState, PrintState
from agent.ports import (
    Fact,
    HeldCorrection,
    InvoiceChange,
    InvoiceFilter,
    Json,
    KeyRecord,
    KsefSession,
    Rejection,
    SessionKind,
    Transaction,
    UpoPage,
)
from agent.store import codec
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead

BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
INSTANTS = st.integers(1_577_836_800_000_000, 2_082_758_400_000_000).map(
    lambda each: BEGIN + timedelta(microseconds=each)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
SCALARS: dict[object, st.SearchStrategy[object]] = {
    str: TEXT,
    bytes: st.binary(max_size=50),
    int: st.integers(0, 2**53),
    bool: st.booleans(),
    Decimal: AMOUNTS,
    date: DAYS,
    datetime: INSTANTS,
}
PAGES = st.builds(UpoPage, st.integers(1, 10**6), TEXT, st.binary(max_size=50), st.just(()))
cheap = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@functools.cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a stored type: of every field, whatever its type allows."""
    if kind in SCALARS:
        return SCALARS[kind]
    if get_origin(kind) in {Union, types.UnionType}:
        return st.one_of(*map(any_of, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=2).map(tuple)
    if kind is types.NoneType:
        return st.none()
    if isinstance(kind, type) and is_dataclass(kind):
        return st.builds(kind, **{name: any_of(hint) for name, hint in get_type_hints(kind).items()})
    return st.sampled_from(kind)


@pytest.mark.parametrize("kind", [Address, Buyer, Payment, RateTotal, Totals, Correction, KnownBuyer])
@cheap
@given(data=st.data())
def test_what_is_stored_as_json_comes_back_equal(kind: type, data: st.DataObject) -> None:
    value = data.draw(any_of(kind))
    assert codec.column_of(kind)(codec.dump_value(value)) == value


@st.composite
def new_invoices(draw: st.DrawFn) -> NewInvoice:
    """Any invoice, in the way of the store's own rules: a serial in order, the hash of its bytes."""
    invoice: NewInvoice = draw(any_of(NewInvoice))
    xml = invoice.xml or b"x"
    return replace(
        invoice,
        id="a",
        series="S",
        serial=1,
        number="S/1",
        xml=xml,
        sha256=hashlib.sha256(xml).digest(),
        base_id=None,
        bases=tuple(replace(each, invoice_id=None) for each in invoice.bases),
        deadline_state=draw(st.sampled_from(["due", "open", "lifted"])),
    )


class Undo(Exception):
    """Ends an example: the next one finds an empty store."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "agent.db", FakeClock(), threaded=False)
    yield opened
    await opened.close()


async def tried(store: SqliteStore, work: Callable[[Transaction], Awaitable[None]]) -> None:
    async def undone(tx: Transaction) -> None:
        await work(tx)
        raise Undo

    with pytest.raises(Undo):
        await store.write(undone)


@cheap
@given(invoice=new_invoices(), rejection=st.builds(Rejection, st.integers(1, 99_999), TEXT.filter(bool)), at=INSTANTS)
async def test_an_invoice_comes_back_whole(
    invoice: NewInvoice, rejection: Rejection, at: datetime, store: SqliteStore
) -> None:
    change = InvoiceChange(
        rejection=rejection, session_ref="SO", invoice_ref="EE", sent_at=at, not_before=at, closed_at=at, attempted=True
    )

    async def work(tx: Transaction) -> None:
        made = await tx.invoices.add(invoice)
        first = await tx.invoices.get("a")
        assert made == first
        for name in (each.name for each in fields(invoice) if each.name != "issued_at"):
            assert getattr(first, name) == getattr(invoice, name), name
        assert first.issued_at == invoice.issued_at
        await lead(tx, "a", InvoiceState.REJECTED)
        last = await tx.invoices.note("a", change)
        assert (last.rejection, last.rejection_code) == (rejection.text, rejection.code)
        assert (last.session_ref, last.invoice_ref, last.attempts) == ("SO", "EE", 1)
        assert (last.sent_at, last.not_before, last.closed_at) == (at, at, at)
        (listed,) = await tx.invoices.summaries(InvoiceFilter())
        key = KeyRecord("k", invoice.sha256, "a")
        await tx.keys.add(key)
        assert await tx.keys.get("k") == key
        assert all(getattr(listed, each.name) == getattr(last, each.name) for each in fields(listed))

    await tried(store, work)


@cheap
@given(body=OBJECTS, value=JSON, kind=st.sampled_from(EventKind))
async def test_log_facts_and_values_come_back(
    body: dict[str, Json], value: Json, kind: EventKind, store: SqliteStore
) -> None:
    async def work(tx: Transaction) -> None:
        written = await tx.events.append(kind, body)
        assert await tx.events.after(0) == [written]
        assert (written.kind, written.data) == (kind, body)
        fact = Fact("latarnia", body, datetime(2026, 11, 24, tzinfo=UTC))
        await tx.facts.add(fact)
        (read,) = await tx.facts.all()
        assert (read.source, read.body, read.seen_at) == (fact.source, fact.body, fact.seen_at)
        await tx.key_values.put("name", value)
        assert await tx.key_values.get("name") == value

    await tried(store, work)


@cheap
@given(held=any_of(HeldCorrection), problem=TEXT)
async def test_a_held_correction_comes_back(held: HeldCorrection, problem: str, store: SqliteStore) -> None:
    bases = tuple(replace(each, invoice_id=None) for each in held.bases)
    held = replace(held, id="h", base_id="inv-a", state=HeldState.WAITING, invoice_id=None, problem=None, bases=bases)

    async def work(tx: Transaction) -> None:

        await add_next(tx, "a")
        await tx.held.add(held)
        assert await tx.held.get("h") == held
        await tx.held.close("h", HeldState.REFUSED, problem=problem)
        closed = await tx.held.get("h")
        assert closed is not None
        assert (closed.state, closed.problem) == (HeldState.REFUSED, problem)

    await tried(store, work)


@cheap
@given(label=TEXT, printer=TEXT, problem=TEXT, data=st.binary(max_size=50), page=PAGES)
async def test_a_print_and_a_page_of_an_upo_come_back(
    label: str, printer: str, problem: str, data: bytes, page: UpoPage, store: SqliteStore
) -> None:
    async def work(tx: Transaction) -> None:
        await add_next(tx, "a")
        job = await tx.prints.add("inv-a", "invoice", label)
        printing = await tx.prints.move(job.id, PrintState.PRINTING, printer=printer, data=data)
        assert printing == replace(job, state=PrintState.PRINTING, printer=printer, data=data)
        unsure = await tx.prints.move(job.id, PrintState.UNCERTAIN, problem=problem)
        assert unsure == replace(printing, state=PrintState.UNCERTAIN, problem=problem)
        assert await tx.prints.of_invoice("inv-a") == [unsure]
        assert await tx.prints.summaries("inv-a") == [replace(unsure, data=None)]
        await tx.sessions.use("SB", SessionKind.BATCH)
        assert await tx.sessions.without_upo() == [KsefSession("SB", SessionKind.BATCH)]
        assert await tx.sessions.add_page("SB", page)
        assert await tx.sessions.page("SB", page.number) == page.xml

    await tried(store, work)


def test_what_older_programs_stored_stays_readable() -> None:
    """Columns as they were written before a field was added: it takes its default."""
    rate = '{"rate":"23","net":"1.00","tax":"0.23","gross":"1.23"}'
    totals = codec.column_of(Totals)(f'{{"net":"1.00","tax":"0.23","gross":"1.23","currency":"PLN","rates":[{rate}]}}')
    assert totals.rates == (RateTotal("23", Decimal("1.00"), Decimal("0.23"), Decimal("1.23")),)
    (payment,) = codec.column_of(tuple[Payment, ...])('[{"method":"cash","amount":"1.23"}]')
    assert payment == Payment("cash", Decimal("1.23"))


@pytest.mark.parametrize("document", [{"net": "x"}, [], None, {"method": "cash", "amount": "1", "newer": 1}])
def test_what_no_program_wrote_is_refused(document: object) -> None:
    with pytest.raises(PlainError):
        from_plain(Payment, document)
    assert from_plain(Payment, to_plain(Payment("cash", Decimal(1)))) == Payment("cash", Decimal(1))
