"""What became of the documents of a file, and what is remembered of it while anything in it waits for KSeF.

In the notebook, by place and stem of its answer; a second entry by invoice leads there. A file of which nothing waits
any more leaves no entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from agent.domain.errors import FieldError, Refused
from agent.domain.json_io.canonical import Json
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.values import dataclass
from agent.ports import Place, Transaction
from agent.services.exchange import names
from agent.services.issuing.idempotency import IssueOutcome

FILE = "drop-folder:file:"
INVOICE = "drop-folder:invoice:"
HELD = "drop-folder:held"
"""Waiting corrections: id -> entry of their file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document was refused: the API's code, sentence and places."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()

    @classmethod
    def of(cls, error: Refused) -> Problem:
        """Take over what the API would have answered."""
        return cls(error.code, error.detail, error.errors)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One document: made (invoices, or a held correction), refused (``problem``) or none of ours (``skipped``).

    Invoices stand here by id, never their state: that is read when the answer is written.

    name      what its program calls it ("FS 12/2026"); empty for a file that is one document
    position  place in the file, from 0
    note      a Polish sentence for whoever reads the answer
    """

    position: int = 0
    name: str = ""
    invoices: tuple[str, ...] = ()
    held: str | None = None
    replayed: bool = False
    """Made before: by the same file, or by another one that holds the same document."""
    problem: Problem | None = None
    skipped: bool = False
    note: str | None = None

    def made(self, pressed: IssueOutcome, note: str | None = None) -> Outcome:
        """Return the outcome of a press."""
        return replace(self, invoices=pressed.told, held=pressed.held_id, replayed=pressed.replayed, note=note)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file and its documents. ``stem`` names its answers; a later file of the same name pushes them aside."""

    name: str
    stem: str
    sha256: str
    at: str
    place: Place
    duplicate: bool
    documents: tuple[Outcome, ...]

    @property
    def entry(self) -> str:
        """Its name in the notebook."""
        return FILE + names.text_of(f"{self.place.value}/{self.stem}")

    @property
    def refused(self) -> bool:
        """Whether any document was refused: then the file lies among the refused."""
        return any(document.problem is not None for document in self.documents)


def dropped(name: str, sha256: str, at: str, documents: Sequence[Outcome], *, duplicate: bool) -> Dropped:
    """Return the record of a file."""
    record = Dropped(name, names.stem_of(name), sha256, at, Place.DONE, duplicate, tuple(documents))
    return replace(record, place=Place.REFUSED) if record.refused else record


async def remember(tx: Transaction, record: Dropped, waiting: Sequence[str]) -> None:
    """Keep the record; ``waiting``: ids of its invoices that have no KSeF number yet."""
    plain = cast("dict[str, Json]", to_plain(record))
    names_as_text = {"name": names.text_of(record.name), "stem": names.text_of(record.stem)}
    await tx.key_values.put(record.entry, {**plain, **names_as_text})
    for invoice_id in waiting:
        entries = await entries_of(tx, invoice_id)
        if record.entry not in entries:
            await tx.key_values.put(INVOICE + invoice_id, [*entries, record.entry])
    held = [document.held for document in record.documents if document.held is not None]
    if held:
        await tx.key_values.put(HELD, {**await held_entries(tx), **dict.fromkeys(held, record.entry)})


async def forget(tx: Transaction, record: Dropped) -> None:
    """Nothing in the file waits any more."""
    await tx.key_values.put(record.entry, None)
    for document in record.documents:
        for invoice_id in document.invoices:
            left = [entry for entry in await entries_of(tx, invoice_id) if entry != record.entry]
            await tx.key_values.put(INVOICE + invoice_id, left or None)
    held = {held: entry for held, entry in (await held_entries(tx)).items() if entry != record.entry}
    await tx.key_values.put(HELD, held or None)


async def put_aside(tx: Transaction, record: Dropped, stem: str) -> Dropped:
    """Give the record another stem, and lead its invoices there."""
    moved = replace(record, stem=stem)
    waiting = [each for document in record.documents for each in document.invoices if await entries_of(tx, each)]
    await forget(tx, record)
    await remember(tx, moved, waiting)
    return moved


async def recall(tx: Transaction, entry: str) -> Dropped | None:
    """Return the record of an entry; None where nothing waits."""
    kept = await tx.key_values.get(entry)
    if not isinstance(kept, Mapping):
        return None
    record = from_plain(Dropped, dict(kept))
    return replace(record, name=names.name_of(record.name), stem=names.name_of(record.stem))


async def entries_of(tx: Transaction, invoice_id: str) -> list[str]:
    """Return the entries of files that made an invoice."""
    kept = await tx.key_values.get(INVOICE + invoice_id)
    return [str(each) for each in kept] if isinstance(kept, list) else []


async def held_entries(tx: Transaction) -> dict[str, str]:
    """Return waiting corrections and the entries of their files."""
    kept = await tx.key_values.get(HELD)
    return {str(held): str(entry) for held, entry in kept.items()} if isinstance(kept, Mapping) else {}
