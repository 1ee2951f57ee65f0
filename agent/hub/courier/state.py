"""What the courier of a NIP writes down for tills and people: any process of the hub may be asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from agent.domain.json_io.canonical import Json

STATE: Final = "courier:{}"
"""Name in the notebook, by NIP: {"ksef": "up"|"down", "left_hour", "left_minute", "wait", "at": when written};
while KSeF answers and takes nothing also "failing_since" and "failing", its words; "failing" alone is what keeps a
process from leading that took the lead: its credentials. While batches fail, "batches_failing_since" and
"batches_failing"."""
CERTIFICATES: Final = "certificates:{}"
"""By NIP: what KSeF leaves of its limits for certificates (agent/hub/domain/certificates.py)."""
WRITTEN_SECONDS: Final = 30.0
"""The process that leads writes its state at least so often, whether it changed or not."""
SILENT: Final = timedelta(seconds=90)
"""A state that is older is of a process that leads no longer. Clocks of the hub's processes may differ by a minute."""


def written(said: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """Return a state with the instant at which it is written."""
    return {**said, "at": now.isoformat()}


def said_now(state: Json, now: datetime) -> Mapping[str, Json] | None:
    """Return what the process that leads says; None where none does: nothing was written, or nothing for so long."""
    if not isinstance(state, Mapping):
        return None
    at = state.get("at")
    if not isinstance(at, str) or abs(now - datetime.fromisoformat(at)) > SILENT:
        return None
    return state
