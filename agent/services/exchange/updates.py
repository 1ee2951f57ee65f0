"""Answers written anew when KSeF says something about an invoice: from the event log, with a durable cursor.

An event is passed only once its answers are written, so a crash or a folder that is away repeats it.
"""

from __future__ import annotations

import logging
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.ports import Clock, Event, FileHeld, Store, Transaction
from agent.services.exchange.answers import Answers
from agent.services.exchange.outcome import entries_of, held_entries

CURSOR = "drop-folder:cursor"
KINDS = frozenset(
    {
        EventKind.ACCEPTED,
        EventKind.REJECTED,
        EventKind.COLLISION,
        EventKind.TECHNICAL_CORRECTION,
        EventKind.RESEND,
        EventKind.CLOSED,
        EventKind.EXEMPT,
        EventKind.DUTY_BACK,
        EventKind.MODE,
    }
)
"""Events of an invoice that change its answer."""
OF_HELD = frozenset({EventKind.ISSUED, EventKind.CORRECTION_REFUSED, EventKind.CORRECTION_SETTLED})
"""Events after which a correction may no longer wait, or its case be closed."""
PAGE = 200
HELD_SECONDS = 30.0
"""Between two tries to write answers that are held."""
LOG = logging.getLogger("agent.drop-folder")


class Updates:
    """Follows the log."""

    def __init__(self, store: Store, answers: Answers, clock: Clock) -> None:
        self._store = store
        self._answers = answers
        self._clock = clock
        self._held: dict[str, frozenset[str]] = {}
        """Answers that could not be written, with the invoices they are about; a start reads what is remembered."""
        self._held_until = 0.0
        self._cursor: int | None = None
        """Everything up to here is in the answers; may be ahead of the durable one."""

    async def pass_once(self) -> None:
        """Write anew what has changed since; FolderAway or Unavailable: again later.

        One that is held costs itself only, and is tried again.
        """
        await self._try_held()
        cursor = await self._store.write(_begin) if self._cursor is None else self._cursor
        while events := await self._store.read(partial(_after, cursor)):
            changed = frozenset(
                event.invoice_id for event in events if event.kind in KINDS and event.invoice_id is not None
            )
            held = any(event.kind in OF_HELD for event in events)
            entries = await self._store.read(partial(_entries, changed, held))
            for entry in sorted(entries):
                await self._renew(entry, changed)
            cursor = events[-1].seq
            if entries or len(events) == PAGE:
                await self._store.write(partial(_keep, cursor))
            self._cursor = cursor
        self._cursor = cursor

    async def _try_held(self) -> None:
        if not self._held or self._clock.monotonic() < self._held_until:
            return
        for entry in sorted(self._held):
            await self._renew(entry, frozenset())

    async def _renew(self, entry: str, changed: frozenset[str]) -> None:
        changed |= self._held.pop(entry, frozenset())
        try:
            await self._answers.renew(entry, changed)
        except FileHeld as error:
            if not self._held:
                LOG.warning("an answer in the drop folder cannot be written now: %s", error.reason)
            self._held[entry] = changed
            self._held_until = self._clock.monotonic() + HELD_SECONDS


async def _begin(tx: Transaction) -> int:
    """Return the durable cursor; the first start makes it, so that nothing after it is ever missed."""
    kept = await tx.key_values.get(CURSOR)
    if isinstance(kept, int):
        return kept
    newest = await tx.events.newest()
    await _keep(newest, tx)
    return newest


async def _keep(cursor: int, tx: Transaction) -> None:
    await tx.key_values.put(CURSOR, cursor)


async def _after(cursor: int, tx: Transaction) -> list[Event]:
    return await tx.events.after(cursor, PAGE)


async def _entries(changed: frozenset[str], held: bool, tx: Transaction) -> set[str]:
    found = {entry for invoice_id in changed for entry in await entries_of(tx, invoice_id)}
    return found | set((await held_entries(tx)).values()) if held else found
