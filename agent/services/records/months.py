"""Months as callers write them."""

from __future__ import annotations

import re
from datetime import date

from agent.domain.calendar import month_bounds
from agent.domain.errors import BadInput, FieldError

_MONTH = re.compile(r"(?!0000)([0-9]{4})-(0[1-9]|1[0-2])")


def month_of(month: str) -> tuple[date, date]:
    """Return first and last day of YYYY-MM, of any month of the calendar; BadInput for anything else."""
    found = _MONTH.fullmatch(month)
    if found is None:
        raise BadInput("Miesiąc zapisz jako RRRR-MM.", errors=(FieldError("/month", "RRRR-MM"),))
    return month_bounds(date(int(found[1]), int(found[2]), 1))
