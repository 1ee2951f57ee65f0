"""What both stores say where more waits than they can take."""

from __future__ import annotations

from agent.domain.errors import Unavailable
from agent.hub.ports import BUSY


def busy() -> Unavailable:
    """Return the refusal of a unit that was not begun; a repeat is safe."""
    return Unavailable("Centrala ma teraz za dużo pracy. Ponów za chwilę.", code=BUSY)
