"""Begins and ends a transaction by hand, for the stores of till and hub; errors are told as the rest tells them."""

from __future__ import annotations

import sqlite3

from agent.domain.errors import StoreLost
from agent.store.connection import Connection
from agent.store.failures import of_statement


async def execute(connection: Connection, sql: str) -> None:
    """Run a statement that has no name; AgentError where it fails."""
    try:
        await connection.fetch(sql)
    except sqlite3.Error as error:
        raise of_statement(error) from error


async def roll_back(connection: Connection) -> None:
    """Leave no transaction behind; SQLite may have ended it by itself. StoreLost where that fails."""
    if not connection.in_transaction:
        return
    try:
        await connection.fetch("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreLost(f"Nie można wycofać zapisu w bazie danych: {error}.") from error
