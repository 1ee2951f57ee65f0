"""What the hub refuses and nobody else asks about: copies for its books, and what it is handed over once more.

An invoice that is to go to KSeF says at its own place why the hub does not take it. These have no such place: they are
told by /health, as `hub`, with the hub's reason, until the hub takes them or nothing of them is left to hand over.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain.json_io.canonical import Json
from agent.hub_route.client import HubRefusal, Offered
from agent.ports import CallOutcome, KsefError

LISTED = 3
"""Invoices that the sentence names; of the others it says how many there are."""
WAIT_FOR = frozenset({"not-found", "token-unknown", "token-missing", "till-name-duplicate"})
"""Refusals of all a till says: a hub of an older version, or one that does not know this till now. They end."""
SIGNED = "Centrala: "
"""How the words of a refusal begin where they stand alone."""


class Refusals:
    """By id of the invoice: its number, and why the hub does not take it."""

    def __init__(self) -> None:
        self.of_books: Mapping[str, str] = {}
        """Copies of what is never sent."""
        self.of_refill: Mapping[str, str] = {}
        """What has its number at KSeF, and lacks its UPO, since the hub that is to fetch it does not know it."""

    def problem(self) -> str | None:
        """Return in a Polish sentence what people should know of."""
        said = [
            _sentence("Centrala nie przyjmuje do swoich ksiąg faktur, których się nie wysyła", self.of_books),
            _sentence("Centrala utraciła dane i nie przyjmuje ponownie faktur, których UPO ma pobrać", self.of_refill),
        ]
        return " ".join(each for each in said if each) or None


def is_refusal(error: KsefError) -> bool:
    """Whether the hub refuses just this invoice: the next one is another matter, and a repeat changes little."""
    return isinstance(error, HubRefusal) and error.outcome is CallOutcome.REFUSED and error.problem_code not in WAIT_FOR


def why(number: str, error: KsefError | Offered) -> str:
    """Return an invoice and the hub's reason, for people."""
    words = error.message if isinstance(error, KsefError) else error.detail
    return f"{number} – {words.removeprefix(SIGNED)}"


def from_json(kept: Json) -> dict[str, str]:
    """Return what was written into the notebook."""
    return {str(name): str(text) for name, text in kept.items()} if isinstance(kept, Mapping) else {}


def _sentence(what: str, refused: Mapping[str, str]) -> str:
    if not refused:
        return ""
    more = f"; i innych: {len(refused) - LISTED}" if len(refused) > LISTED else ""
    named = "; ".join(sorted(refused.values())[:LISTED])
    return f"{what} ({len(refused)}): {named.rstrip('.')}{more}."
