"""Fuzzing of everything that reads bytes from outside: docs/tests.md, "Fuzz"."""
