"""Checks the files of an evidence zip against each other: sums, hash chain, invoices, UPO, links.

Every problem is one Polish sentence. What no file can prove is that the chain's last value is the one the till
held: compare it with a later export or a backup. Memory does not follow the length of the period: files are gone
through by path, each read once where nothing differs, and what is asked for later is noted outside (EvidenceNotes).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from agent.domain.json_io.canonical import Json
from agent.domain.json_io.streaming import read_object
from agent.domain.records.evidence_check_invoice import Covered, confirmed_by, invoice_problems, object_of, parsed
from agent.domain.records.evidence_check_log import CheckedLog
from agent.domain.records.evidence_check_notes import BundleFiles, EvidenceNotes
from agent.domain.records.evidence_files import FACTS, FORMAT, INDEX, LOG, README, SESSION_UPOS, SUMS
from agent.domain.records.hash_chain import LogLine, verify_chain

INVOICES = "faktury/"
HELD = 1024 * 1024
"""Bytes of a file that is kept while its invoice is checked; a larger one is read again."""
DIFFERING = 500
"""Invoices whose events are not those of the log; for as many the log is read once more."""


def verify_bundle(files: BundleFiles, notes: EvidenceNotes) -> list[str]:
    """Return every problem; nothing where all files are as the agent wrote them. ``notes``: empty."""
    index = _index(files, notes)
    if index is None:
        return [f"Brak poprawnego pliku {INDEX}."]
    if index.get("format") != FORMAT:
        return [f"Nieznany format dowodów: {index.get('format')}."]
    log = CheckedLog(partial(files.lines, LOG), notes)
    chain = list(_chain(index, log))
    for path in files.paths():
        if path.startswith(f"{SESSION_UPOS}/"):
            page = files.read(path)
            notes.note_page(path, hashlib.sha256(page).hexdigest(), confirmed_by(page))
    cover = Covered.of(index)
    walk = _Walk(files, log, notes, cover)
    walk.run(listed=isinstance(index.get("files"), Mapping))
    missing = [f"Brak pliku {path}." for path in (README, FACTS) if path not in files and not notes.is_listed(path)]
    if cover is None:
        missing.append(f"{INDEX} nie podaje sprzedawcy albo dni.")
    else:
        missing += (f"Brak faktury {number}, którą zna dziennik." for number in notes.left_out(cover.first, cover.last))
    return [*log.problems, *missing, *walk.sums, *chain, *walk.of_invoices()]


def _index(files: BundleFiles, notes: EvidenceNotes) -> Mapping[str, Json] | None:
    """Read the index, and note which files it lists."""
    if INDEX not in files:
        return None
    try:
        return read_object(files.pieces(INDEX), "files", lambda path, value: notes.note_listed(path, str(value)))
    except (ValueError, RecursionError):
        return None


class _Walk:
    """All files by path: their sums, and each invoice as its files are there."""

    def __init__(self, files: BundleFiles, log: CheckedLog, notes: EvidenceNotes, cover: Covered | None) -> None:
        self._files = files
        self._log = log
        self._notes = notes
        self._cover = cover
        self.sums: list[str] = []
        self._told: list[tuple[str, str]] = []
        """Folder of an invoice and a problem."""
        self._differing: dict[str, str] = {}
        """Folders and invoices whose own events are not those of the log."""

    def run(self, *, listed: bool) -> None:
        """Check them. ``listed``: the index lists files."""
        unlisted: list[str] = []
        group: dict[str, bytes | None] = {}
        for path, sha256, is_there in self._both():
            if group and not _same_group(path, next(iter(group))):
                self._invoices(group)
                group = {}
            if not is_there:
                self.sums.append(f"Brak pliku {path}.")
                continue
            if sha256 is None and path not in {INDEX, SUMS}:
                unlisted.append(f"Pliku {path} nie ma w spisie.")
            if path.startswith(INVOICES):
                content = self._files.read(path)
                group[path] = content if len(content) <= HELD else None
                value = hashlib.sha256(content).hexdigest()
            else:
                value = "" if sha256 is None else (self._notes.page_sha256(path) or self._sha256(path))
            if sha256 not in {None, value}:
                self.sums.append(f"Plik {path} zmieniono: skrót SHA-256 się nie zgadza.")
        self._invoices(group)
        self._compare_differing()
        if not listed:
            self.sums = [f"{INDEX} nie zawiera skrótów plików."]
            return
        self.sums += unlisted
        if SUMS not in self._files or self._sha256(SUMS) != self._expected_sums():
            self.sums.append(f"{SUMS} nie zgadza się z {INDEX}.")

    def of_invoices(self) -> list[str]:
        """Return the problems of invoices, by their folders."""
        return [problem for _, problem in sorted(self._told, key=lambda each: each[0])]

    def _both(self) -> Iterator[tuple[str, str | None, bool]]:
        """Yield path, hash in the index (None: not listed), and whether it is there, of what is listed or there."""
        listed, there = self._notes.listed(), self._files.paths()
        path, entry = next(there, None), next(listed, None)
        while path is not None or entry is not None:
            if entry is None or (path is not None and path < entry[0]):
                assert path is not None
                yield path, None, True
                path = next(there, None)
            elif path is None or entry[0] < path:
                yield *entry, False
                entry = next(listed, None)
            else:
                yield *entry, True
                path, entry = next(there, None), next(listed, None)

    def _sha256(self, path: str) -> str:
        return self._log.sha256 if path == LOG else _of_pieces(self._files.pieces(path))

    def _expected_sums(self) -> str:
        """Return the hash of what SUMS has to be: all that is listed, and the index, by path."""
        index = (INDEX, self._sha256(INDEX))
        before = (each for each in self._notes.listed() if each[0] < INDEX)
        after = (each for each in self._notes.listed() if each[0] > INDEX)
        entries = (each for part in (before, (index,), after) for each in part)
        return _of_pieces(f"{value}  {path}\n".encode("utf-8", "replace") for path, value in entries)

    def _invoices(self, group: Mapping[str, bytes | None]) -> None:
        """Check by its own events where they are the log's to the letter, else later, by what the log says."""
        held = _Held(self._files, group)
        for folder in sorted({path.rsplit("/", 1)[0] for path in group}):
            data = object_of(held, f"{folder}/dane.json")
            if data is None:
                self._told.append((folder, f"{folder}: brak poprawnego pliku dane.json."))
                continue
            own = parsed(held.get(f"{folder}/zdarzenia.json"))
            invoice_id = str(data.get("id"))
            other = self._notes.note_folder(invoice_id, folder)
            if other is not None:
                self._told.append((folder, f"{folder}: ta sama faktura jest też w {other}."))
            if self._cover is not None:
                self._told += [(folder, f"{folder}: {problem}") for problem in self._cover.problems(data)]
            if isinstance(own, list) and self._log.holds(invoice_id, own):
                lines = [LogLine.from_json(each) for each in own]
                self._tell(folder, held, data, lines)
                continue
            self._differing[folder] = invoice_id
        if len(self._differing) >= DIFFERING:
            self._compare_differing()

    def _compare_differing(self) -> None:
        found = self._log.of_invoices(frozenset(self._differing.values()))
        for folder, invoice_id in self._differing.items():
            files = _Held(self._files, {})
            self._tell(folder, files, object_of(files, f"{folder}/dane.json") or {}, found[invoice_id])
        self._differing = {}

    def _tell(self, folder: str, files: Mapping[str, bytes], data: Mapping[str, Json], lines: list[LogLine]) -> None:
        self._told += [(folder, problem) for problem in invoice_problems(files, folder, data, lines, self._notes)]


class _Held(Mapping[str, bytes]):
    """Files of which some are in memory."""

    def __init__(self, files: BundleFiles, held: Mapping[str, bytes | None]) -> None:
        self._files = files
        self._held = held

    def __getitem__(self, path: str) -> bytes:
        held = self._held.get(path)
        return self._files.read(path) if held is None else held

    def __iter__(self) -> Iterator[str]:
        return self._files.paths()

    def __len__(self) -> int:
        return sum(1 for _ in self._files.paths())


def _same_group(path: str, other: str) -> bool:
    """Tell whether two files lie in one folder below INVOICES, however deep."""
    return path.startswith(INVOICES) and path.split("/", 2)[:2] == other.split("/", 2)[:2]


def _of_pieces(pieces: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for each in pieces:
        whole.update(each)
    return whole.hexdigest()


def _chain(index: Mapping[str, Json], log: CheckedLog) -> Iterator[str]:
    ends = index.get("chain")
    if not isinstance(ends, Mapping):
        deque(log.once(), maxlen=0)
        yield f"{INDEX} nie podaje końców łańcucha."
        return
    yield from verify_chain(log.once(), str(ends.get("previous")))
    found = (log.first.seq, log.last.seq, log.last.chain) if log.first and log.last else (None, None, None)
    if found != (ends.get("first_seq"), ends.get("last_seq"), ends.get("head")):
        yield "Dziennik zdarzeń nie sięga od pierwszego do ostatniego zdarzenia podanego w spisie."
