"""The program against second answers that share no code with it: docs/tests.md, "Suites"."""
