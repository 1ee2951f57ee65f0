"""Corrections that wait: for the KSeF number of a base, or behind an older correction of the same invoice.

FA(3) names a base by its KSeF number, so such a correction is an order until the number is there
(domain/json_io/codec.py).
Corrections of one invoice are issued in the order in which they were taken: each says what the one before it left.

Crash windows: an order is closed in the transaction that issues its document, under the key ``held:<id>``; before it
nothing has happened, after it everything.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from agent.domain.callers import Caller, Role
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.parse import Correction, numbered, outside
from agent.domain.errors import AgentError, BadInput, Conflict, NotFound
from agent.domain.fa3.build import issue_date
from agent.domain.json_io.codec import from_plain
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import abandoned
from agent.ports import HeldCorrection, Transaction
from agent.services.corrections.pending_slip import Slips, of_slip, trouble
from agent.services.desk import Desk
from agent.services.issuing.documents import Draft, Order, Orders, Prepare, numbered_order
from agent.services.issuing.issue import Issuing

LOG = logging.getLogger("agent.corrections")
UNSETTLED = "refused_corrections"
"""In the notebook: ids of refused corrections, until a manager has seen to each."""
LOOK_SECONDS = 60.0
"""A number that arrives is looked at at once; all other ways to become ready (total failure over, disk free again,
clock set) are looked for this often while something waits."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the store knows of the bases an order waits for."""

    correction: Correction
    """With the numbers that have arrived."""
    lost: str | None = None
    """Number of a base that will never be in KSeF."""


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """A correction that waits for the KSeF number of its base; durable, and issued by itself."""

    id: str
    base_id: str
    base_number: str
    state: str
    """waiting, issued, refused."""
    gross: Decimal
    """The difference."""
    currency: str
    created_at: datetime
    hand_over: str
    problem: str | None = None
    invoice_id: str | None = None
    to_settle: bool = False
    """Refused, and no manager has closed the case yet."""


class HeldCorrections:
    """Issues held corrections when their time has come, and tells about them."""

    def __init__(self, desk: Desk, issuing: Issuing) -> None:
        self._desk = desk
        self._issuing = issuing
        self._slips = Slips(desk)

    async def run(self) -> None:
        """Issue what can be issued whenever a number arrives, until cancelled."""
        while True:
            arrived = self._desk.accepted.next()
            if await self.issue_ready():
                await arrived
                continue
            with contextlib.suppress(TimeoutError):
                await self._desk.clock.within(LOOK_SECONDS, arrived)

    async def issue_ready(self) -> bool:
        """Issue every order whose bases are ready, oldest first; False where some still wait."""
        stuck: set[str] = set()
        for held in await self._desk.store.read(lambda tx: tx.held.waiting()):
            bases = {base.number for base in held.bases}
            if bases & stuck:
                stuck |= bases
                continue
            outlook = await self._desk.store.read(partial(_look, held))
            if outlook.lost is not None:
                await self._desk.store.write(partial(_refuse, held, _lost_sentence(outlook.lost)))
            elif outlook.correction.awaiting or not await self._issue(held, outlook.correction):
                stuck |= bases
        return not stuck

    async def _issue(self, held: HeldCorrection, correction: Correction) -> bool:
        """Issue one; False where it has to wait. What can never be a valid document is refused."""

        def prepare(now: datetime) -> Prepare:
            async def prepared(_: Transaction) -> Orders:
                return Orders((order_of(self._desk, correction, now),), fulfils=held.id)

            return prepared

        caller = Caller(held.pressed_by, Role.CASHIER)
        try:
            await self._issuing.press(f"held:{held.id}", held.body, prepare, caller, at_counter=False)
        except BadInput as error:
            LOG.warning("held correction %s refused: %s", held.id, error.detail)
            await self._desk.store.write(partial(_refuse, held, error.detail))
        except AgentError as error:
            LOG.warning("held correction %s waits: %s", held.id, error)
            return False
        return True

    # --- what others want to know -------------------------------------------------------------------

    async def waiting(self) -> list[HeldAnswer]:
        """Everything that waits, oldest first."""

        async def work(tx: Transaction) -> list[HeldAnswer]:
            return [await describe(tx, each) for each in await tx.held.waiting()]

        return await self._desk.store.read(work)

    async def one(self, held_id: str) -> HeldAnswer:
        """One held correction as it stands now; NotFound."""

        async def work(tx: Transaction) -> HeldAnswer:
            return await describe(tx, await existing(tx, held_id))

        return await self._desk.store.read(work)

    # --- what people do about one -------------------------------------------------------------------

    async def print_slip(self, held_id: str) -> None:
        """Give the customer a slip that says the correction is queued."""
        held = await self._desk.store.read(lambda tx: tx.held.get(held_id))
        assert held is not None
        await self._slips.print(held, stored(held))

    async def reprint_slip(self, held_id: str, caller: Caller) -> HeldAnswer:
        """Print the slip again, marked; Conflict once the correction does not wait any more."""

        async def work(tx: Transaction) -> None:
            held = await existing(tx, held_id)
            if held.state != "waiting":
                text = "Ta korekta już nie czeka: jest wystawiona albo nie można jej wystawić."
                raise Conflict(text, code="correction-not-waiting")
            await tx.events.append("slip_reprint", {"by": caller.name, "held": held_id}, held.base_id)

        await self._desk.store.write(work)
        await self.print_slip(held_id)
        return await self.one(held_id)

    async def refused(self) -> list[HeldAnswer]:
        """Those that can never be issued and that no manager has settled yet, oldest first."""

        async def work(tx: Transaction) -> list[HeldAnswer]:
            return [await describe(tx, await existing(tx, held_id)) for held_id in await unsettled(tx)]

        return await self._desk.store.read(work)

    async def settle(self, held_id: str, reason: str, caller: Caller) -> HeldAnswer:
        """A manager has seen to a refused correction: its alert ends."""

        async def work(tx: Transaction) -> None:
            held = await existing(tx, held_id)
            if held.state != "refused":
                raise Conflict("Zamknąć można tylko sprawę korekty, której nie można wystawić.", code="not-rejected")
            left = await unsettled(tx)
            if held_id in left:
                await tx.notebook.put(UNSETTLED, [each for each in left if each != held_id])
                data = {"by": caller.name, "reason": reason, "held": held_id}
                await tx.events.append("correction_settled", data, held.base_id)

        await self._desk.store.write(work)
        self._desk.changed.set()
        return await self.one(held_id)


async def existing(tx: Transaction, held_id: str) -> HeldCorrection:
    """Return a held correction; NotFound where there is none."""
    held = await tx.held.get(held_id)
    if held is None:
        raise NotFound("Nie ma takiej korekty.", code="correction-not-found")
    return held


async def unsettled(tx: Transaction) -> list[str]:
    """Return the ids of refused corrections that wait for a manager, oldest first."""
    kept = await tx.notebook.get(UNSETTLED)
    return [str(each) for each in kept] if isinstance(kept, list) else []


def stored(held: HeldCorrection) -> Correction:
    """Return the order that was kept."""
    return from_plain(Correction, json.loads(held.body))


def order_of(desk: Desk, correction: Correction, now: datetime) -> Order:
    """Order the document of a correction that waits for nothing."""
    settings = desk.settings
    issued_on = issue_date(now)

    def draw(number: str) -> Draft:
        xml = build_correction(
            correction, settings.seller, number=number, issued_at=now, system_info=settings.issue.system_info
        )
        return Draft(
            number=number,
            kind="KOR",
            issued_on=issued_on,
            buyer=correction.buyer,
            totals=correction.totals,
            xml=xml,
            payments=correction.payments,
            bases=correction.bases,
            external_ref=correction.external_ref,
        )

    series = settings.issue.correction_series
    return numbered_order(settings, series, issued_on, draw, given=correction.number)


async def _look(held: HeldCorrection, tx: Transaction) -> Outlook:
    """Fill in what has become of the awaited bases."""
    correction = stored(held)
    numbers: dict[str, str] = {}
    exempt: list[str] = []
    for base in correction.bases:
        if base.number not in correction.awaiting or base.invoice_id is None:
            continue
        record = await tx.invoices.get(base.invoice_id)
        if abandoned(record):
            return Outlook(correction, lost=record.number)
        if record.ksef_number is not None:
            numbers[base.number] = record.ksef_number
        elif record.state is InvoiceState.EXEMPT:
            exempt.append(base.number)
    return Outlook(outside(numbered(correction, numbers), exempt))


def _lost_sentence(number: str) -> str:
    return f"KSeF ostatecznie odrzucił fakturę {number}, więc nie ma czego korygować."


async def _refuse(held: HeldCorrection, problem: str, tx: Transaction) -> None:
    """Close an order, and with it the younger ones that were counted on top of it."""
    refused = {base.number for base in held.bases}
    older = True
    for each in await tx.held.waiting():
        if each.id == held.id:
            older = False
            await _close(tx, each, problem)
        elif not older and refused & {base.number for base in each.bases}:
            refused |= {base.number for base in each.bases}
            await _close(tx, each, f"Nie wystawiono wcześniejszej korekty tej samej faktury: {problem}")


async def refuse_waiting(tx: Transaction, problem: str, *, still_waiting: Collection[str]) -> None:
    """Close all orders but those named: after a restore they may have been issued by the database that was lost."""
    for held in await tx.held.waiting():
        if held.id not in still_waiting:
            await _close(tx, held, problem)


async def _close(tx: Transaction, held: HeldCorrection, problem: str) -> None:
    await tx.held.close(held.id, "refused", problem=problem)
    await tx.notebook.put(UNSETTLED, [*await unsettled(tx), held.id])
    await tx.events.append("correction_refused", {"held": held.id, "problem": problem}, held.base_id)


async def describe(tx: Transaction, held: HeldCorrection) -> HeldAnswer:
    correction = stored(held)
    return HeldAnswer(
        id=held.id,
        base_id=held.base_id,
        base_number=next(base.number for base in correction.bases if base.invoice_id == held.base_id),
        state=held.state,
        gross=correction.totals.gross,
        currency=correction.currency,
        created_at=held.created_at,
        hand_over=await _hand_over(tx, held, correction),
        problem=held.problem,
        invoice_id=held.invoice_id,
        to_settle=held.id in await unsettled(tx),
    )


async def _hand_over(tx: Transaction, held: HeldCorrection, correction: Correction) -> str:
    """Return the sentence for the cashier."""
    if held.state == "issued":
        return "Korekta została wystawiona."
    if held.state == "refused":
        return f"Korekty nie można wystawić – zawołaj kierownika. {held.problem}"
    sentence = correction.waiting_sentence or ""
    base = await tx.invoices.get(held.base_id)
    if base.state is InvoiceState.REJECTED:
        return f"KSeF odrzucił fakturę {base.number} – zawołaj kierownika. Korekta czeka na jej korektę techniczną."
    paper = trouble(of_slip(await tx.events.of_invoice(held.base_id), held.id))
    return f"{paper or 'Wydaj klientowi potwierdzenie przyjęcia korekty.'} {sentence}"
