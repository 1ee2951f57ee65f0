"""The document that KSeF holds under a number of ours: is it ours (440)?"""

from __future__ import annotations

from agent.domain.invoice import InvoiceRecord
from agent.ports import Accepted, CallOutcome, Clock, Duplicate, KsefError, KsefGateway, Verdict

LIST_SECONDS = 60.0
"""How long a session's list serves for comparing originals."""
DUPLICATE = 440
NEVER_SHOWN = frozenset({403, 404, 410, DUPLICATE, 21164})
"""Refusals that waiting does not change: no right to read invoices, no such document (any more: 410), none named."""


class Originals:
    """Reads hashes of originals, from lists of sessions where those tell."""

    def __init__(self, gateway: KsefGateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._lists: dict[str, tuple[float, dict[bytes, tuple[str, Verdict]]]] = {}

    def forget(self) -> None:
        """Ask KSeF anew what a session holds."""
        self._lists.clear()

    async def in_session(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return what KSeF has of a session, by hash."""
        now = self._clock.monotonic()
        kept = self._lists.get(session)
        if kept is None or now - kept[0] > LIST_SECONDS:
            self._lists = {name: entry for name, entry in self._lists.items() if now - entry[0] <= LIST_SECONDS}
            kept = self._lists[session] = (now, await self._gateway.find_all(session))
        return kept[1]

    async def sha256(self, record: InvoiceRecord, verdict: Duplicate) -> bytes:
        """SHA-256 of the original: out of its session's list where that tells (one call serves many), else fetched.

        Fetching is limited to 64 an hour (docs/protocol.md, section 2), a resent batch may bring thousands of 440.
        KsefError where it cannot be had now, or KSeF does not say which document it is.
        """
        number, session = verdict.original_ksef_number, verdict.original_session
        if number is None:
            text = "KSeF zna już fakturę o tym numerze (440), ale nie podał jej numeru KSeF."
            raise KsefError(text, outcome=CallOutcome.REFUSED, code=DUPLICATE, body=verdict.description)
        if session is not None:
            for digest, (_, listed) in (await self._of_original(session)).items():
                if isinstance(listed, Accepted) and listed.ksef_number == number:
                    return digest
        return await self._gateway.invoice_sha256(number)

    async def _of_original(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return the list of the original's session, nothing where KSeF refuses it: the document may be had alone."""
        try:
            return await self.in_session(session)
        except KsefError as error:
            if error.refused_alone:
                return {}
            raise


def is_final(error: KsefError) -> bool:
    """Whether KSeF will not show the original later either."""
    return error.outcome is CallOutcome.REFUSED and error.code in NEVER_SHOWN
