"""The database itself refuses what must never happen, whoever writes to it."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import INVOICE_MOVES, PRINT_MOVES, InvoiceState, PrintState
from agent.ports import Fact, KeyRecord, SessionKind, Transaction, UpoPage
from agent.store.migrate import FOLDER
from agent.store.sqlite import SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead

ADDED = {"sessions", "session_upos", "session_upo_documents"}
"""Kept tables of later schemas, looked at in the same way."""
KEPT = ADDED | {
    "events",
    "exports",
    "facts",
    "idempotency_keys",
    "invoices",
    "print_jobs",
    "series_resumed",
    "upos",
    "versions",
}
"""Tables whose rows stay for ever."""

MUTABLE = {
    "invoices": {
        "accepted_at",
        "attempts",
        "deadline",
        "deadline_state",
        "invoice_ref",
        "ksef_number",
        "mode",
        "not_before",
        "reason",
        "rejection",
        "rejection_code",
        "search",
        "sent_at",
        "session_ref",
        "state",
    },
    "print_jobs": {"data", "printer", "problem", "state"},
    "sessions": {"state"},
}
"""Columns that take new facts; every other column of a kept table never changes."""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with a row in every kept table; invoice a is accepted and exported, b issued, c rejected."""
    store = await SqliteStore.open(tmp_path / "agent.db", FakeClock(), threaded=False)

    async def fill(transaction: SqliteTransaction) -> None:
        for name, state in (("a", InvoiceState.ACCEPTED), ("b", InvoiceState.ISSUED), ("c", InvoiceState.REJECTED)):
            await add_next(transaction, name)
            await lead(transaction, f"inv-{name}", state)
        await transaction.invoices.add_upo("inv-a", b"<UPO/>")
        await transaction.invoices.resume_series("INNA", 5, "restored")
        await transaction.events.append(EventKind.ISSUED, {}, "inv-a")
        await transaction.keys.add(KeyRecord("k", b"\1" * 32, "inv-a"))
        await transaction.facts.add(Fact("latarnia", {}, FakeClock().now()))
        await transaction.exports.add("inv-a", "/x", b"\2" * 32)
        await transaction.sessions.use("SO-1", SessionKind.ONLINE)
        named = (("5265877635-20261124-0100A0AE0E14-06", b"\3" * 32),)
        await transaction.sessions.add_page("SO-1", UpoPage(1, "EU-1", b"<UPO/>", named))
        await transaction.sessions.add_documents("SO-1", 1, named)
        await _print(transaction)

    await store.write(fill)
    await store.close()
    return tmp_path / "agent.db"


async def _print(transaction: Transaction) -> None:
    for name in ("a", "b"):
        job = await transaction.prints.add(f"inv-{name}", "invoice", "Faktura")
        await transaction.prints.move(job.id, PrintState.PRINTING, data=b"ESC")
        await transaction.prints.move(job.id, PrintState.PRINTED)


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A bare connection, as somebody with the sqlite3 shell has it; rolled back after each statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys=1")
        connection.execute("PRAGMA recursive_triggers=1")
        yield connection


def attempt(database: sqlite3.Connection, sql: str, *parameters: object) -> str | None:
    """Run a statement and take it back; return why it was refused."""
    database.execute("BEGIN")
    try:
        assert database.execute(sql, parameters).rowcount != 0, "the statement met no row"
    except sqlite3.IntegrityError as error:
        return str(error)
    finally:
        database.execute("ROLLBACK")
    return None


def allowed_moves(database: sqlite3.Connection, table: str, states: list[str]) -> set[tuple[str, str]]:
    """Ask the database about every pair, a move at a time; other guards are out of the way."""
    guard = f"{table}_moves"
    sql = database.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (guard,)).fetchone()[0]
    others = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?"
    guards = [name for (name,) in database.execute(others, (table,)).fetchall()]
    database.execute("PRAGMA ignore_check_constraints=1")
    found = set()
    for old, new in itertools.product(states, states):
        database.execute("BEGIN")
        for name in guards:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(f"UPDATE {table} SET state = ?", (old,))
        database.execute(sql)
        try:
            database.execute(f"UPDATE {table} SET state = ?", (new,))
            found.add((old, new))
        except sqlite3.IntegrityError:
            pass
        database.execute("ROLLBACK")
    return {(old, new) for old, new in found if old != new}


def test_invoices_move_as_the_lifecycle_says(database: sqlite3.Connection) -> None:
    states = [state.value for state in InvoiceState]
    assert allowed_moves(database, "invoices", states) == {(old.value, new.value) for old, new in INVOICE_MOVES}


def test_an_archived_invoice_leaves_its_exemption_no_more(database: sqlite3.Connection) -> None:
    database.execute("UPDATE invoices SET state = 'exempt' WHERE id = 'inv-b'")
    back = "UPDATE invoices SET state = 'issued' WHERE id = 'inv-b'"
    assert attempt(database, back) is None
    database.execute("INSERT INTO exports VALUES ('inv-b', '2027-01-01T00:00:00+00:00', '/x', zeroblob(32))")
    assert attempt(database, back) == "an archived invoice stays as it was archived"


def test_print_jobs_move_as_the_lifecycle_says(database: sqlite3.Connection) -> None:
    states = [state.value for state in PrintState]
    assert allowed_moves(database, "print_jobs", states) == {(old.value, new.value) for old, new in PRINT_MOVES}


@pytest.mark.parametrize("table", sorted(KEPT))
def test_rows_are_never_deleted_nor_replaced(database: sqlite3.Connection, table: str) -> None:
    assert attempt(database, f"DELETE FROM {table}") is not None
    columns = ", ".join(row["name"] for row in database.execute(f"PRAGMA table_info({table})"))
    assert attempt(database, f"INSERT OR REPLACE INTO {table} SELECT {columns} FROM {table} LIMIT 1") is not None


@pytest.mark.parametrize("table", sorted(KEPT))
def test_columns_that_take_no_facts_never_change(database: sqlite3.Connection, table: str) -> None:
    columns = {row["name"]: row["type"] for row in database.execute(f"PRAGMA table_info({table})")}
    for column in sorted(columns.keys() - MUTABLE.get(table, set())):
        other = {"TEXT": "'other'", "INTEGER": "987654", "BLOB": "zeroblob(32)"}[columns[column]]
        assert attempt(database, f"UPDATE {table} SET {column} = {other}") is not None, column


def test_a_ksef_number_never_changes(database: sqlite3.Connection) -> None:
    assert attempt(database, "UPDATE invoices SET ksef_number = 'X' WHERE id = 'inv-a'") is not None
    assert attempt(database, "UPDATE invoices SET ksef_number = NULL WHERE id = 'inv-a'") is not None


BOOKED = "INSERT INTO books VALUES ('inv-a', 1, '2026-11-24', '2026-11-24', 0, '{}')"


def test_bytes_leave_only_after_the_books_read_them(database: sqlite3.Connection) -> None:
    leave = "UPDATE versions SET xml = NULL WHERE invoice_id = 'inv-a'"
    assert attempt(database, leave) == "the books have not read this invoice yet"
    database.execute(BOOKED)
    anew = "UPDATE books SET reader = 2, entry = '{\"parts\": []}'"
    database.execute(anew)
    database.execute(leave)
    kept = "the books keep what was read while the bytes were here"
    assert attempt(database, anew.replace("2", "3")) == kept
    assert attempt(database, "DELETE FROM books") == "the books are never deleted"


def test_bytes_leave_only_after_export(database: sqlite3.Connection) -> None:
    database.execute(BOOKED)
    for table, column, key in (("versions", "xml", "invoice_id"), ("print_jobs", "data", "invoice_id")):
        assert attempt(database, f"UPDATE {table} SET {column} = NULL WHERE {key} = 'inv-b'") is not None
        assert attempt(database, f"UPDATE {table} SET {column} = NULL WHERE {key} = 'inv-a'") is None
        assert attempt(database, f"UPDATE {table} SET {column} = x'00' WHERE {key} = 'inv-a'") is not None
    assert attempt(database, "UPDATE upos SET xml = NULL WHERE invoice_id = 'inv-a'") is None


def test_new_bytes_only_for_a_rejected_invoice(database: sqlite3.Connection) -> None:
    sql = "INSERT INTO versions SELECT ?, ?, xml, sha256, link_invoice, NULL, added_at FROM versions LIMIT 1"
    assert attempt(database, sql, "inv-c", 2) is None
    assert attempt(database, sql, "inv-c", 3) is not None
    assert attempt(database, sql, "inv-b", 2) is not None
    assert attempt(database, "UPDATE invoices SET version = 2 WHERE id = 'inv-b'") is not None


def test_the_log_has_no_gaps(database: sqlite3.Connection) -> None:
    sql = "INSERT INTO events SELECT ?, at, kind, invoice_id, data, 'chain' FROM events LIMIT 1"
    assert attempt(database, sql, 2) is None
    for seq in (0, 1, 3):
        assert attempt(database, sql, seq) is not None


def test_every_kept_table_of_the_first_schema_is_looked_at(database: sqlite3.Connection) -> None:
    script = (FOLDER / "0001_initial.sql").read_text("utf-8")
    assert set(re.findall(r"CREATE TABLE (\w+)", script)) - {"notebook"} == KEPT - ADDED


def test_a_session_is_settled_once(database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    database.execute("UPDATE sessions SET state = 'confirmed'")
    with pytest.raises(sqlite3.IntegrityError, match="settled once"):
        database.execute("UPDATE sessions SET state = 'waiting'")
    database.execute("ROLLBACK")
