"""The hub's store (port HubStore), over SQLite and over PostgreSQL.

database.py         what the repositories need: named statements, rows
repositories/       one set of repositories for both
queries/            the statements; queries/postgresql replaces the few that differ
migrations/         the schema, numbered, forward only, a folder for each database
sqlite/             one process, no administration: writer, readers, the lock of agent/store
postgresql/         any number of processes: pool, advisory locks, LISTEN/NOTIFY
leadership.py       a unit of work that first looks whether it still may
"""
