"""A network printer on loopback: takes real ESC/POS, answers as printers do, keeps every paper, fails on request.

Used by `sandbox`, `demo` and the tests. It shows what our bytes mean; it proves nothing about real firmware.
As in a real one, DLE EOT is answered when it arrives, everything else in the order of the buffer, and what waits
for paper is printed when paper is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from agent.domain.values import dataclass
from agent.ports import Clock
from agent.sandbox.accepting import accept_no_more, bound
from agent.system.clock import SystemClock
from printers.device.dialogue import CLEAR_BUFFERS
from printers.escpos import parse
from printers.preview import plaintext, raster
from printers.profiles.models import PROFILES, Answers, Profile

CHUNK = 1024
DLE_EOT = b"\x10\x04"
NUMBERS = (b"\x01", b"\x02", b"\x03", b"\x04")
READY = 0x12
"""Answer to DLE EOT: all is well."""
CLEARED = b"\x37\x25\x00"
"""Answer to DLE DC4 fn 8."""
GARBAGE = b"\xff\xfe\x95"


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
    """Paper ends at byte ``at`` (None: before the job); heal() puts a new roll in."""
    PAPER_OUT_LATE = "paper_out_late"
    """GS r is answered, then the paper ends with the last lines still in the print buffer; heal() puts a roll in."""
    COVER_OPEN = "cover_open"
    """The cover is open from byte ``at`` on (None: before the job); heal() closes it."""
    CUTTER = "cutter"
    """The cutter jams at byte ``at`` (None: before the job); heal() frees it."""
    POWER_CYCLE = "power_cycle"
    """Mains off and on at byte ``at``: buffer lost, connections cut."""
    NO_PROCESS_ID = "no_process_id"
    """GS ( H is taken and never answered (most clones)."""
    STATUS_LIES = "status_lies"
    """DLE EOT says all is well; nothing is printed and no job is confirmed."""
    GARBAGE = "garbage"
    """Answers bytes that mean nothing."""


_OFFLINE: dict[Fault, dict[int, int]] = {
    Fault.PAPER_OUT: {1: 0x1A, 2: 0x32, 3: 0x12, 4: 0x72},
    Fault.COVER_OPEN: {1: 0x1A, 2: 0x16, 3: 0x12, 4: 0x12},
    Fault.CUTTER: {1: 0x1A, 2: 0x52, 3: 0x1A, 4: 0x12},
}
"""Answers to DLE EOT 1 to 4 while offline."""
_DEAF = (Fault.SILENT, Fault.GARBAGE)
"""Unusable from the first byte of a connection."""
_STRIKING = (Fault.STALL, Fault.RESET, Fault.POWER_CYCLE, *_OFFLINE)
"""Begin at a byte of the job."""
Reply = Callable[[bytes], None]


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


class Mechanism:
    """The printer behind the network card: buffer, paper, sensors. It does not know connections, only replies."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.profile = profile
        self.papers: list[Paper] = []
        self.drawer_kicks = 0
        self.offline: Fault | None = None
        self.answers_process_id = True
        self.runs_out_late = False
        self._clock = clock
        self._parser = parse.Parser()
        self._waiting: deque[tuple[parse.Command, bytes, Reply]] = deque()
        self._page = bytearray()

    def real_time(self, number: int) -> bytes:
        """Answer DLE EOT."""
        if self.profile.answers is Answers.NONE:
            return b""
        return bytes((READY if self.offline is None else _OFFLINE[self.offline][number],))

    def clear(self) -> bytes:
        """Forget what was not printed yet (DLE DC4 fn 8); what is on paper stays there."""
        self._parser = parse.Parser()
        self._waiting.clear()
        return CLEARED

    def receive(self, data: bytes, reply: Reply) -> None:
        """Take bytes into the buffer and execute what is complete. Raises parse.UnknownBytes."""
        for command, raw in self._parser.feed(data):
            self._waiting.append((command, raw, reply))
        self.go_on()

    def go_on(self) -> None:
        """Execute what waits, unless offline."""
        while self._waiting and self.offline is None:
            self._execute(*self._waiting.popleft())

    def job_over(self) -> None:
        """Tear the paper off where there is no cutter and nothing more is to come."""
        if not self.profile.cutter and not self._waiting and not self._parser.pending:
            self._end_paper(complete=True)

    def power_off(self) -> None:
        """Lose buffer and settings; what is on paper stays."""
        self._parser = parse.Parser()
        self._waiting.clear()
        self._end_paper(complete=False)

    @property
    def _sends_process_id(self) -> bool:
        return self.answers_process_id and self.profile.answers is Answers.PROCESS_ID

    def _execute(self, command: parse.Command, data: bytes, reply: Reply) -> None:
        match command:
            case parse.Initialize():
                self._end_paper(complete=False)  # something of a broken job may hang there
            case parse.Drawer():
                self.drawer_kicks += 1
            case parse.ProcessId(identifier) if self._sends_process_id:
                reply(b"\x37\x22" + identifier + b"\x00")
            case parse.RealTimeStatus(number):  # in the middle of other bytes, or in two pieces
                reply(self.real_time(number))
            case parse.TransmitStatus() if self.profile.answers is not Answers.NONE:
                reply(b"\x00")
                if self.runs_out_late:
                    self.offline = Fault.PAPER_OUT
        if isinstance(command, parse.TransmitStatus):
            self.job_over()
        self._page += data
        if isinstance(command, parse.Cut):
            self._end_paper(complete=True)

    def _end_paper(self, *, complete: bool) -> None:
        data = bytes(self._page)
        self._page.clear()
        printed = (parse.Characters, parse.Raster, parse.QrPrint)
        if any(isinstance(command, printed) for command, _ in parse.Parser().feed(data)):
            whole = data if complete else data + b"\n"  # a torn paper may end inside a line
            self.papers.append(Paper(len(self.papers) + 1, self._clock.now(), whole, self.profile, complete))


@dataclass
class _Plan:
    fault: Fault
    at: int
    left: int | None


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
        self.host = host
        self.port = port
        self.refused_bytes: list[parse.UnknownBytes] = []
        """Bytes that were no command of ours: a defect of the sender."""
        self._mechanism = Mechanism(profile or PROFILES["epson-tm-t20"], clock or SystemClock())
        self._server: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None
        """Holds the port while nobody listens."""
        self._sessions: set[asyncio.Task[None]] = set()
        self._plan: _Plan | None = None
        self._turn = asyncio.Lock()

    @property
    def profile(self) -> Profile:
        """The kind of printer it plays."""
        return self._mechanism.profile

    @property
    def papers(self) -> list[Paper]:
        """Everything printed since the start, oldest first."""
        return self._mechanism.papers

    @property
    def drawer_kicks(self) -> int:
        """How often the drawer opened."""
        return self._mechanism.drawer_kicks

    @property
    def offline(self) -> bool:
        """Waits for a person: paper, cover, cutter."""
        return self._mechanism.offline is not None

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._sessions)

    async def start(self) -> None:
        """Listen; ``port`` is the real one afterwards."""
        if self._placeholder is None:
            self._placeholder = bound(self.host, self.port)
            self.port = int(self._placeholder.getsockname()[1])
        self._server = await asyncio.start_server(self._accept, sock=bound(self.host, self.port))

    async def stop(self) -> None:
        """Close everything."""
        await self._unlisten()
        sessions = tuple(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    async def plan(self, fault: Fault | str, *, at: int | None = None, times: int | None = 1) -> None:
        """Let ``fault`` happen in the next ``times`` connections that bring a job (None: until heal()).

        SILENT and GARBAGE count every connection; REFUSED and what a person must mend last until heal().
        """
        kind = Fault(fault)
        if kind is Fault.REFUSED:
            await self._unlisten()
        elif at is None and kind in _OFFLINE:
            self._mechanism.offline = kind
        else:
            self._plan = _Plan(kind, at or 0, times)

    async def heal(self) -> None:
        """End all faults; what waits for paper is printed."""
        self._plan = None
        self._mechanism.offline = None
        self._mechanism.go_on()
        if self._server is None:
            await self.start()

    async def _unlisten(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await accept_no_more(server)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            async with self._turn:  # several connect, one prints (docs/printing.md, section 5)
                await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the till went away, or the sandbox stops
        except parse.UnknownBytes as defect:
            self.refused_bytes.append(defect)
        finally:
            self._sessions.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit: _Visit | None = None
        while data := await reader.read(CHUNK):
            if visit is None:
                visit = _Visit(self._mechanism, self._plan, writer)
                if visit.fault in _DEAF:
                    self._use_up()
            data = visit.in_real_time(data)
            if data and not visit.taken:
                self._use_up()
            if data and not visit.take(data):
                return
        if visit is not None and visit.taken:
            self._mechanism.job_over()

    def _use_up(self) -> None:
        plan = self._plan
        if plan is not None and plan.left is not None:
            plan.left -= 1
            if plan.left <= 0:
                self._plan = None


class _Visit:
    """One connection, and what goes wrong in it."""

    def __init__(self, mechanism: Mechanism, plan: _Plan | None, writer: asyncio.StreamWriter) -> None:
        self.fault = None if plan is None else plan.fault
        self.taken = 0
        """Bytes of the job so far; questions in real time are not counted."""
        self._at = 0 if plan is None else plan.at
        self._struck = False
        self._mechanism = mechanism
        self._writer = writer
        mechanism.answers_process_id = self.fault not in (Fault.NO_PROCESS_ID, Fault.PAPER_OUT_LATE)
        mechanism.runs_out_late = self.fault is Fault.PAPER_OUT_LATE

    def in_real_time(self, data: bytes) -> bytes:
        """Obey the commands that do not wait for their turn; return the rest."""
        while True:
            if data.startswith(DLE_EOT) and data[2:3] in NUMBERS:
                self._answer(data[2])
                data = data[3:]
            elif self._mechanism.profile.clears_buffer and data.startswith(CLEAR_BUFFERS):
                self._reply(self._mechanism.clear())
                data = data[len(CLEAR_BUFFERS) :]
            else:
                return data

    def _answer(self, number: int) -> None:
        """Answer DLE EOT at once, as the fault lets it."""
        if self.fault is Fault.SILENT or (self.fault is Fault.STALL and self._struck):
            return
        if self.fault is Fault.GARBAGE:
            self._reply(GARBAGE)
        elif self.fault is Fault.STATUS_LIES:
            self._reply(bytes((READY,)))
        else:
            self._reply(self._mechanism.real_time(number))

    def take(self, data: bytes) -> bool:
        """Take bytes of the job; False where the connection is dead."""
        if self.fault in _STRIKING and not self._struck and self.taken + len(data) > self._at:
            before = data[: self._at - self.taken]
            self._keep(before)
            self._struck = True
            if not self._strike():
                return False
            data = data[len(before) :]
        self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        self.taken += len(data)
        deaf = self.fault in _DEAF or self.fault is Fault.STATUS_LIES or (self.fault is Fault.STALL and self._struck)
        if data and not deaf:
            self._mechanism.receive(data, self._reply)

    def _strike(self) -> bool:
        match self.fault:
            case Fault.RESET:
                self._cut_off()
            case Fault.POWER_CYCLE:
                self._mechanism.power_off()
                self._cut_off()
            case Fault.PAPER_OUT | Fault.COVER_OPEN | Fault.CUTTER:
                self._mechanism.offline = self.fault
        return self.fault not in (Fault.RESET, Fault.POWER_CYCLE)

    def _cut_off(self) -> None:
        """Send RST, not FIN."""
        link: socket.socket = self._writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def _reply(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)
