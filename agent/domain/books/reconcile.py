"""The register of a till beside what KSeF itself holds (metadata of POST /invoices/query/metadata).

KSeF lists all invoices of the seller, those of other tills and programs too: what this till does not know is counted,
and named only where a number of its own series is among it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from agent.domain.invoice import Mode
from agent.domain.records.filed import FiledInvoice
from agent.domain.records.register import AsOf, Marker, is_invoice, marker
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class KsefEntry:
    """An invoice as KSeF lists it. ``kind`` without underscore; ``offline``: invoicingMode."""

    ksef_number: str
    number: str
    kind: str
    gross: Decimal
    sha256: bytes
    offline: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One document on which the two disagree."""

    what: str
    """unnumbered-here, not-in-ksef, not-here, number-differs, gross-differs, bytes-differ or mode-differs."""
    number: str
    ksef_number: str | None
    here: str | None
    """What the register says."""
    ksef: str | None
    """What KSeF says."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of days of P_1: in the register, in KSeF, in both."""

    numbered: int
    """In the register with a KSeF number."""
    waiting: int
    """In the register, to be in KSeF, without number."""
    outside: int
    """In the register, never to be in KSeF (BFK)."""
    in_ksef: int
    agreeing: int
    """Same number, total, bytes and mode on both sides."""
    online_here: int
    online_in_ksef: int
    """Of those known here."""
    unknown_here: int
    """In KSeF by other tills and programs of the seller."""
    differences: tuple[Difference, ...]


def compare(
    records: Iterable[FiledInvoice], entries: Iterable[KsefEntry], as_of: AsOf, own: Callable[[str], bool]
) -> Comparison:
    """Compare. ``own(P_2)``: whether a number is of this till's series."""
    held = {entry.ksef_number: entry for entry in entries}
    by_number = {(entry.kind, entry.number): entry for entry in held.values()}
    counts = dict.fromkeys(("numbered", "waiting", "outside", "agreeing", "online_here", "online_in_ksef"), 0)
    found: list[Difference] = []
    known: set[str] = set()
    for record in records:
        if not is_invoice(record, as_of):
            continue
        if record.ksef_number is None:
            counts["outside" if marker(record, as_of) is Marker.BFK else "waiting"] += 1
            entry = by_number.get((record.kind.replace("_", ""), record.number))
            if entry is not None:
                known.add(entry.ksef_number)
                found.append(Difference("unnumbered-here", record.number, entry.ksef_number, record.state.value, None))
            continue
        counts["numbered"] += 1
        counts["online_here"] += record.mode is Mode.ONLINE
        entry = held.get(record.ksef_number)
        if entry is None:
            found.append(Difference("not-in-ksef", record.number, record.ksef_number, None, None))
            continue
        known.add(entry.ksef_number)
        counts["online_in_ksef"] += not entry.offline
        differing = list(_differing(record, entry))
        counts["agreeing"] += not differing
        found += differing
    strangers = [entry for number, entry in held.items() if number not in known]
    found += [
        Difference("not-here", entry.number, entry.ksef_number, None, str(entry.gross))
        for entry in strangers
        if own(entry.number)
    ]
    return Comparison(
        numbered=counts["numbered"],
        waiting=counts["waiting"],
        outside=counts["outside"],
        in_ksef=len(held),
        agreeing=counts["agreeing"],
        online_here=counts["online_here"],
        online_in_ksef=counts["online_in_ksef"],
        unknown_here=sum(not own(entry.number) for entry in strangers),
        differences=tuple(found),
    )


def _differing(record: FiledInvoice, entry: KsefEntry) -> Iterable[Difference]:
    pairs: Mapping[str, tuple[str, str]] = {
        "number-differs": (record.number, entry.number),
        "gross-differs": (f"{record.gross:.2f}", f"{entry.gross:.2f}"),
        "bytes-differ": (record.sha256.hex(), entry.sha256.hex()),
        "mode-differs": (
            "online" if record.mode is Mode.ONLINE else "offline",
            "offline" if entry.offline else "online",
        ),
    }
    for what, (here, ksef) in pairs.items():
        if here != ksef:
            yield Difference(what, record.number, record.ksef_number, here, ksef)
