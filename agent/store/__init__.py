"""The Store port over SQLite.

Where things are
    sqlite.py        SqliteStore: writer task, readers, close; the only name other layers build
    transaction.py   SqliteTransaction: all repositories of one unit of work
    invoices.py log.py prints.py exports.py   the repositories; codec.py turns domain values into columns
    queries/*.sql    every statement, named, with one line that says what it is for
    migrations/      the schema, numbered, forward only; triggers hold what must never happen
    migrate.py connection.py unit.py failures.py disk.py maintenance.py   schema, pragmas, errors, lock, backup

How to add a repository (webhook outbox, tokens, ...)
    1. migrations/NNNN_what_it_brings.sql with the next free number. Tables are STRICT, append-only ones get triggers
       as in 0001. A migration that was released never changes: its hash is compared at every start.
    2. queries/<name>.sql: ``-- name --``, a line of description, the statement. Use RETURNING instead of rowcount.
    3. <name>.py with a class over UnitConnection: ``await self._connection.run("query_name", {...})``. Expected
       broken constraints become errors of agent.domain.errors there; all other errors were translated already.
    4. One attribute in SqliteTransaction, one property in agent.ports.Transaction with its Protocol.
    5. Tests: its obligations in tests/contract/test_store_contract.py style, over the real store.

Rules
    A unit of work awaits nothing but its transaction, and never another unit. No ATTACH, no second connection that
    writes. What must be atomic goes into one unit; a unit is short: every press waits for it.
"""
