"""What the one agent that has the database for itself does around each unit of work, and when it closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agent.domain.errors import StoreLost, StoreMoved
from agent.domain.values import dataclass
from agent.store.connection import Connection
from agent.store.failures import of_file
from agent.store.lock import DataLock
from agent.store.mark import SeriesMark
from agent.store.open_files import OpenFiles
from agent.store.rescue import save_moved, set_log_aside
from agent.store.unit import UnitConnection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """The lock, the high-water mark and the identity of the open files, together."""

    path: Path
    lock: DataLock
    mark: SeriesMark
    files: OpenFiles
    now: Callable[[], datetime]

    def before_commit(self, unit: UnitConnection) -> None:
        """See that the files are the right ones and the unit's numbers reserved. Errors: nothing may be committed."""
        self.files.check()
        if not unit.numbers:
            return
        try:
            if not self.mark.covers(unit.numbers):
                self.mark.reserve(unit.numbers)
            self.mark.take(unit.numbers)
        except OSError as error:
            raise of_file(error) from error

    def after_commit(self, unit: UnitConnection) -> None:
        """Note the numbers; they are reserved, so a failure loses nothing."""
        if not unit.numbers:
            return
        try:
            self.mark.note(unit.numbers, unit.head)
        except OSError as error:
            log.warning("the high-water mark of the series could not be completed: %s", error)

    def in_pause(self) -> None:
        """Reserve numbers for the next presses. Errors as of before_commit()."""
        try:
            self.mark.reserve_ahead()
        except OSError as error:
            raise of_file(error) from error

    async def before_closing(self, writer: Connection, lost: StoreLost | None) -> None:
        """Of a lost store: keep its log from being merged, or save what its name does not lead to any more."""
        if isinstance(lost, StoreMoved):
            await save_moved(writer, self.path, self.now(), deleted=self.files.deleted)
        elif lost is not None:
            self.files.keep_log()

    async def after_closing(self, lost: StoreLost | None, *, whole: bool) -> None:
        """Write the exact numbers where they are known; keep the log of an overwritten database from the new one.

        ``whole``: all of it was looked at, and nothing is known to be wrong with it.
        """
        known = lost is None or isinstance(lost, StoreMoved)
        try:
            await asyncio.to_thread(self._close_mark, known=known, whole=whole and lost is None)
        except OSError as error:
            log.warning("the high-water mark of the series could not be closed: %s", error)
        if not known and self.files.overwritten:
            await asyncio.to_thread(set_log_aside, self.path, self.now())

    def _close_mark(self, *, known: bool, whole: bool) -> None:
        self.mark.close(exact=known, at_rest=self.files.at_rest() if whole else None)
