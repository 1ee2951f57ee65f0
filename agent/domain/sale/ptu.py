"""Letters of VAT rates as fiscal cash registers have them (PTU A to G).

Which rate a letter means, each register is told on its own: so the settings say it ([ptu]), and no letter has a meaning
by itself. A basket that says letters is read as if it said the rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from agent.domain.json_io.canonical import Json

PTU_LETTERS = ("A", "B", "C", "D", "E", "F", "G")


def with_rates(document: Mapping[str, Json], rates: Mapping[str, str]) -> Mapping[str, Json]:
    """Return the sale with the rate of every letter that has one; all else stays for parse.py to judge."""
    lines = document.get("lines")
    if not rates or not isinstance(lines, list):
        return document
    return {**document, "lines": [_with_rate(line, rates) for line in lines]}


def _with_rate(line: Json, rates: Mapping[str, str]) -> Json:
    vat = line.get("vat") if isinstance(line, Mapping) else None
    if not isinstance(vat, str) or vat not in rates:
        return line
    return {**cast("Mapping[str, Json]", line), "vat": rates[vat]}
