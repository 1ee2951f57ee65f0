"""The hub's statements over SQLite: what is asked in every round is found by an index, however many invoices are done.

SQLite has no statistics here, as in a hub that never gathered any: it takes the wrong index where two look alike.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from agent.hub.store import queries
from agent.hub.store.sqlite.file import MIGRATIONS

ALL_OF_A_SELLER = {
    "in_state": "of states that no round asks for",
}


@pytest.mark.parametrize("name", sorted(queries.SQLITE.keys() - ALL_OF_A_SELLER))
def test_no_statement_walks_through_all_invoices(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        sql = queries.SQLITE[name]
        partial = {
            str(index)
            for index, text in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index'")
            if " WHERE state " in str(text)
        }
        parameters = dict.fromkeys(re.findall(r":([a-z_0-9]+)", re.sub(r"--.*", "", sql)))
        steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    for step in steps:
        found = re.fullmatch(r"(SCAN|SEARCH) (?:invoices|base)(?: USING (?:COVERING )?INDEX (\w+))?(.*)", step)
        if found is None or found[2] in partial:
            continue
        assert found[1] == "SEARCH", step
        assert found[3] != " (nip=?)", step
