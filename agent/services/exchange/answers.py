"""The answers in the drop folder: a JSON for each file, beside it what the settings ask for, and last the file itself.

    done/NAME.result.json      what became of each document; written anew when KSeF gives a number
    done/NAME.result.xml, .pdf, .epp
    done/NAME.json             the file
    refused/…                  the same of a file of which anything was refused, with NAME.result.txt for people;
                               once the very same file is issued, done/NAME~…~refused…

A file stays among those taken until its answer is durable, so a crash in between repeats everything, and the keys of
its documents see to it that nothing is made twice. The answer is plain ASCII (\\u escapes), since the programs that
read it differ in the code page they believe in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from agent.domain.errors import AgentError
from agent.domain.exchange.answer import with_ksef_numbers
from agent.domain.exchange.file import read_file
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import InvoiceState
from agent.ports import DropFolder, FileHeld, Place, ReceiptRenderer, Store, Transaction
from agent.services.corrections.pending import PendingCorrections
from agent.services.exchange import names
from agent.services.exchange.made import Made, made_of
from agent.services.exchange.outcome import Dropped, forget, put_aside, recall, remember
from agent.services.paper.papers import InvoicePapers
from agent.services.queries.invoice_answer import InvoiceAnswer

LOG = logging.getLogger("agent.drop-folder")
TEXT, XML, PDF, EPP, JSON = "txt", "xml", "pdf", "epp", "json"
View = Callable[[Sequence[Made]], Mapping[str, Json]]
"""How the API writes documents; the service takes it from the web."""


class Answers:
    """Writes them."""

    def __init__(
        self,
        folder: DropFolder,
        *,
        store: Store,
        pending: PendingCorrections,
        papers: InvoicePapers,
        renderer: ReceiptRenderer,
        view: View,
        results: Iterable[str],
    ) -> None:
        """``results``: which kinds lie beside the JSON (settings)."""
        self._store = store
        self._renderer = renderer
        self._folder = folder
        self._pending = pending
        self._papers = papers
        self._view = view
        self._kinds = frozenset(results)

    async def file(self, record: Dropped, data: bytes | None) -> bool:
        """Write the answer of a file that was taken, and move the file beside it. May be repeated.

        data  its content; None where it was too large to be read
        Return whether there are more or fewer refused files than before.
        """
        await self._make_room(record)
        made = [await made_of(self._store, self._pending, each) for each in record.documents]
        if any(document.waits for document in made):
            await self._remember(record, made)
        await self._write(record, made, data, None)
        await self._folder.move(Place.TAKEN, record.name, record.place, record.name)
        if record.place is Place.REFUSED:
            return True
        with contextlib.suppress(FileHeld):  # a person reads it; it is out of date, no more
            return await self._overcome(record)
        return False

    async def renew(self, entry: str, changed: frozenset[str]) -> None:
        """Write the answer of a file anew, since KSeF said something about the invoices ``changed``."""
        record = await self._store.read(lambda tx: recall(tx, entry))
        if record is None:
            return
        made = [await made_of(self._store, self._pending, each) for each in record.documents]
        record = replace(record, documents=tuple(document.outcome for document in made))
        pushed_aside = record.stem != names.stem_of(record.name)
        name = names.aside(record.name, record.sha256) if pushed_aside else record.name
        data = await self._folder.load(record.place, name) if EPP in self._kinds else None
        await self._write(record, made, data, changed)
        if any(document.waits for document in made):
            await self._remember(record, made)
        else:
            await self._store.write(lambda tx: forget(tx, record))

    async def _remember(self, record: Dropped, made: Sequence[Made]) -> None:
        waiting = [each for document in made for each in document.unnumbered]
        await self._store.write(lambda tx: remember(tx, record, waiting))

    # --- into the folder ------------------------------------------------------------------------------

    async def _write(
        self, record: Dropped, made: list[Made], data: bytes | None, changed: frozenset[str] | None
    ) -> None:
        """Put the answers in place, the JSON last: whoever sees it finds the others. ``changed`` None: all."""
        several = len(made) > 1
        for document in made:
            position = document.outcome.position + 1 if several else None
            for each in document.invoices[:1]:
                if changed is None or each.record.id in changed:
                    await self._put_papers(record, each, position)
        numbers = _numbers(made)
        if EPP in self._kinds and data is not None and numbers and names.format_of(record.name) == names.EPP:
            await self._put(record, EPP, await asyncio.to_thread(_with_numbers, data, numbers))
        if record.place is Place.REFUSED:
            await self._put(record, TEXT, "\r\n".join(_sentences(record, made)).encode("utf-8-sig"))
        await self._put(record, JSON, _json(record, self._view(made)))

    async def _put_papers(self, record: Dropped, invoice: InvoiceAnswer, position: int | None) -> None:
        if not invoice.record.xml:
            return  # exported and removed from the till
        if XML in self._kinds:
            await self._put(record, XML, invoice.record.xml, position)
        if PDF in self._kinds and invoice.record.state is not InvoiceState.REJECTED:
            try:
                sheet = self._papers.sheet(invoice.record)
                pdf = await asyncio.to_thread(self._renderer.a4, sheet)
            except AgentError as error:  # the invoice is issued, so its answer must come without this page
                LOG.warning("no PDF of %s: %s", invoice.record.number, error)
            else:
                await self._put(record, PDF, pdf, position)

    async def _put(self, record: Dropped, kind: str, data: bytes, position: int | None = None) -> None:
        await self._folder.put(record.place, names.result_name(record.stem, kind, position), data)

    async def _overcome(self, record: Dropped) -> bool:
        """Take what an earlier try of the very same file left among the refused from there: it is issued now."""
        if await self._folder.sha256(Place.REFUSED, record.name) != record.sha256:
            return False
        stem = names.stem_overcome(record.stem, record.sha256)
        await self._store.write(partial(_forget_refused, replace(record, place=Place.REFUSED)))
        for name in await self._folder.names(Place.REFUSED, record.stem):
            rest = names.answer_of(record.stem, name)
            if rest is not None:
                await self._folder.move(Place.REFUSED, name, Place.DONE, stem + rest)
        suffix = record.name.rpartition(".")[2]
        await self._folder.move(Place.REFUSED, record.name, Place.DONE, f"{stem}.{suffix}")
        return True

    async def _make_room(self, record: Dropped) -> None:
        """Push aside what an earlier file of the same name, with other content, left there."""
        for name in await self._folder.names(record.place, names.bare(record.name)):
            if names.bare(name) != names.bare(record.name) or names.format_of(name) not in names.FORMATS:
                continue
            there = await self._folder.sha256(record.place, name)
            if there is not None and (name, there) != (record.name, record.sha256):
                await self._push_aside(replace(record, name=name, sha256=there))

    async def _push_aside(self, older: Dropped) -> None:
        """Rename answers first and the file last, so that a crash in between finds it again."""
        stem = names.stem_aside(older.stem, older.sha256)
        await self._store.write(partial(_remember_aside, older, stem))
        for name in await self._folder.names(older.place, older.stem):
            rest = names.answer_of(older.stem, name)
            if rest is not None and await self._folder.sha256(older.place, stem + rest) is None:
                await self._folder.move(older.place, name, older.place, stem + rest)
        await self._folder.move(older.place, older.name, older.place, names.aside(older.name, older.sha256))


async def _forget_refused(refused: Dropped, tx: Transaction) -> None:
    known = await recall(tx, refused.entry)
    if known is not None and known.sha256 == refused.sha256:
        await forget(tx, known)


async def _remember_aside(older: Dropped, stem: str, tx: Transaction) -> None:
    known = await recall(tx, older.entry)
    if known is not None and known.sha256 == older.sha256:
        await put_aside(tx, known, stem)


def _json(record: Dropped, documents: Mapping[str, Json]) -> bytes:
    about: dict[str, Json] = {
        "file": names.shown(record.name),
        "sha256": record.sha256,
        "at": record.at,
        "duplicate": record.duplicate,
    }
    return (json.dumps({**about, **documents}, indent=1) + "\n").encode("ascii")


def _numbers(made: Sequence[Made]) -> dict[int, str]:
    """Position in the file -> KSeF number, of those that have one."""
    found = {each.outcome.position: each.invoices[0].record.ksef_number for each in made if each.invoices}
    return {position: number for position, number in found.items() if number is not None}


def _with_numbers(data: bytes, numbers: Mapping[int, str]) -> bytes:
    return with_ksef_numbers(read_file(data), numbers)


def _sentences(record: Dropped, made: list[Made]) -> Iterator[str]:
    """The reason for people, as text."""
    yield f"Plik {names.shown(record.name)}, {record.at[:16].replace('T', ' ')}"
    for document in made:
        outcome = document.outcome
        name = outcome.name or "Dokument"
        if outcome.problem is not None:
            yield ""
            yield f"{name}: NIE WYSTAWIONO. {outcome.problem.detail}"
            yield from (f"  - {each.message} [{each.pointer}]" for each in outcome.problem.errors)
        elif document.invoices:
            yield ""
            yield f"{name}: wystawiono {document.invoices[0].record.number}."
    yield ""
    yield "Popraw plik i włóż go ponownie. To, co wystawiono, nie powstanie drugi raz."
