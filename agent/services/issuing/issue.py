"""From the press to the durable document (docs/flows.md).

One transaction holds key, number, bytes, hash, links, deadline and event. Nothing is answered, printed or sent
before its COMMIT; a refused sale uses up no number. After the commit nothing is lost: the queue sends what this
press did not, and the key gives the cashier the answer a crash swallowed.

The stages, a file each: requests.py (what is asked), plans.py (what is to be made), documents.py (number, bytes,
codes), this file up to the COMMIT, hand_over.py (KSeF within the budget, then the paper).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NoReturn

from agent.domain.callers import Caller, Role
from agent.domain.corrections.correction import Correction
from agent.domain.errors import AgentError, Conflict, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import LEGAL_BASIS, InvoiceRecord, Mode, NewInvoice, Sale
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.modes import ModeDecision
from agent.domain.values import dataclass
from agent.ports import Clock, HeldCorrection, Json, Metrics, Outcome, PrintResult, ReadyPrinter, Store, Transaction
from agent.services.background import BackgroundTasks
from agent.services.buyers import memory
from agent.services.buyers.lookup import BuyerLookup
from agent.services.corrections import pending
from agent.services.issuing import taken_numbers
from agent.services.issuing.documents import BuiltDocument, DocumentBuilder, Number
from agent.services.issuing.hand_over import HandOver
from agent.services.issuing.idempotency import IssueOutcome, remember, seen_before
from agent.services.issuing.plans import PlannedDocument
from agent.services.issuing.requests import CheckedRequest, IssueRequest, PendingRequest, RequestReader, SaleRequest
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.mode import CurrentMode
from agent.services.outages.observed import ObservedFacts
from agent.services.outages.trusted_time import TrustedTime
from agent.services.paper import own_printing
from agent.services.paper.interrupted import PAPER_DUE
from agent.services.paper.outcomes import note_and_read
from agent.services.paper.printing import QueuedPrint, release_unused
from agent.services.presses import Presses
from agent.services.signals import Signal
from agent.system import journal

LOG = logging.getLogger("agent.issue")


@dataclass(frozen=True, slots=True)
class Press:
    """One request, by whom and under which key."""

    key: str
    content_sha256: bytes
    caller: Caller
    at_counter: bool
    """False: nobody waits. Nothing is printed, it is sent in the background, and what KSeF's limits keep for presses
    is left to them."""
    own_printing: bool = False
    """The till prints by its own means what this makes; a JSON sale says it itself."""
    older_sha256: bytes | None = None
    """Of the content as an older version took it, which may have used the key."""

    @property
    def contents(self) -> frozenset[bytes]:
        """Hashes under which the key may stand for this very request."""
        return frozenset({self.content_sha256, self.older_sha256 or self.content_sha256})


@dataclass(frozen=True, slots=True)
class Moment:
    """When a press happens, and in which mode: decided once."""

    now: datetime
    decision: ModeDecision


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction made."""

    outcome: IssueOutcome
    modes: tuple[Mode, ...] = ()
    """Of each invoice that was made."""
    papers: tuple[QueuedPrint, ...] = ()
    """Of a press that waits for nobody: its paper is known already."""


class _RolledBack(Exception):
    """Ends the transaction of a rehearsal; carries what it would have made."""

    def __init__(self, outcome: IssueOutcome) -> None:
        super().__init__("a rehearsal stores nothing")
        self.outcome = outcome


class Issuing:
    """Makes documents durable, then sends and prints them within the budget."""

    def __init__(
        self,
        *,
        requests: RequestReader,
        buyers: BuyerLookup,
        documents: DocumentBuilder,
        hand_over: HandOver,
        store: Store,
        clock: Clock,
        trusted_time: TrustedTime,
        clock_check: ClockCheck,
        mode: CurrentMode,
        observed: ObservedFacts,
        tasks: BackgroundTasks,
        metrics: Metrics,
        changed: Signal,
        presses: Presses,
    ) -> None:
        self._requests = requests
        self._buyers = buyers
        self._documents = documents
        self._hand_over = hand_over
        self._store = store
        self._clock = clock
        self._trusted_time = trusted_time
        self._clock_check = clock_check
        self._mode = mode
        self._observed = observed
        self._tasks = tasks
        self._metrics = metrics
        self._changed = changed
        self._presses = presses
        self._running: dict[str, asyncio.Task[IssueOutcome]] = {}
        self._mode_told = Mode.ONLINE

    @property
    def pressing(self) -> bool:
        """Whether a press is under way: what can wait lets it go first."""
        return bool(self._running)

    # --- what may be asked ----------------------------------------------------------------------------

    async def sale(self, body: bytes, key: str, caller: Caller, *, at_counter: bool = True) -> IssueOutcome:
        """Issue the invoice of a JSON sale."""
        return await self.issue(self._requests.sale(body), key, caller, at_counter=at_counter)

    async def supplied(
        self,
        xml: bytes,
        key: str,
        caller: Caller,
        receipt_nip: str | None = None,
        *,
        at_counter: bool = True,
        own_printing: bool = False,
    ) -> IssueOutcome:
        """Take a ready FA(3), its bytes kept to the last one; ``receipt_nip``: the buyer's number on its receipt."""
        request = self._requests.supplied(xml, receipt_nip)
        return await self.issue(request, key, caller, at_counter=at_counter, own_printing=own_printing)

    async def correct(
        self, invoice_id: str, body: bytes, key: str, caller: Caller, *, at_counter: bool = True
    ) -> IssueOutcome:
        """Correct an invoice of this store, now or once it has its KSeF number."""
        return await self.issue(self._requests.correction(invoice_id, body), key, caller, at_counter=at_counter)

    async def correct_external(self, body: bytes, key: str, caller: Caller, *, at_counter: bool = True) -> IssueOutcome:
        """Correct an invoice this store does not hold: the body has "base" (as it was) and "correction"."""
        return await self.issue(self._requests.external_correction(body), key, caller, at_counter=at_counter)

    async def issue_pending(self, held: HeldCorrection, correction: Correction) -> None:
        """Issue a pending correction, under a key of its own, so that a crash in between makes it once."""
        caller = Caller(held.pressed_by, Role.CASHIER)
        await self.issue(PendingRequest(held, correction), f"held:{held.id}", caller, at_counter=False)

    # --- the press ------------------------------------------------------------------------------------

    async def issue(
        self,
        request: IssueRequest,
        key: str,
        caller: Caller,
        *,
        at_counter: bool = True,
        own_printing: bool = False,
        older_content: bytes | None = None,
    ) -> IssueOutcome:
        """Issue what is asked for, once per key: a second click waits for the first and gets its answer.

        BadInput, Conflict, NotFound, KeyReused: nothing was issued, no number used. Unavailable: the same, for now.
        """
        older = None if older_content is None else hashlib.sha256(older_content).digest()
        press = Press(key, hashlib.sha256(request.content).digest(), caller, at_counter, own_printing, older)
        # No await between look and entry: of many clicks at once one presses, and the others wait for its paper.
        while (running := self._running.get(key)) is not None:
            await asyncio.wait({running})
        task = self._tasks.start(f"press-{key}", self._issue(request, press), awaited=True)
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _issue(self, request: IssueRequest, press: Press) -> IssueOutcome:
        with self._presses.under_way():
            return await self._issue_once(request, press)

    async def _issue_once(self, request: IssueRequest, press: Press) -> IssueOutcome:
        begun = self._clock.monotonic()
        if isinstance(request, SaleRequest) and (nip := request.nip_alone) is not None:
            if (seen := await self._seen(press)) is not None:
                return seen  # nobody is asked for a name again
            request = request.naming(await self._buyers.named(nip))
        try:
            now = await self._trusted_time.for_document()
            checked = request.check(now)
        except AgentError:
            # What was issued is answered for in any case, whatever the clock and the settings say by now.
            if (seen := await self._seen(press)) is not None:
                return seen
            raise
        decision = self._mode.decide(now, kept_for_presses=not press.at_counter and self._hand_over.sends_kept())
        moment = Moment(now, decision)
        paper_at_once = press.at_counter and not press.own_printing and not decision.attempt_online
        try:
            async with self._hand_over.ready_printer(wanted=paper_at_once) as ready:
                committed = await self._store.write(partial(self._commit, press, checked, moment, ready=ready))
                await release_unused(ready, committed.papers)
                if not committed.outcome.replayed:
                    self._clock_check.issued(now)
                    self._changed.set()
                    self._tell_mode(decision)
                    return await self._brought_on(committed, press, moment, begun)
        except Unavailable:
            if (seen := await self._seen(press)) is not None:
                return seen
            raise
        await self._again(committed.outcome, press)
        return committed.outcome

    async def _seen(self, press: Press) -> IssueOutcome | None:
        """Return what the key made before; None for a new one."""
        seen = await self._store.read(partial(seen_before, press.key, press.contents))
        if seen is not None:
            await self._again(seen, press)
        return seen

    async def _brought_on(self, committed: Committed, press: Press, moment: Moment, begun: float) -> IssueOutcome:
        """Send and print what is durable; answer for it too where a full disk lets nothing more be stored.

        That error says that nothing was stored: whoever believed it would sell the same under another key. The queue
        sends, and a repeat prints.
        """
        try:
            return await self._after_commit(committed, press, moment, begun)
        except Unavailable as error:
            LOG.warning("issued, and nothing more of the press could be stored: %s", error.detail)
            await self._hand_over.rest(committed.outcome, at_counter=False)
            return committed.outcome

    async def _again(self, seen: IssueOutcome, press: Press) -> None:
        """Print what a crash, or a full disk, kept from its first paper."""
        if not press.at_counter:
            return
        try:
            await self._hand_over.first_papers(seen.invoice_ids)
            if seen.held_id is not None:
                await self._hand_over.first_slip(seen.held_id)
        except Unavailable as error:
            LOG.warning("what a key made could not be printed: %s", error.detail)

    async def rehearse(self, body: bytes, printer: ReadyPrinter) -> IssueOutcome:
        """Do with a JSON sale what an offline press does, as if ``printer`` had printed it, and roll it back.

        For a start that warms up: it stores nothing, takes no number, prints nothing. Errors as of sale().
        """
        now = self._clock.now()
        checked = self._requests.sale(body).check(now)
        press = Press("rehearsal", hashlib.sha256(body).digest(), Caller("rehearsal", Role.CASHIER), at_counter=True)
        moment = Moment(now, ModeDecision(Mode.OFFLINE24, "", LEGAL_BASIS[Mode.OFFLINE24], attempt_online=False))
        done = PrintResult(Outcome.DONE, printer.name)

        async def rolled_back(tx: Transaction) -> NoReturn:
            committed = await self._commit(press, checked, moment, tx, printer)
            printed = [await note_and_read(paper.job, done, tx) for paper in committed.papers]
            raise _RolledBack(replace(committed.outcome, printed=tuple(printed)))

        try:
            await self._store.write(rolled_back)
        except _RolledBack as end:
            return end.outcome

    def _tell_mode(self, decision: ModeDecision) -> None:
        """Write a line into the journal where invoices go another way than the one before, not for each of them."""
        before, self._mode_told = self._mode_told, decision.mode
        if decision.mode is before:
            return
        level = logging.INFO if decision.mode is Mode.ONLINE else logging.WARNING
        LOG.log(
            level,
            "invoices are issued as %s from here on (before: %s): %s",
            decision.mode,
            before,
            decision.reason,
            extra=journal.fields(mode=decision.mode),
        )

    async def _commit(
        self,
        press: Press,
        checked: CheckedRequest,
        moment: Moment,
        tx: Transaction,
        ready: ReadyPrinter | None = None,
    ) -> Committed:
        """The whole transaction: all that a press makes true, or nothing. ``ready``: held for its first paper."""
        seen = await seen_before(press.key, press.contents, tx)
        if seen is not None:
            return Committed(seen)
        plan = await checked.plan(tx)
        if moment.decision.mode is Mode.TOTAL_FAILURE:
            plan = plan.in_total_failure()
        made = [await self._add(planned, press, moment, tx) for planned in plan.documents]
        await self._clock_check.issuing(moment.now, tx)
        if plan.fulfils is not None:
            await pending.close_issued(tx, plan.fulfils, made[0].id)
        await memory.note(tx, plan.buyers)
        held = None
        if plan.pending is not None:
            held = await pending.insert(
                tx, plan.pending, key=press.key, caller=press.caller, now=moment.now, at_counter=press.at_counter
            )
        outcome = await remember(tx, press.key, press.content_sha256, made, held, settles=plan.settles)
        modes = tuple(invoice.mode for invoice in made)
        if not press.at_counter or moment.decision.attempt_online:
            return Committed(outcome, modes)
        papers = []
        for planned, invoice in zip(plan.documents, made, strict=True):
            if not _printed_by_the_till(planned, press):
                papers.append(await self._hand_over.queue_paper(invoice, tx, ready))
                ready = None
        return Committed(outcome, modes, tuple(papers))

    async def _add(self, planned: PlannedDocument, press: Press, moment: Moment, tx: Transaction) -> InvoiceRecord:
        """Number a document, build it, store it, and say so in the log."""
        number = await self._number(planned, moment, tx)
        try:
            built, invoice, made = await self._stored(planned, number, press, moment, tx)
        except Conflict as error:
            if error.code != taken_numbers.TAKEN or number.series is None or number.serial is None:
                raise
            # The settings changed, and no cashier can: without another number nothing would be sold here any more.
            number_of = partial(self._documents.number, number.series, now=moment.now)
            free = await taken_numbers.pass_over(tx, number.series, number.serial, lambda one: number_of(one).text)
            built, invoice, made = await self._stored(planned, number_of(free), press, moment, tx)
        by_the_till = _printed_by_the_till(planned, press)
        paper_due = press.at_counter and not by_the_till
        await tx.events.append(EventKind.ISSUED, {**self._issued_event(invoice), PAPER_DUE: paper_due}, invoice.id)
        if by_the_till:
            await own_printing.choose(tx, invoice.id)
        if invoice.mode is Mode.OUTSIDE_KSEF:
            made = await tx.invoices.move(invoice.id, InvoiceState.EXEMPT)
            await tx.events.append(EventKind.EXEMPT, {"legal_basis": LEGAL_BASIS[invoice.mode]}, invoice.id)
        for base_id in built.bases_here:
            data: dict[str, Json] = {"by": invoice.id, "number": invoice.number, "gross": str(invoice.totals.gross)}
            await tx.events.append(EventKind.CORRECTED, data, base_id)
        return made

    async def _stored(
        self, planned: PlannedDocument, number: Number, press: Press, moment: Moment, tx: Transaction
    ) -> tuple[BuiltDocument, NewInvoice, InvoiceRecord]:
        built = self._documents.build(planned, number, moment.now)
        invoice = self._documents.new_invoice(built, moment.decision, moment.now, press.caller)
        return built, invoice, await tx.invoices.add(invoice)

    async def _number(self, planned: PlannedDocument, moment: Moment, tx: Transaction) -> Number:
        series = self._documents.series(planned, moment.decision, moment.now)
        if series is None:
            return Number(planned.number or "")
        return self._documents.number(series, await tx.invoices.next_serial(series), moment.now)

    async def _after_commit(self, committed: Committed, press: Press, moment: Moment, begun: float) -> IssueOutcome:
        outcome = committed.outcome
        for mode in committed.modes:
            self._metrics.issued(mode)
        noted = [await self._hand_over.paper(paper) for paper in committed.papers]
        printed = tuple(each for each in noted if each is not None)
        if len(printed) == len(outcome.invoice_ids):
            outcome = replace(outcome, printed=printed)
        if not committed.papers:
            for invoice_id in outcome.invoice_ids:
                await self._hand_over.invoice(invoice_id, moment.decision, begun, at_counter=press.at_counter)
        self._metrics.press_took(self._clock.monotonic() - begun)
        await self._hand_over.rest(outcome, at_counter=press.at_counter)
        return outcome

    def _issued_event(self, invoice: NewInvoice) -> dict[str, Json]:
        return {
            "number": invoice.number,
            "kind": invoice.kind,
            "mode": invoice.mode.value,
            "reason": invoice.reason,
            "legal_basis": LEGAL_BASIS[invoice.mode],
            "issued_on": invoice.issued_on.isoformat(),
            "sha256": invoice.sha256.hex(),
            "gross": str(invoice.totals.gross),
            "currency": invoice.totals.currency,
            "deadline": None if invoice.deadline is None else invoice.deadline.isoformat(),
            "pressed_by": invoice.pressed_by,
            "facts": self._observed.for_log(),
        }


def _printed_by_the_till(planned: PlannedDocument, press: Press) -> bool:
    """Whether the till's own program prints it: the press says so, or the sale."""
    return press.own_printing or (isinstance(planned.content, Sale) and not planned.content.printed_here)
