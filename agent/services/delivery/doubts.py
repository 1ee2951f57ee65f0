"""The end of a doubt: an invoice of which nobody knows whether KSeF has it is looked for by its hash."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import number_taken
from agent.ports import Duplicate, InvoiceChange, Json, KsefError, Verdict
from agent.services.delivery.duplicates import Duplicates
from agent.services.delivery.originals import Originals, is_final
from agent.services.delivery.records import DeliveryRecords, evidence_of
from agent.services.delivery.verdicts import VerdictRecorder
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection


class Doubts:
    """Resolves doubts, one session's list for all of its invoices."""

    def __init__(
        self,
        *,
        records: DeliveryRecords,
        clock_check: ClockCheck,
        connection: Connection,
        originals: Originals,
        duplicates: Duplicates,
        verdicts: VerdictRecorder,
    ) -> None:
        self._records = records
        self._clock_check = clock_check
        self._connection = connection
        self._originals = originals
        self._duplicates = duplicates
        self._verdicts = verdicts

    def forget_lists(self) -> None:
        """Ask KSeF anew what a session holds."""
        self._originals.forget()

    async def resolve(self, record: InvoiceRecord) -> InvoiceRecord:
        """Look for an IN_DOUBT invoice in its session: what is there gets its verdict, what is not goes again."""
        if not record.session_ref:
            return await self._free(record, {"why": "no session"})
        found: tuple[str, Verdict] | None = None
        original: bytes | None = None
        try:
            found = (await self._originals.in_session(record.session_ref)).get(record.sha256)
            if found is not None and isinstance(found[1], Duplicate):
                original = await self._originals.sha256(record, found[1])
        except KsefError as error:
            self._connection.question_failed(error)
            if found is not None and isinstance(found[1], Duplicate) and _suspected(record, error):
                return await self._duplicates.note_taken(record, found[1], evidence_of(error, "compare"))
            return await self._records.note_trouble(record, EventKind.DOUBT_REMAINS, error, "find")
        if found is None:
            self._connection.answered()
            return await self._free(record, {"why": "not in session", "session": record.session_ref})
        self._connection.taken()
        reference, verdict = found
        await self._records.move(
            record.id,
            InvoiceState.SENT,
            EventKind.SENT,
            {"session": record.session_ref, "reference": reference, "found_by": "sha256"},
            InvoiceChange(invoice_ref=reference, sent_at=record.sent_at or self._clock_check.best()),
        )
        if isinstance(verdict, Duplicate) and original is not None:
            return await self._verdicts.follow(await self._duplicates.judge(record, verdict, original))
        return await self._verdicts.apply(record.id, verdict)

    async def _free(self, record: InvoiceRecord, why: Mapping[str, Json]) -> InvoiceRecord:
        """Let it be sent again: KSeF does not have it."""
        return await self._records.move(record.id, InvoiceState.ISSUED, EventKind.DOUBT_CLEARED, why)


def _suspected(record: InvoiceRecord, error: KsefError) -> bool:
    """Whether the number was taken at a first attempt, and KSeF will never show by what."""
    return number_taken(record) and is_final(error)
