"""Databases of the hub as earlier programs left them, as SQL text: NNNN.DATABASE.sql, by the last migration in them.

Each was written by the program of its day, never by today's: what tills, people and couriers of a small chain did
(story.py), then dumped by SQLite and by pg_dump. 0001 to 0003 come from commits 423790a, fef4ce7 and a83f5ea, the last
ones before the next migration; there the story lacks what their program could not do yet. Files are never changed.
Whoever adds a migration records its snapshot, too: python -m tests.contract.hub_schemas.story.
"""
