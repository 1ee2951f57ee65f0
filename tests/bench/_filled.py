"""Fills the database of a stopped agent with copies of one of its own invoices: real rows of every table, in bulk.

Only number, identifiers and what follows from them differ: bytes and hash of the document, its codes, paper and UPO,
the chain of the log. The daily check has nothing to say of them; signatures (KOD II, UPO) stay the template's.
The triggers are away meanwhile, so a fill takes seconds where the agent would take an hour.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.domain import ksef_number
from agent.domain.records.hash_chain import chain
from agent.store.migrate import MIGRATIONS
from tests.fakes.tampering import without_triggers

AT_ONCE = 500
OF_INVOICE = ("versions", "idempotency_keys", "print_jobs", "upos", "books")
"""Tables with rows of one invoice, beside invoices and events."""
KEPT_BYTES = {"upos": "xml", "print_jobs": "data"}
"""What names the invoice as well, and whose hash is in the log."""

Row = dict[str, Any]


def fill(database: Path, template: str, count: int) -> None:
    """Add ``count`` copies of the invoice ``template``; the agent is stopped, and starts as after any other work."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=off")
        connection.execute("BEGIN")
        with without_triggers(connection):
            _copy(connection, template, count)
            for table in ("queue_counts", "upos_wanted"):
                connection.execute(f"DELETE FROM {table}")
                (again,) = [
                    each for step in MIGRATIONS for each in step.statements if each.startswith(f"INSERT INTO {table}")
                ]
                connection.execute(again)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(connection: sqlite3.Connection, template: str, count: int) -> None:
    def rows(table: str, column: str = "invoice_id") -> list[Row]:
        found = connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (template,))
        return [dict(row) for row in found]

    (invoice,) = rows("invoices", "id")
    invoice.pop("urgency")
    parts = {table: rows(table) for table in OF_INVOICE}
    events = sorted(rows("events"), key=lambda each: int(each["seq"]))
    sha256 = parts["versions"][-1]["sha256"].hex()
    last = connection.execute("SELECT max(seq) AS seq, max(serial) AS serial FROM invoices").fetchone()
    job = connection.execute("SELECT coalesce(max(id), 0) FROM print_jobs").fetchone()[0]
    seq, head = connection.execute("SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    waiting: dict[str, list[Row]] = {table: [] for table in ("invoices", *OF_INVOICE, "events")}
    for number in range(1, count + 1):
        serial = last["serial"] + number
        new_id = f"{invoice['id'][:-12]}{last['seq'] + number:012x}"
        called = invoice["number"].replace(f"{invoice['serial']:06}", f"{serial:06}")
        changed = {invoice["id"]: new_id, invoice["number"]: called}
        xml = _replaced(parts["versions"][-1]["xml"].decode(), changed).encode()
        digest = hashlib.sha256(xml)
        changed[sha256] = digest.hexdigest()
        changed[_in_link(bytes.fromhex(sha256))] = _in_link(digest.digest())
        changed[_in_upo(bytes.fromhex(sha256))] = _in_upo(digest.digest())
        own: Row = {**invoice, "seq": last["seq"] + number, "id": new_id, "serial": serial, "number": called}
        if own["ksef_number"]:
            own["ksef_number"] = _ksef_number(own["ksef_number"], number)
            changed[invoice["ksef_number"]] = own["ksef_number"]
        own["search"] = own["search"].replace(invoice["number"].casefold(), called.casefold())
        waiting["invoices"].append(own)
        for table, originals in parts.items():
            for original in originals:
                row: Row = {**original, "invoice_id": new_id}
                if (blob := row.get(KEPT_BYTES.get(table, ""))) is not None:
                    row[KEPT_BYTES[table]] = copied = _replaced(blob.decode("latin-1"), changed).encode("latin-1")
                    changed[hashlib.sha256(blob).hexdigest()] = hashlib.sha256(copied).hexdigest()
                if table == "versions":
                    row |= {"xml": xml, "sha256": digest.digest()}
                    for link in ("link_invoice", "link_certificate"):
                        row[link] = row[link] and _replaced(row[link], changed)
                elif table == "idempotency_keys":
                    row["key"] = f"{original['key']}-{last['seq'] + number}"
                elif table == "print_jobs":
                    job += 1
                    changed[f'"job":{original["id"]}'] = f'"job":{job}'
                    row |= {"id": job, "label": _replaced(row["label"], changed)}
                waiting[table].append(row)
        for event in events:
            seq += 1
            data = _replaced(event["data"], changed)
            head = chain(head, event["at"], event["kind"], new_id, data)
            waiting["events"].append({**event, "seq": seq, "invoice_id": new_id, "data": data, "chain": head})
        if number % AT_ONCE == 0 or number == count:
            for table, added in waiting.items():
                _insert(connection, table, added)
                added.clear()


def _insert(connection: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    if rows:
        names = ", ".join(rows[0])
        places = ", ".join(f":{name}" for name in rows[0])
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)


def _replaced(text: str, changed: dict[str, str]) -> str:
    for old, new in changed.items():
        text = text.replace(old, new)
    return text


def _ksef_number(template: str, number: int) -> str:
    """Return another number of the same seller and day, valid by its own sum."""
    nip, day, technical, _ = template.split("-")
    body = f"{nip}-{day}-{(int(technical, 16) + number) % (1 << 48):012X}"
    return f"{body}-{ksef_number.checksum(body)}"


def _in_link(sha256: bytes) -> str:
    return base64.urlsafe_b64encode(sha256).decode().rstrip("=")


def _in_upo(sha256: bytes) -> str:
    return base64.b64encode(sha256).decode()
