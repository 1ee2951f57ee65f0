"""Invoices (port Invoices)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from agent.domain.errors import IllegalTransition, NotFound
from agent.domain.json_io.canonical import Json
from agent.domain.json_io.codec import from_plain, to_plain
from agent.hub.domain.records import BacklogSize, HubInvoice, InvoiceFacts, Offer, Refusal, Till
from agent.hub.domain.states import HubState, check_move
from agent.hub.store.database import Database, Row, Value, dump

UNDER_WAY = frozenset({HubState.SENDING, HubState.DOUBT, HubState.SENT})
"""What the couriers look for in every round."""
CALLS_KEPT = timedelta(hours=2)
"""Limits count an hour."""


class StoredInvoices:
    """Invoices; what is open is found by index, however many are done."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def add(self, till: Till, offer: Offer) -> HubInvoice | None:
        """Add an invoice in WAITING; None where its bytes or its number are here."""
        rows = await self._database.run(
            "invoice_add",
            sha256=offer.sha256,
            till_id=till.id,
            nip=offer.nip,
            kind=offer.kind,
            number=offer.number,
            issued_on=offer.issued_on,
            gross=str(offer.gross),
            currency=offer.currency,
            buyer_identifier=offer.buyer_identifier,
            buyer_name=offer.buyer_name,
            offline=offer.offline,
            group_ref=offer.group,
            version=offer.version,
            corrects=offer.corrects,
            deadline=offer.deadline,
            urgent_until=offer.urgent_until,
            mode=offer.mode,
            at=self._now(),
        )
        if not rows:
            return None
        await self._database.run("content_add", sha256=offer.sha256, xml=offer.xml)
        for base in offer.bases:
            await self._database.run("base_add", sha256=offer.sha256, number=base.number, ksef_number=base.ksef_number)
        await self._database.tell(f"nip:{offer.nip}")
        return invoice_of(rows[0])

    async def find(self, sha256: bytes) -> HubInvoice | None:
        """Return one, None where it is not here."""
        rows = await self._database.run("invoice", sha256=sha256)
        return invoice_of(rows[0]) if rows else None

    async def get(self, sha256: bytes) -> HubInvoice:
        """Return one; NotFound otherwise."""
        found = await self.find(sha256)
        if found is None:
            raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
        return found

    async def holder(self, nip: str, kind: str, number: str) -> HubInvoice | None:
        """Return what holds this number and was not rejected."""
        rows = await self._database.run("holder", nip=nip, kind=kind, number=number)
        return invoice_of(rows[0]) if rows else None

    async def xml(self, sha256: bytes) -> bytes:
        """Return the bytes of one."""
        rows = await self._database.run("content", sha256=sha256)
        if not rows:
            raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
        return rows[0].blob("xml")

    async def renew(self, sha256: bytes, offer: Offer) -> None:
        """Take over what a till says anew."""
        await self._database.run(
            "invoice_renew",
            sha256=sha256,
            deadline=offer.deadline,
            urgent_until=offer.urgent_until,
            offline=offer.offline,
            mode=offer.mode,
            group_ref=offer.group,
        )
        if offer.urgent_until is not None:
            await self._database.tell(f"nip:{offer.nip}")

    async def hand_on(self, sha256: bytes, till: Till) -> None:
        """Let an invoice be another till's."""
        await self._database.run("invoice_hand_on", sha256=sha256, till_id=till.id)

    async def close(self, sha256: bytes, at: datetime | None = None) -> bool:
        """Note that the case of a refused one was closed; False where there is none such."""
        return bool(await self._database.run("invoice_close", sha256=sha256, at=at or self._now()))

    async def move(self, sha256: bytes, to: HubState, facts: InvoiceFacts | None = None) -> HubInvoice:
        """Move one, with facts."""
        before = await self.get(sha256)
        check_move(before.state, to)
        return await self._moved(before, to, facts or InvoiceFacts())

    async def move_all(self, hashes: Sequence[bytes], old: HubState, to: HubState, facts: InvoiceFacts) -> None:
        """Move many from one state."""
        check_move(old, to)
        columns = _columns(facts)
        each: list[Mapping[str, Value]] = [
            {**columns, "sha256": sha256, "before": old.value, "after": to.value} for sha256 in hashes
        ]
        moved = await self._database.run_many("invoice_move", each)
        if len(moved) != len(hashes):
            raise IllegalTransition(f"hub invoices: {len(hashes) - len(moved)} of {len(hashes)} are not {old}")

    async def note(self, sha256: bytes, facts: InvoiceFacts) -> HubInvoice:
        """Add facts without a move."""
        rows = await self._database.run("invoice_note", sha256=sha256, **_columns(facts))
        if not rows:
            raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
        return invoice_of(rows[0])

    async def note_all(self, hashes: Sequence[bytes], facts: InvoiceFacts) -> None:
        """Add facts to many."""
        columns = _columns(facts)
        await self._database.run_many("invoice_note", [{**columns, "sha256": sha256} for sha256 in hashes])

    async def urgent(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits while a customer waits."""
        return _invoices(await self._database.run("urgent", nip=nip, now=self._now(), limit=limit))

    async def backlog(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits and nobody waits for."""
        return _invoices(await self._database.run("backlog", nip=nip, now=self._now(), limit=limit))

    async def backlog_size(self, nip: str, today: date, limit: int) -> BacklogSize:
        """Count what backlog() would return."""
        (row,) = await self._database.run("backlog_size", nip=nip, now=self._now(), today=today, limit=limit)
        return BacklogSize(row.whole("size"), row.whole("due_today"))

    async def undecided_sessions(self, nip: str) -> list[str]:
        """Return the sessions in which something is SENT, or a DOUBT that is due."""
        rows = await self._database.run("undecided_sessions", nip=nip, now=self._now())
        return [row.text("session") for row in rows]

    async def undecided(self, nip: str, session_ref: str, limit: int) -> list[HubInvoice]:
        """Return what is SENT, or a DOUBT that is due, in a session."""
        rows = await self._database.run("undecided", nip=nip, session_ref=session_ref, now=self._now(), limit=limit)
        return _invoices(rows)

    async def in_state(self, nip: str, state: HubState, limit: int) -> list[HubInvoice]:
        """Return those in one state, oldest first."""
        name = "under_way" if state in UNDER_WAY else "in_state"
        return _invoices(await self._database.run(name, nip=nip, state=state.value, limit=limit))

    async def of_session(self, session_ref: str) -> list[HubInvoice]:
        """Return all that were sent in a session."""
        return _invoices(await self._database.run("of_session", session_ref=session_ref))

    async def of_group(self, till_id: int, group: str) -> list[HubInvoice]:
        """Return all that a till handed over under one name."""
        return _invoices(await self._database.run("of_group", till_id=till_id, group_ref=group))

    async def by_ksef_number(self, nip: str, ksef_number: str) -> HubInvoice | None:
        """Return the invoice that KSeF gave this number."""
        rows = await self._database.run("by_ksef_number", nip=nip, ksef_number=ksef_number)
        return invoice_of(rows[0]) if rows else None

    async def sending_alone(self, nip: str) -> None:
        """Note a single send that begins, for the rate limits."""
        now = self._now()
        await self._database.run("calls_forget", nip=nip, before=now - CALLS_KEPT)
        await self._database.run("call_add", nip=nip, at=now)

    async def sent_since(self, nip: str, instant: datetime) -> list[datetime]:
        """Return when single sends began since then."""
        rows = await self._database.run("calls_since", nip=nip, since=instant)
        return [row.instant("at") for row in rows]

    async def _moved(self, before: HubInvoice, to: HubState, facts: InvoiceFacts) -> HubInvoice:
        rows = await self._database.run(
            "invoice_move", sha256=before.sha256, before=before.state.value, after=to.value, **_columns(facts)
        )
        if not rows:
            raise IllegalTransition(f"hub invoice: no longer {before.state}")
        if to is HubState.WAITING:
            await self._database.tell(f"nip:{before.nip}")
        return invoice_of(rows[0])


def _columns(facts: InvoiceFacts) -> dict[str, Value]:
    return {
        "session_ref": facts.session_ref,
        "invoice_ref": facts.invoice_ref,
        "sent_at": facts.sent_at,
        "ksef_number": facts.ksef_number,
        "accepted_at": facts.accepted_at,
        "refusal": None if facts.refusal is None else dump(cast("Json", to_plain(facts.refusal))),
        "not_before": facts.not_before,
        "trouble": facts.trouble,
        "attempted": int(facts.attempted),
    }


def _invoices(rows: list[Row]) -> list[HubInvoice]:
    return [invoice_of(row) for row in rows]


def invoice_of(row: Row) -> HubInvoice:
    """Return the invoice of a row with all columns."""
    refusal = row.text_or_none("refusal")
    return HubInvoice(
        sha256=row.blob("sha256"),
        till_id=row.whole("till_id"),
        nip=row.text("nip"),
        kind=row.text("kind"),
        number=row.text("number"),
        issued_on=row.day("issued_on"),
        gross=Decimal(row.text("gross")),
        currency=row.text("currency"),
        buyer_identifier=row.text_or_none("buyer_identifier"),
        buyer_name=row.text_or_none("buyer_name"),
        offline=row.flag("offline"),
        group=row.text("group_ref"),
        version=row.whole("version"),
        corrects=row.blob_or_none("corrects"),
        deadline=row.day_or_none("deadline"),
        urgent_until=row.instant_or_none("urgent_until"),
        received_at=row.instant("received_at"),
        state=HubState(row.text("state")),
        attempts=row.whole("attempts"),
        not_before=row.instant_or_none("not_before"),
        session_ref=row.text_or_none("session_ref"),
        invoice_ref=row.text_or_none("invoice_ref"),
        sent_at=row.instant_or_none("sent_at"),
        ksef_number=row.text_or_none("ksef_number"),
        accepted_at=row.instant_or_none("accepted_at"),
        refusal=None if refusal is None else from_plain(Refusal, row.json("refusal")),
        trouble=row.text_or_none("trouble"),
        proven=row.flag("proven"),
        mode=row.text("mode"),
        closed_at=row.instant_or_none("closed_at"),
    )
