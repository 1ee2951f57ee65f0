"""A 440 of KSeF: whose document it is that has the number.

A 440 says that KSeF holds a document of the same seller, kind and number. It is ours only when its SHA-256 is, so
until the original could be compared the invoice is in doubt: KSeF's words are in the log, and the alert of a doubt
that lasts tells people.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import sent_before
from agent.domain.values import dataclass
from agent.ports import Accepted, Duplicate, InvoiceChange, Json, KsefError, Rejection, Store, Transaction
from agent.services.delivery.originals import DUPLICATE, Originals, is_final
from agent.services.delivery.records import DeliveryRecords, evidence_of, moved
from agent.services.delivery.series import SeriesCatchUp
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.signals import Signal

TAKEN_PERHAPS = Rejection(DUPLICATE, "440: KSeF ma już dokument o tym numerze; trwa sprawdzanie, czy to ten")


@dataclass(frozen=True, slots=True)
class OwnOriginal:
    """The number is that of this very invoice, as it stands in ``record``: KSeF accepted it before."""

    record: InvoiceRecord
    accepted: Accepted
    session: str | None
    """Of the original: there its UPO is."""


class Duplicates:
    """Compares invoices with the originals whose numbers they have."""

    def __init__(
        self,
        *,
        store: Store,
        records: DeliveryRecords,
        clock_check: ClockCheck,
        connection: Connection,
        originals: Originals,
        series: SeriesCatchUp,
        changed: Signal,
    ) -> None:
        self._store = store
        self._records = records
        self._clock_check = clock_check
        self._connection = connection
        self._originals = originals
        self._series = series
        self._changed = changed

    async def compare(self, invoice_id: str, verdict: Duplicate) -> InvoiceRecord | OwnOriginal:
        """Find out whose number a 440 names.

        At a first attempt it is most surely another document's, and that is durable at once: nobody prints while the
        original is being compared.
        """
        record = await self._records.record(invoice_id)
        first = not await self._store.read(partial(_may_be_in_ksef, invoice_id))
        if first:
            record = await self._doubt(record, verdict, TAKEN_PERHAPS, {})
        try:
            original = await self._originals.sha256(record, verdict)
        except KsefError as error:
            self._connection.question_failed(error)
            if first and is_final(error):
                return await self.note_taken(record, verdict, evidence_of(error, "compare"))
            if first:
                return await self._records.note_trouble(record, EventKind.DOUBT_REMAINS, error, "compare")
            return await self._doubt(record, verdict, None, evidence_of(error, "compare"), error)
        return await self.judge(record, verdict, original)

    async def _doubt(
        self,
        record: InvoiceRecord,
        verdict: Duplicate,
        rejection: Rejection | None,
        evidence: Mapping[str, Json],
        error: KsefError | None = None,
    ) -> InvoiceRecord:
        data: dict[str, Json] = {
            "why": f"440: {verdict.description}",
            "original_ksef_number": verdict.original_ksef_number,
            "original_session": verdict.original_session,
            **evidence,
        }
        change = InvoiceChange(not_before=self._records.next_attempt(record, error), rejection=rejection)
        return await self._records.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def judge(self, record: InvoiceRecord, verdict: Duplicate, original: bytes) -> InvoiceRecord | OwnOriginal:
        """Tell the number's own document (OwnOriginal) from another one's (recorded), by the original's SHA-256."""
        if original == record.sha256:
            number = verdict.original_ksef_number or ""
            accepted = Accepted(number, self._clock_check.best(), original)
            return OwnOriginal(record, accepted, verdict.original_session)
        return await self.note_taken(record, verdict, {"original_sha256": original.hex()})

    async def note_taken(
        self, record: InvoiceRecord, verdict: Duplicate, evidence: Mapping[str, Json]
    ) -> InvoiceRecord:
        """Record that the number is another document's; the series goes on after the numbers KSeF knows."""
        number = verdict.original_ksef_number or ""
        data: dict[str, Json] = {
            "code": DUPLICATE,
            "original_ksef_number": number,
            "original_session": verdict.original_session,
            "original_sha256": None,
            "sha256": record.sha256.hex(),
            **evidence,
        }
        text = f"440: numer zajęty w KSeF przez inny dokument ({number or 'bez numeru'})"
        change = InvoiceChange(rejection=Rejection(DUPLICATE, text))
        rejected = await self._store.write(partial(_number_lost, record.id, change, data))
        self._records.waits.forget(record.id)
        self._changed.set()
        self._series.after_collision(rejected)
        return rejected


async def _number_lost(
    invoice_id: str, change: InvoiceChange, data: Mapping[str, Json], tx: Transaction
) -> InvoiceRecord:
    if (await tx.invoices.get(invoice_id)).state is InvoiceState.IN_DOUBT:
        await tx.invoices.move(invoice_id, InvoiceState.SENT)
    return await moved(invoice_id, InvoiceState.REJECTED, change, tx, kind=EventKind.COLLISION, data=data)


async def _may_be_in_ksef(invoice_id: str, tx: Transaction) -> bool:
    """Whether this very invoice may have reached KSeF before: by an earlier attempt, or by a database that was lost."""
    log = await tx.events.of_invoice(invoice_id)
    if sent_before((event.kind, event.data) for event in log):
        return True
    issued = log[0].seq if log else 0
    return await tx.events.newest_of(EventKind.STORE_RESTORED) > issued
