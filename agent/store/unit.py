"""The connection as one unit of work sees it: usable until the unit ends, useless after the first real failure."""

from __future__ import annotations

import sqlite3

from agent.store.connection import Connection, Parameters
from agent.store.failures import of_statement
from agent.store.queries import QUERIES


class UnitConnection:
    """Runs named queries inside one transaction.

    SQLite may end a transaction by itself after an error (disk full, I/O). A unit that swallowed the error would go
    on outside any transaction, so everything after such a failure fails again, COMMIT included.
    """

    def __init__(self, connection: Connection, damaged: dict[str, None] | None = None) -> None:
        """``damaged`` takes the Polish names of documents that were read and are not what was stored."""
        self._connection = connection
        self.damaged = {} if damaged is None else damaged
        self._ended = False
        self._failure: Exception | None = None
        self.numbers: dict[str, int] = {}
        """Series -> the last number this unit takes."""
        self.head: tuple[int, str] | None = None
        """Sequence number and chain value of the last event this unit adds."""

    async def run(self, name: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run the named query; rows, or AgentError, or sqlite3.IntegrityError for a broken constraint."""
        return await self.run_sql(QUERIES[name], parameters)

    async def run_sql(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run SQL that was put together from named parts."""
        if self._ended:
            raise RuntimeError("a transaction was used after its unit of work had ended")
        self.check()
        try:
            return await self._connection.fetch(sql, parameters)
        except sqlite3.IntegrityError:
            raise  # the statement was undone, the transaction stands
        except sqlite3.Error as error:
            failure = of_statement(error)
            self._failure = failure
            raise failure from error

    def check(self) -> None:
        """Raise the failure of this unit again, if there was one."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Refuse everything from now on."""
        self._ended = True
