"""Where in a TOML file a setting stands. tomllib gives values only; mistakes are reported with their line."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TABLE = re.compile(r"\s*\[(?P<array>\[)?\s*(?P<name>[\w\s.\"'-]+?)\s*\]")
_KEY = re.compile(r"\s*(?P<name>[\w\s.\"'-]+?)\s*=")

KeyPath = tuple[str | int, ...]
"""Keys and, for an array of tables, the index: ("printer", 0, "host")."""


def find_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the line (from 1) of every table and of every key that starts a line.

    Keys inside inline tables and lines inside multi-line strings are not told apart; whoever asks for a place that is
    not here takes its parent's line.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.match(line):
            names = _split(match["name"])
            if match["array"]:
                index = counts[match["name"]] = counts.get(match["name"], -1) + 1
                table = (*names, index)
            else:
                table = names
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            lines.setdefault(table + _split(match["name"]), number)
    return lines


def line_of(lines: Mapping[KeyPath, int], place: KeyPath) -> int | None:
    """Return the line of a place or of its nearest parent."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


def _split(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


def name_of(place: KeyPath, *, with_index: bool = True) -> str:
    """Return "printer[2].host" (counted from 1) or "printer.host"."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]" if with_index else ""
        else:
            text += f".{part}" if text else part
    return text
