"""Rows compared with what the log told of them last: a row is changed with one statement, a chained log is not.

Each check is one statement, so it sees one moment of a live database, and goes along it a row at a time. What an older
program's log does not tell is not compared, so its databases pass.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from agent.domain.json_io.canonical import Json, canonical
from agent.domain.links import codes_name_document
from agent.store.yielding import let_others_run

PAUSE = 1000
"""Invoices between two moments in which a live agent's loop may have the interpreter."""

_INVOICES = """SELECT invoices.seq, number, mode, reason, deadline, pressed_by, totals ->> 'currency' AS currency,
    state, ksef_number, accepted_at, closed_at, sha256, link_invoice, link_certificate,
    events.kind AS event, events.data
FROM invoices
CROSS JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
CROSS JOIN events ON events.invoice_id = invoices.id
WHERE events.kind IN (
    'issued', 'mode', 'deadline', 'accepted', 'exempt', 'duty_back', 'rejected', 'collision', 'closed',
    'technical_correction'
)
ORDER BY invoices.seq, events.seq"""
"""CROSS: along the invoices, so that nothing is sorted."""
_PRINTS = """SELECT number, copy, said, print_jobs.state FROM (
    SELECT id, invoice_id, copy, state, (
        SELECT substr(kind, 7) FROM events
        WHERE events.invoice_id = print_jobs.invoice_id AND events.data ->> 'job' = print_jobs.id
            AND kind IN ('print_queued', 'print_printed', 'print_failed', 'print_uncertain')
        ORDER BY seq DESC LIMIT 1
    ) AS said FROM print_jobs
) AS print_jobs
JOIN invoices ON invoices.id = print_jobs.invoice_id
WHERE (said IN ('printed', 'uncertain') AND print_jobs.state <> said)
    OR (print_jobs.state IN ('printed', 'uncertain') AND print_jobs.state <> said)
ORDER BY print_jobs.id"""
"""A failed job may be queued again, and one that was queued may fail without a word in the log."""
_KEYS = """SELECT number FROM (
    SELECT number, seq, max(seq) OVER (ORDER BY keys.rowid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM idempotency_keys AS keys
    JOIN invoices ON invoices.id = keys.invoice_id
    WHERE NOT EXISTS (SELECT 1 FROM notebook WHERE name = 'key:' || keys.key)
) WHERE seq <= before"""
"""A key is stored with the invoice that it made, so both come in one order. One that made more is noted beside."""
_FACTS = "SELECT NULL AS id, data AS body FROM events WHERE kind = 'fact' UNION ALL SELECT id, body FROM facts"

_TOLD = ("mode", "reason", "deadline", "pressed_by", "currency")
_WORDS = {
    "mode": "tryb",
    "reason": "przyczyna trybu",
    "deadline": "termin",
    "pressed_by": "osoba wystawiająca",
    "currency": "waluta",
    "ksef_number": "numer KSeF",
    "accepted_at": "chwila przyjęcia przez KSeF",
    "sha256": "skrót pliku",
    "state": "stan",
    "closed": "zakończenie sprawy",
}
_ENDS = ("accepted", "exempt")


def rows_by_log(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what differs from the log, as Polish phrases: invoices, their codes, prints, keys, facts."""
    yield from _invoices(connection)
    for row in connection.execute(_PRINTS):
        yield f"wydruk {row['copy']} faktury {row['number']}: stan różni się od zapisanego w dzienniku"
    for row in connection.execute(_KEYS):
        yield f"klucz Idempotency-Key wskazuje na fakturę {row['number']}, a nie na tę, która pod nim powstała"
    yield from _facts(connection)


def _invoices(connection: sqlite3.Connection) -> Iterator[str]:
    for place, (_, events) in enumerate(groupby(connection.execute(_INVOICES), itemgetter("seq"))):
        if place % PAUSE == 0:
            let_others_run()
        row, told = _last_words(events)
        number = row["number"]
        if told is None:
            continue
        wrong = [_WORDS[name] for name, value in told.items() if not _same(name, _column(row, name), value)]
        if wrong:
            differs = "różni" if len(wrong) == 1 else "różnią"
            yield f"faktura {number}: {', '.join(wrong)} {differs} się od dziennika"
        if not codes_name_document((row["link_invoice"], row["link_certificate"]), row["sha256"]):
            yield f"faktura {number}: adres kodu QR nie jest adresem tego dokumentu"


def _last_words(events: Iterable[sqlite3.Row]) -> tuple[sqlite3.Row, dict[str, Json] | None]:
    """Return the row of an invoice, and what the log told of it last; None where its issue is not in the log."""
    told: dict[str, Json] = {"ksef_number": None}
    end: str | None = None
    refused = closed = issued = False
    for row in events:
        data, kind = json.loads(row["data"]), row["event"]
        match kind:
            case "issued":
                issued = True
                told |= {name: data[name] for name in (*_TOLD, "sha256") if name in data}
            case "mode":
                told |= {"mode": data.get("to"), "reason": data.get("reason")}
            case "deadline":
                told["deadline"] = data.get("to")
            case "technical_correction":
                told["sha256"] = data.get("sha256")
            case "accepted":
                told.pop("ksef_number", None)
                told |= {name: data[name] for name in ("ksef_number", "accepted_at") if name in data}
                end = kind
            case "exempt" | "duty_back":
                end = kind
            case "closed":
                closed = True
            case _:
                refused = True
    if not issued:
        return row, None
    told["closed"] = closed
    state = row["state"]
    if end in _ENDS or state in _ENDS:
        told["state"] = end
    elif state == "rejected" and not refused:
        told["state"] = None
    return row, told


def _column(row: sqlite3.Row, name: str) -> Json:
    if name == "sha256":
        return bytes(row["sha256"]).hex()
    if name == "closed":
        return row["closed_at"] is not None
    value: Json = row[name]
    return value


def _same(name: str, stored: Json, told: Json) -> bool:
    if stored == told or name != "accepted_at":
        return stored == told
    try:
        return datetime.fromisoformat(str(stored)) == datetime.fromisoformat(str(told))
    except (ValueError, TypeError):
        return False


def _facts(connection: sqlite3.Connection) -> Iterator[str]:
    """What announcements and declarations say, word by word: deadlines follow from them."""
    told: set[bytes] = set()
    kept: dict[int, bytes] = {}
    for row in connection.execute(_FACTS):
        if row["id"] is None:
            told.add(_digest(row["body"]))
        else:
            kept[row["id"]] = _digest(row["body"])
    for fact_id in sorted(kept):
        if kept[fact_id] not in told:
            yield f"zdarzenie {fact_id} na osi awarii różni się od zapisanego w dzienniku"
    if lost := told.difference(kept.values()):
        yield f"dziennik zna zdarzenia na osi awarii, których baza danych nie ma ({len(lost)})"


def _digest(text: str) -> bytes:
    return hashlib.sha256(canonical(json.loads(text)).encode()).digest()
