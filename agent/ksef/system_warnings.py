"""KSeF's technical warnings (OpenAPI: SystemWarning) in the log: each wording once, and few an hour."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque

from agent.domain.characters import told
from agent.ksef.limits import HOUR
from agent.ports import Clock

log = logging.getLogger(__name__)

REMEMBERED = 100
"""Wordings; one with a time or a reference in it is another one with each answer."""
AN_HOUR = 20
"""Lines in the log."""
LONGEST = 500
"""Characters of a warning that are kept and logged."""


class SystemWarnings:
    """Takes note of the header X-System-Warning."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self._logged: deque[float] = deque(maxlen=AN_HOUR)
        """When the newest lines were written, by the monotonic clock."""

    def __len__(self) -> int:
        return len(self._known)

    def note(self, warning: str | None) -> None:
        """Log a wording that was not heard lately, unless the hour has had its lines."""
        if not warning:
            return
        wording = told(warning, LONGEST)
        new = wording not in self._known
        self._known[wording] = None
        self._known.move_to_end(wording)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        now = self._clock.monotonic()
        if new and (len(self._logged) < AN_HOUR or self._logged[0] <= now - HOUR):
            self._logged.append(now)
            log.warning("KSeF warns: %s", wording)
