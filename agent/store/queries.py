"""Named queries: every SQL statement of the repositories, from queries/*.sql.

A query starts with a line ``-- name --``, followed by one comment line that says what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"

_HEAD = re.compile(r"^-- (?P<name>[a-z_]+) --$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Return the queries of one file by name; ValueError for one without description or a name used twice."""
    queries: dict[str, str] = {}
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        name = head["name"]
        description, _, sql = text[head.end() : end].strip().partition("\n")
        if not description.startswith("-- ") or not sql.strip():
            raise ValueError(f"query {name}: a line of description, then SQL")
        if name in queries:
            raise ValueError(f"query {name} is there twice")
        queries[name] = sql.strip()
    return queries


def load(folder: Path = FOLDER) -> Mapping[str, str]:
    """Return all queries of all files; ValueError for a name used twice."""
    queries: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        found = parse(path.read_text("utf-8"))
        if doubled := queries.keys() & found.keys():
            raise ValueError(f"{path.name}: {', '.join(sorted(doubled))} is there twice")
        queries.update(found)
    return queries


QUERIES = load()
