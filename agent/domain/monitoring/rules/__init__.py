"""Which problems hold: pure rules, a module a subject."""
