"""The hub's store over PostgreSQL; imported only where a DSN is set, needs asyncpg (extra hub-postgres).

store.py     units of work over a pool
control.py   the connection that listens and holds locks
schema.py    migrations; errors.py what the server's errors mean
"""
