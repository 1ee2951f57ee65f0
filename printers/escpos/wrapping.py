"""Text to lines of a width: in cells, one per character, for printers; in points for the PDF."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Measure = Callable[[str], float]

_LEADERS = frozenset({"art.", "ust.", "pkt", "lit.", "poz.", "ul.", "al.", "pl.", "os.", "sp."})
"""Abbreviations that a line does not end with."""
_CURRENCIES = frozenset({"zł", "PLN", "EUR"})
_POSTCODE = re.compile(r"\d\d-\d{3}")
_THOUSANDS = re.compile(r"[-+(]?\d{1,3}")
_HUNDREDS = re.compile(r"\d{3}(?:,\d+)?[.,;)]?")
"""Two parts of one amount: "1" and "234,50"."""
_DASHES = ("- ", "– ")


def wrap(text: str, width: float, measure: Measure = len) -> list[str]:
    """Break at blanks; no character is lost.

    What belongs to the next word ("w", "sp. z", "art.", a postcode) goes to the next line with it. A word wider than
    the line begins beside what precedes it, where that is short ("12."), and is split at the edge.
    """
    if measure(text) <= width and not text.startswith(" "):
        return [text]  # most of a receipt stands on one line
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if measure(longer) <= width:
            line = longer
        elif measure(word) > width:
            if line and measure(line) > width / 2:
                lines.append(line)
                longer = word
            *whole, line = _split(longer, width, measure)
            lines.extend(whole)
        else:
            stays, line = _lead(line, word, width, measure)
            lines.append(stays)
    lines.append(line)
    return lines


def balanced(text: str, width: float, measure: Measure = len, *, step: int = 1) -> list[str]:
    """Wrap to lines of about one length, no more of them than needed: a heading with one last short word looks torn.

    ``step`` is by how much a narrower line is tried, in the unit of ``width``.
    """
    lines = wrap(text, width, measure)
    if len(lines) == 1:
        return lines
    longest = math.ceil(max(measure(word) for word in text.split(" ")))
    for narrower in range(int(width) - step, longest - 1, -step):
        closer = wrap(text, narrower, measure)
        if len(closer) > len(lines):
            break
        if not any(line.startswith(_DASHES) for line in closer):  # a dash ends a line, never begins it
            lines = closer
    return lines


def _lead(line: str, word: str, width: float, measure: Measure) -> tuple[str, str]:
    """Return what of ``line`` stays, and the next line."""
    while True:
        head, _, last = line.rpartition(" ")
        if not head or not _bound(last, word.partition(" ")[0]) or measure(f"{last} {word}") > width:
            return line, word
        line, word = head, f"{last} {word}"


def _bound(word: str, following: str) -> bool:
    """Tell what a line does not end with: "w" rzeczy, "(art." 106nf), "CN" 8418, "9,99" zł, "1" 234,50."""
    if (len(word) == 1 and word.isalpha()) or word.lstrip("(") in _LEADERS or _POSTCODE.fullmatch(word):
        return True
    if _THOUSANDS.fullmatch(word) and _HUNDREDS.fullmatch(following):
        return True
    if following[:1].isdecimal():
        return word == "nr" or (word.isalpha() and word.isupper())
    return following.rstrip(".,;") in _CURRENCIES and word[-1:].isdecimal()


def _split(text: str, width: float, measure: Measure) -> list[str]:
    """Split at the edge, at least a character at a time."""
    parts = []
    while measure(text) > width and len(text) > 1:
        end = 1
        while measure(text[: end + 1]) <= width:
            end += 1
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]
