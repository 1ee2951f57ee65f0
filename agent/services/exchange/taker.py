"""One taken file: its documents are issued, its answer is written, the file moved beside it. May be repeated."""

from __future__ import annotations

import hashlib

from agent.domain.callers import Caller, Role
from agent.ports import Clock, DropFolder, FileHeld, Look, Place
from agent.services.exchange import names
from agent.services.exchange.answers import Answers
from agent.services.exchange.intake import Intake
from agent.services.exchange.outcome import Outcome, Problem, dropped
from agent.settings.model import DropFolderSettings


class Taker:
    """Issues what lies among the taken files."""

    def __init__(
        self, folder: DropFolder, intake: Intake, answers: Answers, *, clock: Clock, settings: DropFolderSettings
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._intake = intake
        self._answers = answers
        self._caller = Caller(settings.caller, Role.CASHIER)
        self._print = settings.print

    def largest(self, kind: str) -> int:
        """Return how many bytes a file of a format may have."""
        return self._intake.largest(kind)

    async def issue(self, look: Look) -> bool:
        """Issue and answer; True where there are more or fewer refused files than before.

        FileHeld where the file cannot be read or moved, FolderAway and Unavailable as ever: the same call later.
        """
        name, kind = look.name, names.format_of(look.name)
        at = self._clock.now().isoformat(timespec="seconds")
        largest = self.largest(kind)
        if look.size > largest:
            problem = Problem("body-too-large", f"Plik ma {look.size} bajtów, a może mieć najwyżej {largest}.")
            identity = hashlib.sha256(f"{look.size} {look.changed}".encode()).hexdigest()
            record = dropped(name, identity, at, (Outcome(problem=problem),), duplicate=False)
            return await self._answers.file(record, None)
        data = await self._folder.load(Place.TAKEN, name)
        if data is None:
            if name in await self._folder.names(Place.TAKEN, name):
                raise FileHeld("nie można go odczytać")
            return False  # somebody took it away
        sha256 = hashlib.sha256(data).hexdigest()
        duplicate = await self._folder.sha256(Place.DONE, name) == sha256
        outcomes = await self._intake.take(
            data, kind=kind, key=names.key_of(name, data), caller=self._caller, at_counter=self._print
        )
        record = dropped(name, sha256, at, outcomes, duplicate=duplicate)
        return await self._answers.file(record, data)
