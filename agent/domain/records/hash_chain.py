"""The hash chain of the event log.

    chain(n) = SHA-256( JSON array [chain(n-1), at, kind, invoice id or null, data] )

``data`` is the text of canonical(); the array is encoded as canonical() encodes too, so a field cannot
run over into its neighbour. The chain of the first event stands on GENESIS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from agent.domain.json_io.canonical import Json, canonical
from agent.domain.values import dataclass

GENESIS = "0" * 64


def chain(previous_hex: str, at_iso: str, kind: str, invoice_id: str | None, data_json: str) -> str:
    """Return the chain value of one event: 64 lower-case hexadecimal digits."""
    line = canonical([previous_hex or GENESIS, at_iso, kind, invoice_id, data_json])
    return hashlib.sha256(line.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event as it was hashed; ``at`` is ISO 8601 in UTC."""

    seq: int
    at: str
    kind: str
    invoice_id: str | None
    data: Mapping[str, Json]
    chain: str

    def to_json(self) -> dict[str, Json]:
        """Return the line of the log file."""
        return {
            "seq": self.seq,
            "at": self.at,
            "kind": self.kind,
            "invoice_id": self.invoice_id,
            "data": self.data,
            "chain": self.chain,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Json]) -> LogLine:
        """Read a line of the log file back; KeyError, TypeError, ValueError where it is none."""
        data = line["data"]
        if not isinstance(data, Mapping):
            raise TypeError("data is not an object")
        canonical(data)  # NaN and the like, which Python reads, were never written
        invoice_id = line["invoice_id"]
        return cls(
            seq=int(str(line["seq"])),
            at=str(line["at"]),
            kind=str(line["kind"]),
            invoice_id=None if invoice_id is None else str(invoice_id),
            data=data,
            chain=str(line["chain"]),
        )


def verify_chain(lines: Iterable[LogLine], previous_hex: str = GENESIS) -> list[str]:
    """Return what is wrong with consecutive lines of the log, in Polish; nothing where they are as written.

    ``previous_hex`` is the chain value before the first line. After a break the check goes on from the value
    that the line claims, so each break is told once.
    """
    problems: list[str] = []
    expected_seq: int | None = None
    for line in lines:
        if expected_seq is not None and line.seq != expected_seq:
            problems.append(
                f"Po zdarzeniu {expected_seq - 1} następuje {line.seq}: brakuje zdarzeń lub są przestawione."
            )
        value = chain(previous_hex, line.at, line.kind, line.invoice_id, canonical(line.data))
        if value != line.chain:
            problems.append(f"Zdarzenie {line.seq} ({line.kind}, {line.at}) zmieniono: skrót łańcucha się nie zgadza.")
        previous_hex = line.chain
        expected_seq = line.seq + 1
    return problems
