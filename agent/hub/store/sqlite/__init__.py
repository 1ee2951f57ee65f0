"""The hub's store in one file: one process, no administration.

store.py     units of work: one writer, some readers; couriers go first
database.py  named statements in one unit
file.py      the file: claimed, of this program's schema, looked over
"""
