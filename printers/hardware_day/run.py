"""Leads through the hardware day. What is known is stored at once: before a step touches the printer, and after it.

Killed within a step: its attempt stays "begun" and the step is done again. Killed between two: nothing is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import field, replace
from typing import Protocol as Port

from agent.domain.values import dataclass
from agent.ports import Clock, Printer
from printers.hardware_day.judgement import findings
from printers.hardware_day.protocol import Answer, Attempt, Job, Protocol, Setup, State, Wire
from printers.hardware_day.slips import slip
from printers.hardware_day.steps import DEVICE, Question, Step, steps_for
from printers.profiles.models import Profile
from printers.transports.interface import Transport, TransportError

KEPT_BYTES = 32
"""Of what is sent or received at a time."""
KEPT_EVENTS = 500
"""Of a step: a printer that never stops talking does not fill the disk."""
PROBE_SECONDS = 2.0
QUESTIONS = (
    *(bytes((0x10, 0x04, number)) for number in (1, 2, 3, 4)),
    b"\x1dr\x01",
    b"\x1d(H\x06\x00000001",
)
"""DLE EOT 1 to 4, GS r 1, GS ( H 48: what a printer may prove a print with."""


class Person(Port):
    """Whoever stands at the printer."""

    async def begin(self, step: Step, place: int, of: int) -> bool:
        """Tell what to do; wait until it is done. False: this step is skipped."""
        ...

    async def printing(self, step: Step) -> None:
        """Tell what to do while it prints; return at once."""
        ...

    async def outcome(self, step: Step, job: Job, problem: str | None) -> None:
        """Tell how a slip ended."""
        ...

    async def answer(self, question: Question) -> str:
        """Ask; return the code of a choice, digits, or words."""
        ...

    async def satisfied(self, step: Step, attempt: Attempt) -> bool:
        """Show what was noted. False: the step was done otherwise than asked, and is repeated."""
        ...


class Wiretap:
    """Keeps what goes over the transport, by the milliseconds since begin()."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.monotonic()
        self.events: list[Wire] = []
        self.left_out = 0

    def begin(self) -> None:
        """Forget what was heard before."""
        self._begun = self._clock.monotonic()
        self.events, self.left_out = [], 0

    def tell(self, what: str, data: bytes) -> None:
        """Take one event (RecordingTransport)."""
        if len(self.events) >= KEPT_EVENTS:
            self.left_out += 1
            return
        at = round((self._clock.monotonic() - self._begun) * 1000)
        self.events.append(Wire(at, what, len(data), data[:KEPT_BYTES].hex()))


@dataclass
class HardwareDay:
    """One printer, one protocol. ``store`` makes it durable and returns then; what it raises ends the day."""

    protocol: Protocol
    setup: Setup
    profile: Profile
    printer: Printer
    transport: Transport
    wiretap: Wiretap
    person: Person
    clock: Clock
    store: Callable[[Protocol], None]
    _place: int = field(init=False, default=0)

    async def run(self) -> Protocol:
        """Do what is left of the day; return the whole protocol."""
        self._join_setup()
        if not self.protocol.device:
            said = [Answer(question.name, await self.person.answer(question)) for question in DEVICE]
            self._keep(replace(self.protocol, device=tuple(said)))
        steps = steps_for(self.setup.connection)
        for place, step in enumerate(steps, 1):
            while self.protocol.ended(step.name) is None:
                await self._attempt(step, place, len(steps))
        if self.protocol.finished_at is None:
            self._keep(replace(self.protocol, finished_at=self.clock.now()))
        return self.protocol

    def _join_setup(self) -> None:
        if not self.protocol.setups or self.protocol.setups[-1] != self.setup:
            self._keep(replace(self.protocol, setups=(*self.protocol.setups, self.setup)))
        self._place = len(self.protocol.setups) - 1

    def _keep(self, protocol: Protocol) -> None:
        self.store(protocol)
        self.protocol = protocol

    async def _attempt(self, step: Step, place: int, of: int) -> None:
        wanted = await self.person.begin(step, place, of)
        number = self.protocol.tried(step.name) + 1
        begun = Attempt(step.name, number, self._place, self.clock.now())
        if not wanted:
            self._keep(self._with(replace(begun, state=State.SKIPPED)))
            return
        before = self.protocol
        self._keep(self._with(begun))
        self.wiretap.begin()
        if step.during:
            await self.person.printing(step)
        jobs = await self._print(step, number) if step.slip is not None else await self._probe()
        wire, left_out = tuple(self.wiretap.events), self.wiretap.left_out
        printed = replace(begun, jobs=jobs, wire=wire, wire_left_out=left_out)
        self._keep(self._with(printed, before))  # outlives a kill while the person looks for an answer
        said = {question.name: await self.person.answer(question) for question in step.questions}
        noted = replace(
            printed,
            answers=tuple(Answer(name, value) for name, value in said.items()),
            findings=findings(step, self.setup, jobs, said, wire),
        )
        right = await self.person.satisfied(step, noted)
        self._keep(self._with(replace(noted, state=State.DONE if right else State.REPEATED), before))

    def _with(self, attempt: Attempt, protocol: Protocol | None = None) -> Protocol:
        base = self.protocol if protocol is None else protocol
        return replace(base, attempts=(*base.attempts, attempt))

    async def _print(self, step: Step, number: int) -> tuple[Job, ...]:
        async def nothing_to_store(_printer: str, _data: bytes) -> None:
            """A slip of the trial is no document; its attempt is stored already."""

        assert step.slip is not None
        jobs: list[Job] = []
        for copy in range(1, step.copies + 1):
            title = f"{step.name} {number}" + (f" ({copy} z {step.copies})" if step.copies > 1 else "")
            data = slip(step.slip, title, self.setup.name, self.profile)
            begun = self.clock.monotonic()
            result = await self.printer.print(lambda _printer, data=data: data, nothing_to_store)  # type: ignore[misc]
            took = round((self.clock.monotonic() - begun) * 1000)
            digest = hashlib.sha256(data).hexdigest()
            jobs.append(Job(digest, len(data), result.outcome.value, result.confirmed, result.code, took))
            await self.person.outcome(step, jobs[-1], result.problem)
        return tuple(jobs)

    async def _probe(self) -> tuple[Job, ...]:
        """Ask everything, whatever the profile says; the answers are in the wire's record."""
        try:
            connection = await self.clock.within(PROBE_SECONDS, self.transport.open())
        except (TimeoutError, TransportError):
            return ()
        try:
            for question in QUESTIONS:
                try:
                    await self.clock.within(PROBE_SECONDS, connection.write(question))
                    await self.clock.within(PROBE_SECONDS, connection.read())
                except (TimeoutError, TransportError):
                    continue
        finally:
            await connection.close()
        return ()
