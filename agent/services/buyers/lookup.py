"""Who a NIP belongs to: what is remembered, checked against the Ministry's white list where that is set and answers."""

from __future__ import annotations

import contextlib
import logging

from agent.domain.errors import BadInput, FieldError, Unavailable
from agent.domain.identifiers import bare_nip, valid_nip
from agent.domain.json_io.reader import shown
from agent.domain.known_buyers import KnownBuyer, listed
from agent.domain.values import dataclass
from agent.ports import BuyerSource, Clock, Store
from agent.services.buyers import memory

LOG = logging.getLogger("agent.buyers")
KNOWN_WAITS = 1.0
"""Seconds that somebody already known waits for the white list: a press at the till page waits no more than two."""
ASK_AGAIN = 3600.0
"""Seconds until the white list is asked again for somebody known whom it did not confirm."""
MAX_ASKED = 1000
MOST_FOUND = 20
"""Buyers that a list by name shows: whoever sees more of them types on."""
PRESS_WAITS = 2.0
"""Seconds a press waits for a name; the invoice itself has a budget of its own."""


@dataclass(frozen=True, slots=True)
class FoundBuyer:
    """What is known of a NIP."""

    nip: str
    known: KnownBuyer
    replaced: str | None = None
    """The remembered name that the white list contradicts: it is remembered no longer."""


class BuyerLookup:
    """Looks buyers up."""

    def __init__(self, store: Store, clock: Clock, source: BuyerSource | None) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._asked: dict[str, float] = {}
        """Monotonic time of the last question that confirmed nothing."""

    async def buyer(self, nip: str) -> FoundBuyer | None:
        """Return name and address, and where they come from; None where nobody knows."""
        digits = bare_nip(nip)
        if not valid_nip(digits):
            raise BadInput(
                "Nieprawidłowy NIP: suma kontrolna się nie zgadza.",
                code="bad-nip",
                errors=(FieldError("/nip", "Nieprawidłowy NIP.", "nip-checksum"),),
            )
        known = await self._store.read(lambda tx: memory.recall(tx, digits))
        if known is not None and known.confirmed(self._clock.now()):
            return FoundBuyer(digits, known)
        answer = await self._ask(digits, known)
        if answer is not None:
            return await self._take_in(digits, answer)
        if known is None or await self._store.read(lambda tx: memory.is_disputed(tx, digits, known)):
            return None
        return FoundBuyer(digits, known)

    async def matching(self, text: str) -> list[FoundBuyer]:
        """Return those remembered whose name has these words or whose NIP begins so, by name; at most ``MOST_FOUND``.

        Nobody is asked: a list under a field is there at once, and whoever is chosen is looked up by NIP.
        """
        digits = bare_nip(text)
        remembered = await self._store.read(memory.remembered)
        found = [
            FoundBuyer(nip, known)
            for nip, known in remembered.items()
            if (digits.isdecimal() and nip.startswith(digits)) or known.has_words(text)
        ]
        return sorted(found, key=lambda each: (each.known.name.casefold(), each.nip))[:MOST_FOUND]

    async def named(self, nip: str) -> KnownBuyer:
        """Return whose NIP a press says alone, within ``PRESS_WAITS``; BadInput where nobody can tell in time."""
        found = None
        with contextlib.suppress(TimeoutError):
            found = await self._clock.within(PRESS_WAITS, self.buyer(nip))
        if found is None or found.known.address is None:
            text = f"nabywca: nie wiadomo, kto ma NIP {shown(nip)}; podaj nazwę i adres."
            raise BadInput(
                f"Sprzedaż: {text}", code="buyer-unknown", errors=(FieldError("/buyer/nip", text, "buyer-unknown"),)
            )
        return found.known

    async def _ask(self, nip: str, known: KnownBuyer | None) -> KnownBuyer | None:
        """Ask the white list; None where it does not know, does not answer, or was asked already."""
        if self._source is None:
            return None
        begun = self._clock.monotonic()
        if known is not None and begun - self._asked.get(nip, begun - ASK_AGAIN) < ASK_AGAIN:
            return None
        try:
            found = await (
                self._source.find(nip) if known is None else self._clock.within(KNOWN_WAITS, self._source.find(nip))
            )
        except TimeoutError:
            found = None
        if found is None:
            if len(self._asked) >= MAX_ASKED:
                self._asked.clear()
            self._asked[nip] = begun
            return None
        name, address = found
        return listed(name, address, self._clock.now())

    async def _take_in(self, nip: str, answer: KnownBuyer) -> FoundBuyer:
        try:
            known, replaced = await self._store.write(lambda tx: memory.answered(tx, nip, answer))
        except Unavailable:  # a full disk remembers nothing, and the cashier needs the name all the same
            return FoundBuyer(nip, answer)
        if replaced is not None:
            LOG.warning("buyer %s: the white list says %r, not %r", nip, known.name, replaced)
        return FoundBuyer(nip, known, replaced)
