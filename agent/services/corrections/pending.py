"""The whole life of a pending correction: accepted, issued once its bases have KSeF numbers, or refused and closed.

FA(3) names a base by its KSeF number, so a correction waits for it, or behind an older correction of the same invoice:
each says what the one before it left, so those of one invoice are issued in the order in which they were accepted.
What is in KSeF is corrected in KSeF, so in a total failure its correction waits for the end (docs/law.md, 106j-4).

  insert        with the key, in the transaction of the press                              [correction_held]
  close_issued  in the transaction that makes its document, under the key ``held:<id>``
  refuse        what can never be a valid document, and what was counted on top of it      [correction_refused]
  close_case    a manager has seen to a refused one                                        [correction_settled]

Crash windows: each is one transaction; before it nothing has happened, after it everything.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Protocol

from agent.domain.callers import Caller
from agent.domain.corrections.correction import Correction, with_ksef_numbers, without_awaiting
from agent.domain.errors import AgentError, BadInput, Conflict, NotFound
from agent.domain.event_kinds import EventKind
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.lifecycle import HeldState, InvoiceState
from agent.domain.rejection import abandoned
from agent.domain.values import dataclass
from agent.ports import Clock, HeldCorrection, Json, Store, Transaction
from agent.services.corrections.money_back import pending_sentence
from agent.services.corrections.slip_log import due, handed_out, of_slip, trouble
from agent.services.paper.interrupted import PAPER_DUE
from agent.services.signals import Signal

LOG = logging.getLogger("agent.corrections")
OPEN_CASES = "refused_corrections"
"""In the notebook: ids of refused corrections, until a manager has seen to each."""
NUMBER_TAKEN = "number-taken"
"""Code of the Conflict where another document took, while it waited, the number that its program gave it."""
LOOK_SECONDS = 60.0
"""A number that arrives is looked at at once; all other ways to become ready (total failure over, disk free again,
clock set) are looked for this often while something waits."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the store knows of the bases a correction waits for."""

    correction: Correction
    """With the numbers that have arrived."""
    lost: str | None = None
    """Number of a base that will never be in KSeF."""
    rejected: str | None = None
    """Number of a base that KSeF refused; a technical correction may bring it there yet."""


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """A correction that waits, mostly for the KSeF number of its base; durable, and issued by itself."""

    id: str
    base_id: str
    base_number: str
    state: HeldState
    """waiting, issued, refused."""
    gross: Decimal
    """The difference."""
    due: Decimal
    """What changes hands: the difference and the deposits, less what a new invoice settles."""
    currency: str
    created_at: datetime
    hand_over: str
    problem: str | None = None
    invoice_id: str | None = None
    to_close: bool = False
    """Refused, and no manager has closed the case yet."""


class IssuesPending(Protocol):
    """Makes the document of a pending correction (services/issuing/issue.py)."""

    async def issue_pending(self, held: HeldCorrection, correction: Correction) -> None:
        """Issue it, once however often it is asked. BadInput: never; any other AgentError: not now."""
        ...


class PendingCorrections:
    """Issues pending corrections when their time has come, and tells about them."""

    def __init__(
        self, *, store: Store, clock: Clock, issuing: IssuesPending, numbered: Signal, changed: Signal
    ) -> None:
        """``numbered``: set when a KSeF number arrives."""
        self._store = store
        self._clock = clock
        self._issuing = issuing
        self._numbered = numbered
        self._changed = changed
        self._told: dict[str, str] = {}
        """Of each that cannot be issued now: why, as the journal has it. A total failure may last for days."""

    async def run(self) -> None:
        """Issue what can be issued whenever a number arrives, until cancelled."""
        while True:
            arrived = self._numbered.next()
            if await self.issue_ready():
                await arrived
                continue
            with contextlib.suppress(TimeoutError):
                await self._clock.within(LOOK_SECONDS, arrived)

    async def issue_ready(self) -> bool:
        """Issue every one whose bases are ready, oldest first; False where some still wait."""
        stuck: set[str] = set()
        for held in await self._store.read(lambda tx: tx.held.waiting()):
            bases = {base.number for base in held.bases}
            if bases & stuck:
                stuck |= bases
                continue
            outlook = await self._store.read(partial(_look, held))
            if outlook.lost is not None:
                await self._store.write(partial(refuse, held, _lost_sentence(outlook.lost)))
            elif outlook.correction.awaiting or not await self._issue(held, outlook.correction):
                stuck |= bases
        return not stuck

    async def _issue(self, held: HeldCorrection, correction: Correction) -> bool:
        """Issue one; False where it has to wait. What can never be a valid document, or has no number, is refused."""
        try:
            await self._issuing.issue_pending(held, correction)
        except AgentError as error:
            if not _for_good(error):
                if self._told.get(held.id) != str(error):
                    self._told[held.id] = str(error)
                    LOG.warning("pending correction %s waits: %s", held.id, error)
                return False
            LOG.warning("pending correction %s refused: %s", held.id, error)
            await self._store.write(partial(refuse, held, str(error)))
        self._told.pop(held.id, None)
        return True

    async def waiting(self) -> list[HeldAnswer]:
        """Return everything that waits, oldest first."""
        return await self._store.read(_waiting)

    async def refused(self) -> list[HeldAnswer]:
        """Return those that can never be issued and whose case no manager has closed, oldest first."""
        return await self._store.read(_refused)

    async def one(self, held_id: str) -> HeldAnswer:
        """Return one as it stands now; NotFound."""
        return await self._store.read(partial(_one, held_id))

    async def close_case(self, held_id: str, reason: str, caller: Caller) -> HeldAnswer:
        """End the case of a refused one: a manager has seen to it, its alert ends. Conflict where it is not refused."""
        await self._store.write(partial(_close_case, held_id, reason, caller))
        self._changed.set()
        return await self.one(held_id)


def _for_good(error: AgentError) -> bool:
    return isinstance(error, BadInput) or (isinstance(error, Conflict) and error.code == NUMBER_TAKEN)


# --- its life, each step in a transaction -----------------------------------------------------------------


async def insert(
    tx: Transaction, correction: Correction, *, key: str, caller: Caller, now: datetime, at_counter: bool
) -> HeldCorrection:
    """Accept a correction that has to wait, in the transaction of its press. ``at_counter``: its slip is due."""
    held = HeldCorrection(
        id=uuid.uuid4().hex,
        base_id=_awaited_here(correction),
        body=json.dumps(to_plain(correction), ensure_ascii=False).encode(),
        key=key,
        pressed_by=caller.name,
        created_at=now,
        bases=correction.bases,
    )
    await tx.held.add(held)
    data: dict[str, Json] = {"held": held.id, "key": key, "by": caller.name, PAPER_DUE: at_counter}
    await tx.events.append(EventKind.CORRECTION_HELD, data, held.base_id)
    return held


async def close_issued(tx: Transaction, held_id: str, invoice_id: str) -> None:
    """Note that its document has been made, in the transaction that makes it."""
    await tx.held.close(held_id, HeldState.ISSUED, invoice_id=invoice_id)


async def refuse(held: HeldCorrection, problem: str, tx: Transaction) -> None:
    """Refuse one for good, and with it the younger ones that were counted on top of it."""
    refused = {base.number for base in held.bases}
    older = True
    for each in await tx.held.waiting():
        if each.id == held.id:
            older = False
            await _close_refused(tx, each, problem)
        elif not older and refused & {base.number for base in each.bases}:
            refused |= {base.number for base in each.bases}
            await _close_refused(tx, each, f"Nie wystawiono wcześniejszej korekty tej samej faktury: {problem}")


async def refuse_waiting(tx: Transaction, problem: str, *, still_waiting: Collection[str]) -> None:
    """Refuse all but those named: after a restore they may have been issued by the database that was lost."""
    for held in await tx.held.waiting():
        if held.id not in still_waiting:
            await _close_refused(tx, held, problem)


async def _close_refused(tx: Transaction, held: HeldCorrection, problem: str) -> None:
    await tx.held.close(held.id, HeldState.REFUSED, problem=problem)
    await tx.key_values.put(OPEN_CASES, [*await open_cases(tx), held.id])
    await tx.events.append(EventKind.CORRECTION_REFUSED, {"held": held.id, "problem": problem}, held.base_id)


async def _close_case(held_id: str, reason: str, caller: Caller, tx: Transaction) -> None:
    held = await existing(held_id, tx)
    if held.state is not HeldState.REFUSED:
        raise Conflict("Zamknąć można tylko sprawę korekty, której nie można wystawić.", code="not-rejected")
    left = await open_cases(tx)
    if held_id in left:
        await tx.key_values.put(OPEN_CASES, [each for each in left if each != held_id])
        data = {"by": caller.name, "reason": reason, "held": held_id}
        await tx.events.append(EventKind.CORRECTION_SETTLED, data, held.base_id)


def _awaited_here(correction: Correction) -> str:
    """Return the id of the first base it waits for; only invoices of this store can be waited for."""
    awaited = [base for base in correction.bases if base.number in correction.awaiting]
    return next(base.invoice_id for base in awaited if base.invoice_id is not None)


async def _look(held: HeldCorrection, tx: Transaction) -> Outlook:
    """Fill in what has become of the awaited bases."""
    correction = stored(held)
    numbers: dict[str, str] = {}
    exempt: list[str] = []
    rejected: str | None = None
    for base in correction.bases:
        if base.number not in correction.awaiting or base.invoice_id is None:
            continue
        record = await tx.invoices.get(base.invoice_id)
        if abandoned(record):
            return Outlook(correction, lost=record.number, rejected=record.number)
        if record.state is InvoiceState.REJECTED:
            rejected = record.number
        elif record.ksef_number is not None:
            numbers[base.number] = record.ksef_number
        elif record.outside_ksef:
            exempt.append(base.number)
    return Outlook(without_awaiting(with_ksef_numbers(correction, numbers), exempt), rejected=rejected)


def _lost_sentence(number: str) -> str:
    return f"KSeF ostatecznie odrzucił fakturę {number}, więc nie ma czego korygować."


# --- what others want to know -----------------------------------------------------------------------------


async def existing(held_id: str, tx: Transaction) -> HeldCorrection:
    """Return one; NotFound where there is none."""
    held = await tx.held.get(held_id)
    if held is None:
        raise NotFound("Nie ma takiej korekty.", code="correction-not-found")
    return held


def stored(held: HeldCorrection) -> Correction:
    """Return the correction as it was accepted."""
    return from_plain(Correction, json.loads(held.body))


async def open_cases(tx: Transaction) -> list[str]:
    """Return the ids of refused corrections that wait for a manager, oldest first."""
    kept = await tx.key_values.get(OPEN_CASES)
    return [str(each) for each in kept] if isinstance(kept, list) else []


async def _one(held_id: str, tx: Transaction) -> HeldAnswer:
    return await describe(tx, await existing(held_id, tx))


async def _waiting(tx: Transaction) -> list[HeldAnswer]:
    return [await describe(tx, each) for each in await tx.held.waiting()]


async def _refused(tx: Transaction) -> list[HeldAnswer]:
    return [await _one(held_id, tx) for held_id in await open_cases(tx)]


async def describe(tx: Transaction, held: HeldCorrection) -> HeldAnswer:
    """Tell how it stands, and what the cashier hands over."""
    correction = stored(held)
    return HeldAnswer(
        id=held.id,
        base_id=held.base_id,
        base_number=next(base.number for base in correction.bases if base.invoice_id == held.base_id),
        state=held.state,
        gross=correction.totals.gross,
        due=correction.due,
        currency=correction.currency,
        created_at=held.created_at,
        hand_over=await _hand_over(tx, held, correction),
        problem=held.problem,
        invoice_id=held.invoice_id,
        to_close=held.id in await open_cases(tx),
    )


async def _hand_over(tx: Transaction, held: HeldCorrection, correction: Correction) -> str:
    """Return the sentence for the cashier.

    Its money changes hands at the press, so it is named also where the number came, and the correction with it, before
    the cashier was answered, or had read the answer.
    """
    if held.state is HeldState.REFUSED:
        return f"Korekty nie można wystawić – zawołaj kierownika. {held.problem}"
    base = await tx.invoices.get(held.base_id)
    money = pending_sentence(correction, base.payments)
    events = await tx.events.of_invoice(held.base_id)
    slip = of_slip(events, held.id)
    wanted = due(events, held.id)
    if held.state is HeldState.ISSUED:
        left = wanted is True and not handed_out(slip)
        return f"Korekta została wystawiona.{' Wydrukuj ją klientowi.' if left else ''}{money}"
    outlook = await _look(held, tx)
    if outlook.rejected is not None:
        text = "zawołaj kierownika. Korekta czeka na jej korektę techniczną."
        return f"KSeF odrzucił fakturę {outlook.rejected} – {text}"
    sentence = f"{money} {outlook.correction.waiting_sentence}".lstrip()
    if not slip and wanted is False:
        return sentence
    paper = trouble(slip, wanted=wanted is True)
    return f"{paper or 'Wydaj klientowi potwierdzenie przyjęcia korekty.'} {sentence}"
