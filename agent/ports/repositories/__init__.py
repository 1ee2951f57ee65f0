"""Repositories: what a unit of work of the store reads and writes, a module a subject."""
