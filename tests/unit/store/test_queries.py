"""Named queries: every one described, valid, used."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import agent.store
from agent.ports import InvoiceFilter
from agent.store import books
from agent.store.invoice_search import where
from agent.store.migrate import MIGRATIONS
from agent.store.queries import QUERIES, load, parse

SOURCE = "\n".join(path.read_text("utf-8") for path in Path(agent.store.__path__[0]).glob("[a-z]*.py"))
FRAGMENTS = {"invoice_select", "held_select", "invoice_filed", "queue_select"}
"""Queries that get their conditions in Python."""


def test_every_query_is_used_and_every_used_one_exists() -> None:
    quoted = set(re.findall(r"[\"']([a-z_]+)[\"']", SOURCE))
    assert set(QUERIES) - quoted == set()
    called = set(re.findall(r"\.run\(\s*\"([a-z_]+)\"", SOURCE))
    assert called
    assert called - set(QUERIES) == set()


def test_every_query_fits_the_schema() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        for name, sql in QUERIES.items():
            names = set(re.findall(r":([a-z_0-9]+)", re.sub(r"--.*", "", sql)))
            connection.execute(f"EXPLAIN {sql}", dict.fromkeys(names)).fetchall()
            assert name in FRAGMENTS or sql.endswith(";"), name


UNINDEXED = {("held_corrections", "invoice_id")}
"""Corrections that wait are few, and their references are not deferred: no new invoice looks for them."""


def test_rows_that_refer_to_an_invoice_are_found_by_an_index() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            for key in connection.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                column = key[3]
                if key[2] != "invoices" or (table, column) in UNINDEXED:
                    continue
                plan = connection.execute(
                    f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = ?", ("x",)
                ).fetchall()
                assert all(row[3].startswith("SEARCH") for row in plan), (table, column, plan)


def test_invoices_to_a_nip_are_found_by_an_index() -> None:
    conditions, parameters = where(InvoiceFilter(buyer_identifier="1111111111"))
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        sql = f"EXPLAIN QUERY PLAN {QUERIES['queue_select']} {conditions} ORDER BY invoices.seq DESC LIMIT :limit"
        assert "invoices_buyer" in connection.execute(sql, parameters).fetchone()[3]


@pytest.mark.parametrize("condition", [books._PAGE, books._OF_DAYS])
def test_a_page_of_the_books_is_read_from_its_place_on(condition: str) -> None:
    """In the order of its index: no page sorts a month, or goes along the pages before it."""
    sql = f"{QUERIES['invoice_filed']}\n{condition}\n{books._IN_ORDER}"
    names = set(re.findall(r":([a-z]+)", sql))
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(names, ""))]
    assert plan[0].startswith("SEARCH invoices USING INDEX invoices_in_register ((issued_on,number,id)>(?,?,?)")
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    "text", ["-- a --\nSELECT 1;", "-- a --\n-- why\n", "-- a --\n-- x\nSELECT 1;\n\n-- a --\n-- y\nSELECT 2;"]
)
def test_a_query_without_description_or_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query a"):
        parse(text)


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("one.sql", "two.sql"):
        (tmp_path / name).write_text("-- same --\n-- Why.\nSELECT 1;\n", "utf-8")
    with pytest.raises(ValueError, match="same"):
        load(tmp_path)
