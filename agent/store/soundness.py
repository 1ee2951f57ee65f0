"""Whether a database file can be trusted: by SQLite's own measure, by our schema, by the chain of the log, by hashes.

Two ways to ask. Before a start: what has to be known first (what kind of file, which schema, the end of the log), then
as much of the rest as a few seconds allow. Once a day and on demand: everything. Neither changes a byte, not of the
write-ahead log either: the file is opened for reading, and what cannot be trusted is left as it was found.

Unfit is a database that must not be used. Damaged is a single document in it: that one is not sent and not printed.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path

from agent.domain.errors import StoreLost, StoreUnfit
from agent.domain.records.hash_chain import GENESIS, chain
from agent.domain.values import dataclass
from agent.store import codec, disk
from agent.store.failures import legible
from agent.store.mark import Head
from agent.store.migrate import MIGRATIONS, expected_objects, missing_steps, objects_of
from agent.store.rows_by_log import rows_by_log
from agent.store.yielding import let_others_run

START_SECONDS = 3.0
"""What a start can afford beyond the first look; a shop waits for it."""
TAIL = 300
"""Events at the end of the log whose chain is checked in any case."""
PAGE = 1000
STEPS = 10_000
"""Of SQLite's virtual machine between two looks at the clock."""
TURN_STEPS = 1_000
"""Of it between two looks whether somebody waits: some fifty rows."""
UNREADABLE = (sqlite3.Error, TypeError, ValueError, OverflowError)
"""What reading a damaged file raises: a cell may even come out as another type than its column's."""
TOLD = 20
"""Problems of one kind that are told; more say nothing new."""

_APPLIED = "SELECT version, sha256 FROM schema_version ORDER BY version"
SERIES = """SELECT series, max(last) AS last FROM (
    SELECT series, max(serial) AS last FROM invoices WHERE serial IS NOT NULL GROUP BY series
    UNION ALL SELECT series, max(after) FROM series_resumed GROUP BY series
) GROUP BY series ORDER BY series"""
LAST_EVENT = "SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1"
_EVENTS = "SELECT seq, at, kind, invoice_id, data, chain FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
_HASHES = """SELECT invoices.number, versions.version, xml, sha256
FROM versions JOIN invoices ON invoices.id = versions.invoice_id WHERE xml IS NOT NULL"""
_UNSENT = " AND invoices.state NOT IN ('accepted', 'exempt') AND invoices.closed_at IS NULL"
_PAGES = "SELECT session, page, xml, sha256 FROM session_upos"
_PAPERS = """SELECT invoices.number, print_jobs.copy, print_jobs.data, events.data ->> 'bytes_sha256' AS sha256
FROM events
JOIN print_jobs ON print_jobs.id = events.data ->> 'job'
JOIN invoices ON invoices.id = print_jobs.invoice_id
WHERE events.kind IN ('print_printed', 'print_uncertain') AND print_jobs.state IN ('printed', 'uncertain')
    AND print_jobs.data IS NOT NULL AND events.data ->> 'bytes_sha256' IS NOT NULL"""
_ROWS = """SELECT invoices.number FROM events
JOIN invoices ON invoices.id = events.invoice_id
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = 1
WHERE events.kind = 'issued' AND (
    invoices.number <> coalesce(events.data ->> 'number', invoices.number)
    OR invoices.kind <> coalesce(events.data ->> 'kind', invoices.kind)
    OR invoices.issued_on <> coalesce(events.data ->> 'issued_on', invoices.issued_on)
    OR invoices.totals ->> 'gross' <> coalesce(events.data ->> 'gross', invoices.totals ->> 'gross')
    OR lower(hex(versions.sha256)) <> coalesce(events.data ->> 'sha256', lower(hex(versions.sha256)))
)"""
_ERASED = """SELECT invoices.number FROM erasures JOIN invoices ON invoices.id = erasures.invoice_id
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.kind = 'erased' AND events.invoice_id = erasures.invoice_id)
UNION SELECT invoices.number FROM events JOIN invoices ON invoices.id = events.invoice_id
WHERE events.kind = 'erased' AND NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.invoice_id = events.invoice_id)
UNION SELECT invoices.number FROM versions JOIN invoices ON invoices.id = versions.invoice_id
WHERE versions.xml IS NULL
    AND NOT EXISTS (SELECT 1 FROM exports WHERE exports.invoice_id = versions.invoice_id)
    AND NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.invoice_id = versions.invoice_id)"""
_BOOKS = """SELECT invoices.number, books.*, kept.sha256 FROM (
    SELECT named.key AS invoice_id, named.value AS sha256, max(events.seq)
    FROM events, json_each(events.data, '$.sha256') AS named
    WHERE events.kind = 'books_read' GROUP BY named.key
) AS kept
JOIN invoices ON invoices.id = kept.invoice_id
LEFT JOIN books ON books.invoice_id = kept.invoice_id"""
_UPOS = """SELECT invoices.number, upos.xml, events.data ->> 'upo_sha256' AS sha256
FROM events
JOIN invoices ON invoices.id = events.invoice_id
JOIN upos ON upos.invoice_id = events.invoice_id
WHERE events.kind = 'upo' AND events.data ->> 'upo_sha256' IS NOT NULL AND upos.xml IS NOT NULL"""
_KEPT = (
    "invoices",
    "versions",
    "upos",
    "idempotency_keys",
    "print_jobs",
    "facts",
    "exports",
    "series_resumed",
    "held_corrections",
    "correction_bases",
    "held_bases",
    "session_upos",
    "erasures",
)
"""Tables of which nothing is ever deleted: their rows are numbered without a gap."""
_LOST = """SELECT 'wydruk ' || (events.data ->> 'job') || ' faktury ' || invoices.number AS what
FROM events JOIN invoices ON invoices.id = events.invoice_id
WHERE events.kind = 'print_queued' AND NOT EXISTS (SELECT 1 FROM print_jobs WHERE id = events.data ->> 'job')
UNION ALL SELECT 'UPO faktury ' || invoices.number
FROM events JOIN invoices ON invoices.id = events.invoice_id
WHERE events.kind = 'upo' AND events.data ->> 'page_sha256' IS NULL
    AND NOT EXISTS (SELECT 1 FROM upos WHERE upos.invoice_id = events.invoice_id)
UNION ALL SELECT 'powiązanie korekty z fakturą ' || invoices.number
FROM events JOIN invoices ON invoices.id = events.invoice_id
WHERE events.kind = 'corrected' AND NOT EXISTS (
    SELECT 1 FROM correction_bases WHERE correction_id = events.data ->> 'by' AND base_id = events.invoice_id
)"""
_READ: Mapping[str, Callable[[sqlite3.Row], object]] = {
    """SELECT number, invoices.*, NULL AS xml, x'' AS sha256, '' AS link_invoice, NULL AS link_certificate,
    0 AS copies, '[]' AS bases, 0 AS has_upo FROM invoices ORDER BY seq DESC""": codec.read_invoice,
    """SELECT id, invoice_id, copy, document, label, state, created_at, printer, problem, NULL AS data
    FROM print_jobs ORDER BY id DESC""": codec.read_job,
    "SELECT * FROM facts ORDER BY id DESC": codec.read_fact,
    "SELECT name, value FROM notebook": codec.read_note,
}
"""How each kind of row is read, without the large columns."""


@dataclass(slots=True)
class Report:
    """What was found, as Polish phrases without a full stop."""

    unfit: list[str] = field(default_factory=list)
    """The database must not be used."""
    damaged: list[str] = field(default_factory=list)
    """Single documents that must not be used."""
    refusal: StoreUnfit | None = None
    """The database is not of this program, or of another version of it."""
    complete: bool = True
    """Everything was looked at."""

    def sentence(self) -> str | None:
        """Return all of it in one sentence, None where nothing is wrong."""
        if self.refusal is not None:
            return self.refusal.detail
        found = [*self.unfit, *self.damaged]
        return f"Baza danych jest uszkodzona: {'; '.join(found[:5])}." if found else None


@dataclass(frozen=True, slots=True)
class Held:
    """What a sound database holds: the last number of each series, and the newest event."""

    series: dict[str, int]
    head: Head | None


class Turns:
    """A look at everything beside a live agent: it stands back for whoever waits, and ends when it is told to.

    Both while it goes along rows; the one step that looks at the file's structure can only be ended.
    """

    def __init__(self, stand_back: Callable[[], None] | None) -> None:
        """``stand_back``: called in the thread of the look again and again; blocks while others have the turn."""
        self._stand_back = stand_back
        self._connection: sqlite3.Connection | None = None
        self._changing = threading.Lock()
        self.ended = False

    @contextmanager
    def of(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Take turns in whatever the connection does; ended: sqlite3.OperationalError, SQLITE_INTERRUPT."""
        with self._changing:
            if self.ended:
                raise _interrupted()
            self._connection = connection
        connection.set_progress_handler(self._look, TURN_STEPS)
        try:
            yield
        finally:
            with self._changing:
                self._connection = None
            connection.set_progress_handler(None, TURN_STEPS)

    def end(self) -> None:
        """Let the look end where it is, from any thread."""
        with self._changing:
            self.ended = True
            if self._connection is not None:
                self._connection.interrupt()

    def _look(self) -> int:
        if self._stand_back is not None:
            self._stand_back()
        return int(self.ended)


def check(path: Path, seconds: float | None = None, turns: Turns | None = None) -> Report:
    """Look at a database file, of a live agent too: everything, or as much as ``seconds`` or ``turns`` allow.

    StoreUnfit, NotFound where there is none to look at (agent.store.disk).
    """
    report = Report()
    disk.require(path)
    try:
        with legible(), closing(open_readonly(path)) as connection:
            report.unfit += _first_look(connection)
            if not report.unfit:
                report.complete = _in_time(connection, seconds, turns, report)
    except StoreUnfit as error:
        report.refusal = error
        report.unfit.append(error.detail.rstrip("."))
    except UNREADABLE as error:
        report.unfit.append(f"bazy {path} nie da się odczytać: {error}")
    return report


def require_fit(path: Path, seconds: float | None = START_SECONDS) -> Report:
    """Check a database before it is used; StoreUnfit where it must not be. The report names damaged documents."""
    report = check(path, seconds)
    if report.refusal is not None:
        raise report.refusal
    if report.unfit:
        raise unfit(path, report.unfit)
    return report


def unfit(path: Path, problems: list[str]) -> StoreUnfit:
    """Make the refusal of a database in which nothing was changed yet."""
    return StoreUnfit(
        f"Baza danych {path} jest uszkodzona: {'; '.join(problems[:5])}. Niczego w niej nie zmieniono. "
        "Zachowaj ją i przywróć najnowszą kopię: ksef-agent restore KOPIA."
    )


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open for reading; sqlite3.Error where that fails.

    A transaction that a power cut left half written in rollback-journal mode is undone first, as SQLite does itself.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise sqlite3.DatabaseError("no file, or an empty one")  # SQLite would delete the write-ahead log beside it
    connection = _connect(path, "ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        with closing(_connect(path, "rw")) as writer:
            writer.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        connection = _connect(path, "ro")
    except BaseException:  # also an error whose text is a damaged name, which is no UTF-8
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        for pragma in ("trusted_schema=0", "busy_timeout=5000", "cell_size_check=1", "mmap_size=0"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def held(connection: sqlite3.Connection) -> Held:
    """Return the numbers and the newest event of an open database that has our tables."""
    row = connection.execute(LAST_EVENT).fetchone()
    series = {entry["series"]: int(entry["last"]) for entry in connection.execute(SERIES)}
    return Held(series, None if row is None else (row["seq"], row["chain"]))


# --- what has to be known first ----------------------------------------------------------------------------


def _first_look(connection: sqlite3.Connection) -> list[str]:
    """Whether it is ours, of a version we know, with the schema of that version, and how its log ends."""
    found = objects_of(connection)
    for pragma in ("application_id", "user_version"):
        if connection.execute(f"PRAGMA {pragma}").fetchone()[0] != 0:
            return [f"to baza innego programu ({pragma})"]
    if found and not found.keys() & expected_objects(len(MIGRATIONS)).keys():
        return ["to baza innego programu"]
    version = _version(connection, found)
    problems = _schema(found, version)
    if not problems and version > 0:
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        problems = list(_chain(connection, max(0, last - TAIL)))
    return problems


def _version(connection: sqlite3.Connection, found: Mapping[tuple[str, str], str]) -> int:
    """Return how many of our steps made it; all of them where the list of steps is lost, 0 for an empty database."""
    if ("table", "schema_version") not in found:
        return len(MIGRATIONS) if found else 0
    applied = {int(row["version"]): str(row["sha256"]) for row in connection.execute(_APPLIED)}
    return len(MIGRATIONS) - len(missing_steps(applied))


def _schema(found: Mapping[tuple[str, str], str], version: int) -> list[str]:
    expected = expected_objects(version) if found else {}
    words = {"table": "tabela", "index": "indeks", "trigger": "wyzwalacz", "view": "widok"}
    problems = []
    for kind, name in sorted({*found, *expected}):
        what = f"{words.get(kind, kind)} {name}"
        if (kind, name) not in found:
            problems.append(f"brakuje: {what}")
        elif (kind, name) not in expected:
            problems.append(f"nie z tego programu: {what}")
        elif found[kind, name] != expected[kind, name]:
            problems.append(f"zmieniono: {what}")
    return problems[:TOLD]


# --- as much as there is time for ----------------------------------------------------------------------------


def _in_time(connection: sqlite3.Connection, seconds: float | None, turns: Turns | None, report: Report) -> bool:
    """Run all checks, the telling ones first; return whether there was time for all of them."""
    current = _version(connection, objects_of(connection)) == len(MIGRATIONS)
    try:
        with _limited(connection, seconds) if turns is None else turns.of(connection):
            if current:
                report.damaged += _hashes(connection, _HASHES + _UNSENT)
            for look in (
                (_structure, _references, _chain, _rows, _kept, _legible) if current else (_structure, _references)
            ):
                report.unfit += look(connection)
                if report.unfit:
                    return True
            if current:
                report.damaged = [
                    *_hashes(connection, _HASHES),
                    *_pages(connection),
                    *_papers(connection),
                    *_upos(connection),
                    *_books(connection),
                    *rows_by_log(connection),
                ]
    except sqlite3.OperationalError as error:
        may_end = seconds is not None or (turns is not None and turns.ended)
        if not may_end or getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    return True


@contextmanager
def _limited(connection: sqlite3.Connection, seconds: float | None) -> Iterator[None]:
    """Interrupt whatever the connection does after so many seconds."""
    if seconds is None:
        yield
        return
    if seconds <= 0:
        raise _interrupted()
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: int(time.monotonic() >= end), STEPS)
    timer = threading.Timer(seconds, connection.interrupt)  # one PRAGMA integrity_check is a single step
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        connection.set_progress_handler(None, STEPS)


def _interrupted() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("interrupted")
    error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
    return error


def _structure(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute(f"PRAGMA integrity_check({TOLD})"):
        if row[0] != "ok":
            yield str(row[0])


def _references(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute("PRAGMA foreign_key_check").fetchmany(TOLD):
        yield f"{row[0]}: wiersz {row[1]} wskazuje na nieistniejący wiersz tabeli {row[2]}"


def _rows(connection: sqlite3.Connection) -> Iterator[str]:
    """The facts of an invoice stand in its row and in the log; the log is chained."""
    for row in connection.execute(_ROWS).fetchmany(TOLD):
        yield f"faktura {row['number']}: jej dane różnią się od zapisanych w dzienniku przy wystawieniu"
    for row in connection.execute(_ERASED).fetchmany(TOLD):
        yield f"faktura {row['number']}: jej treści nie ma, a dziennik nie mówi, że ją usunięto, albo na odwrót"


def _kept(connection: sqlite3.Connection) -> Iterator[str]:
    """What is never deleted is still there: by its numbers, and at the end of a table by the log."""
    for table in _KEPT:
        counted = f"SELECT count(*), coalesce(max(rowid), 0) FROM {table}"  # noqa: S608 - names of our own
        count, last = connection.execute(counted).fetchone()
        if count != last:
            yield f"w tabeli {table} brakuje wierszy: jest {count} z {last}"
    for row in connection.execute(_LOST).fetchmany(TOLD):
        yield f"dziennik zna {row['what']}, a baza danych nie"


def _legible(connection: sqlite3.Connection) -> Iterator[str]:
    """Every row says something: text that no program of ours wrote is damage, too, newest first."""
    for sql, read in _READ.items():
        for row in connection.execute(sql):
            try:
                read(row)
            except StoreLost:
                yield f"wiersz {row[0]} tabeli {sql.rpartition('FROM ')[2].split()[0]} jest nieczytelny"


def _chain(connection: sqlite3.Connection, after: int = 0) -> Iterator[str]:
    """Go along the log from the event after ``after``."""
    row = connection.execute("SELECT chain FROM events WHERE seq = ?", (after,)).fetchone()
    previous, expected = (GENESIS if row is None else str(row["chain"])), after + 1
    while page := connection.execute(_EVENTS, (after, PAGE)).fetchall():
        for event in page:
            if event["seq"] != expected:
                yield f"w dzienniku brakuje zdarzenia {expected}"
                return
            if chain(previous, event["at"], event["kind"], event["invoice_id"], event["data"]) != event["chain"]:
                yield f"zdarzenie {event['seq']} dziennika zmieniono: skrót łańcucha się nie zgadza"
                return
            previous, after, expected = str(event["chain"]), event["seq"], event["seq"] + 1
        if len(page) == PAGE:
            let_others_run()


def _hashes(connection: sqlite3.Connection, sql: str) -> Iterator[str]:
    for row in connection.execute(sql):
        if hashlib.sha256(row["xml"]).digest() != row["sha256"]:
            yield f"faktura {row['number']}, wersja {row['version']}: treść nie zgadza się ze skrótem SHA-256"


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    for row in connection.execute(_PAGES):
        if hashlib.sha256(row["xml"]).digest() != row["sha256"]:
            yield f"UPO sesji {row['session']}, strona {row['page']}: treść nie zgadza się ze skrótem SHA-256"


def _papers(connection: sqlite3.Connection) -> Iterator[str]:
    """What was printed is evidence: the log has its hash."""
    for row in connection.execute(_PAPERS):
        if hashlib.sha256(row["data"]).hexdigest() != row["sha256"]:
            yield f"wydruk {row['copy']} faktury {row['number']}: treść nie zgadza się ze skrótem SHA-256 w dzienniku"


def _upos(connection: sqlite3.Connection) -> Iterator[str]:
    """KSeF's confirmation is evidence: the log has its hash."""
    for row in connection.execute(_UPOS):
        if hashlib.sha256(row["xml"]).hexdigest() != row["sha256"]:
            yield f"UPO faktury {row['number']}: treść nie zgadza się ze skrótem SHA-256 w dzienniku"


def _books(connection: sqlite3.Connection) -> Iterator[str]:
    """What the books keep is derived, but a month is filed by it: the log has its hash."""
    for row in connection.execute(_BOOKS):
        if row["entry"] is None:
            yield f"księgi nie mają już tego, co odczytały z faktury {row['number']}"
        elif codec.book_sha256(row) != row["sha256"]:
            yield f"faktura {row['number']}: dane w księgach nie zgadzają się ze skrótem SHA-256 w dzienniku"
