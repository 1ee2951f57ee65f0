"""The duty to send: deadlines, exemption by a total failure, and its end where that was none, as the timeline turns.

Nothing here decides anew: each look applies domain/outages/deadlines.py to everything unsent, and writes what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

from agent.domain.calendar import BusinessCalendar, local_date
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceSummary, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.deadlines import Deadline, DeadlineState, deadline
from agent.domain.outages.events import Outage
from agent.domain.outages.modes import ModeDecision, without_total_failure
from agent.ports import Exempt, Json, Store, Transaction, Unsent
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.outages.mode_change import change_mode
from agent.services.outages.outside_ksef import CorrectionOutside, noticed
from agent.services.pages import pages

PAGE = 200
"""Invoices read and judged at once; the event loop turns in between."""
SLICE = 50
"""Invoices per transaction when many follow a new fact: a press in between never waits for thousands of rows."""


class DeadlineUpdater:
    """Brings what is owed to KSeF, and by when, in line with the timeline, which may turn meanwhile.

    ``now()``: the best known time, which a change of the wall clock does not touch.
    """

    def __init__(
        self, store: Store, timeline: KnownTimeline, calendar: BusinessCalendar, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._timeline = timeline
        self._calendar = calendar
        self._now = now
        self.retracted: tuple[Exempt, ...] = ()
        """What is exempt by a total failure that Latarnia took back, and no manager has called false; by follow()."""
        self._outside: tuple[CorrectionOutside, ...] = ()
        """Corrections that belong into KSeF and are exempt; by follow()."""
        self.revocable: Outage | None = None
        """The newest total failure that is over and that a manager's word would change something about; by follow()."""

    @property
    def corrections_outside(self) -> tuple[str, ...]:
        """Numbers of corrections that belong into KSeF and are exempt, while people are told of them."""
        now = self._now()
        return tuple(each.number for each in self._outside if now < each.told_until)

    async def follow(self) -> None:
        """Bring everything in line with the timeline, in slices."""
        exempt = await self._store.read(lambda tx: tx.invoices.exempt())
        back = [each for each in exempt if not each.archived and self._duty_back(each) is not None]
        for start in range(0, len(back), SLICE):
            await self._store.write(partial(self._return_to_queue, back[start : start + SLICE]))
        async for page in pages(lambda after: self._store.read(partial(_page, after)), PAGE):
            moved = [each for each in page if self._over(each) or self._new_deadline(each) is not None]
            for start in range(0, len(moved), SLICE):
                await self._store.write(partial(self._apply, moved[start : start + SLICE]))
        reached = await self._store.read(lambda tx: tx.invoices.open_in_ksef())
        closed = [each for each in reached if self._closing(each) is not None]
        for start in range(0, len(closed), SLICE):
            await self._store.write(partial(self._close, closed[start : start + SLICE]))
        exempt = await self._store.read(lambda tx: tx.invoices.exempt())
        self._look_at(exempt)
        outside = [each for each in exempt if each.corrects_in_ksef]
        self._outside = await self._store.write(partial(noticed, outside, self._now())) if outside else ()

    async def exempt_if_over(self) -> None:
        """Exempt what was issued in a total failure that came to its foreseen end, which no fact tells."""
        if any(self._over(each) for each in await self._store.read(lambda tx: tx.invoices.of_total_failure())):
            await self.follow()

    def _look_at(self, exempt: list[Exempt]) -> None:
        """Keep what screens ask often; it changes with the timeline alone, and follow() comes after each turn of it."""
        timeline = self._timeline.current
        self.retracted = tuple(
            each for each in exempt if not timeline.in_total_failure(each.issued_at) and self._duty_back(each) is None
        )
        changeable = [each.issued_at for each in exempt if not each.archived or each in self.retracted]
        self.revocable = timeline.total_failure_of(max(changeable)) if changeable else None

    async def _apply(self, moved: list[Unsent], tx: Transaction) -> None:
        for each in moved:
            if (await tx.invoices.get(each.id)).state is not each.state:
                continue
            if self._over(each):
                await tx.invoices.move(each.id, InvoiceState.EXEMPT)
                await tx.events.append(EventKind.EXEMPT, {"legal_basis": "art. 106ng"}, each.id)
                continue
            due = self._new_deadline(each)
            if due is not None:
                await self._change(each, due, tx)

    async def _change(self, each: Unsent, due: Deadline, tx: Transaction) -> None:
        fallen = self._fallen_mode(each)
        if fallen is not None:
            await change_mode(tx, each.id, each.mode, fallen)
        await self._set(each.id, each.deadline, due, tx)

    async def _close(self, reached: list[InvoiceSummary], tx: Transaction) -> None:
        """The end of the outage is known now: reports say until when it would have been in time (106nf, 106nh)."""
        for each in reached:
            due = self._closing(each)
            if due is not None and (await tx.invoices.get(each.id)).deadline_state == DeadlineState.OPEN:
                await self._set(each.id, each.deadline, due, tx)

    async def _set(self, invoice_id: str, before: date | None, due: Deadline, tx: Transaction) -> None:
        await tx.invoices.set_deadline(invoice_id, due.date, due.state)
        told: dict[str, Json] = {
            "from": None if before is None else before.isoformat(),
            "to": None if due.date is None else due.date.isoformat(),
            "state": due.state,
            "reason": due.reason,
            "legal_basis": due.legal_basis,
        }
        await tx.events.append(EventKind.DEADLINE, told, invoice_id)

    async def _return_to_queue(self, back: list[Exempt], tx: Transaction) -> None:
        """The total failure was none, or over before the issue: the duty is back, also for what was exempt by it.

        Not for what was archived: its bytes may be gone, and the archive would lack its UPO.
        """
        for each in back:
            why = self._duty_back(each)
            if why is not None:
                await tx.invoices.move(each.id, InvoiceState.ISSUED)
                await tx.events.append(EventKind.DUTY_BACK, why, each.id)

    # --- what the timeline says -------------------------------------------------------------------------

    def _over(self, each: Unsent) -> bool:
        """Issued in a total failure that is over: never to be sent (art. 106ng)."""
        if each.mode is not Mode.TOTAL_FAILURE or each.state is not InvoiceState.ISSUED:
            return False
        timeline = self._timeline.current
        then = timeline.at(each.issued_at).total_failure
        now = timeline.at(self._now() + timedelta(microseconds=1)).total_failure
        return then is not None and then.confirmed is True and (now is None or now.id != then.id)

    def _new_deadline(self, each: Unsent) -> Deadline | None:
        """Return the deadline where it, or the mode it follows from, is another one now."""
        fallen = self._fallen_mode(each)
        mode = each.mode if fallen is None else fallen.mode
        due = deadline(mode, issue_moment(each.issued_on, each.issued_at), self._timeline.current, self._calendar)
        same = fallen is None and (due.date, due.state) == (each.deadline, each.deadline_state)
        return None if same else due

    def _closing(self, record: InvoiceSummary) -> Deadline | None:
        """Return the deadline of what waits for nothing any more; None while it is open still."""
        moment = issue_moment(record.issued_on, record.issued_at)
        reached = record.sent_at or record.accepted_at or record.closed_at
        due = deadline(record.mode, moment, self._timeline.current, self._calendar, reached=reached)
        return None if due.state is DeadlineState.OPEN else due

    def _fallen_mode(self, each: Unsent) -> ModeDecision | None:
        """Return the mode of what was issued in a total failure that does not cover it after all, else None."""
        timeline = self._timeline.current
        if each.mode is not Mode.TOTAL_FAILURE or timeline.in_total_failure(each.issued_at):
            return None
        return without_total_failure(timeline.at(each.issued_at))

    def _duty_back(self, each: Exempt) -> dict[str, Json] | None:
        """Return why an exemption is none (who, reason); None while it stands, or while a manager has to decide."""
        timeline = self._timeline.current
        if timeline.in_total_failure(each.issued_at):
            return None
        word = timeline.false_alarm(each.issued_at)
        if word is not None:
            return {"by": word.by, "reason": word.reason}
        outage = timeline.total_failure_of(each.issued_at)
        if outage is not None and outage.confirmed is True:
            return {"by": "latarnia", "reason": "Awaria całkowita skończyła się przed wystawieniem faktury."}
        return None


async def _page(after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.queue(PAGE, after)


def issue_moment(issued_on: date, issued_at: datetime) -> date | datetime:
    """Return the instant of issue where it lies on P_1's day, else the whole day."""
    return issued_at if local_date(issued_at) == issued_on else issued_on
