"""A network printer on loopback: takes real ESC/POS, answers as printers do, keeps every paper, fails on request.

Used by `sandbox`, `demo` and the tests. It shows what our bytes mean; it proves nothing about real firmware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from agent.clock import SystemClock
from agent.ports import Clock
from printers import plaintext, raster
from printers.profiles import PROFILES, Profile


class Fault(StrEnum):
    """What goes wrong. ``at`` counts bytes of the job from its first, where it applies."""

    REFUSED = "refused"
    """Connections are refused until heal()."""
    SILENT = "silent"
    """Connects, takes everything, prints and answers nothing."""
    STALL = "stall"
    """Stops reading at byte ``at``; nothing is answered from then on."""
    RESET = "reset"
    """The connection is reset at byte ``at``; what came before was executed."""
    PAPER_OUT = "paper_out"
    """Paper ends at byte ``at`` (None: before the job); reload() goes on."""
    COVER_OPEN = "cover_open"
    """The cover is open before the job; heal() closes it."""
    CUTTER = "cutter"
    """The cutter jams at byte ``at`` (None: before the job)."""
    POWER_CYCLE = "power_cycle"
    """Mains off and on at byte ``at``: buffer lost, connections cut."""
    NO_PROCESS_ID = "no_process_id"
    """GS ( H is taken and never answered (most clones)."""
    STATUS_LIES = "status_lies"
    """DLE EOT says all is well; nothing is printed and no job is confirmed."""
    GARBAGE = "garbage"
    """Answers bytes that mean nothing."""


@dataclass
class Paper:
    """One piece of paper as it lies there. ``complete``: it was cut; a fault leaves a torn one."""

    id: int
    at: datetime
    data: bytes = field(repr=False)
    profile: Profile
    complete: bool = True

    @cached_property
    def png(self) -> bytes:
        """The picture."""
        return raster.render_png(self.data, self.profile)

    @cached_property
    def text(self) -> str:
        """The text."""
        return plaintext.decode(self.data, self.profile)


class NetworkPrinter:
    """The server. ``start`` it, print on (host, port), read ``papers``."""

    def __init__(
        self,
        profile: Profile | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.profile = profile or PROFILES["epson-tm-t20"]
        self.host = host
        self.port = port
        self.papers: list[Paper] = []
        self.drawer_kicks = 0
        self._clock: Clock = clock or SystemClock()

    async def start(self) -> None:
        """Listen; ``port`` is the real one afterwards."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Close everything."""
        raise NotImplementedError

    async def plan(self, fault: Fault | str, *, at: int | None = None, times: int | None = 1) -> None:
        """Let ``fault`` happen to the next ``times`` jobs (None: until heal())."""
        raise NotImplementedError

    async def heal(self) -> None:
        """End all faults; what waits for paper is printed."""
        raise NotImplementedError
