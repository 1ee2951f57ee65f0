"""Random operations on the real store against a model of a few dictionaries; a crash may fall between any two."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from agent.domain.errors import Conflict, IllegalTransition, KeyReused
from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import INVOICE_MOVES, PRINT_MOVES, UNSENT, InvoiceState, PrintState
from agent.ports import InvoiceChange, InvoiceFilter, KeyRecord
from agent.store.sqlite import SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, add_next, new_invoice

T = TypeVar("T")
State = TypeVar("State", InvoiceState, PrintState)


MEMORY = Path("/dev/shm")


def folder() -> Path:
    """A new folder, in memory where there is one: the order of writes is under test here, not the disk."""
    return Path(tempfile.mkdtemp(prefix="store-model-", dir=MEMORY if MEMORY.is_dir() else None))


def pick(moves: frozenset[tuple[State, State]], state: State, choice: int) -> State:
    """One of the legal moves from a state; the state itself where there is none."""
    legal = sorted(new for old, new in moves if old == state) or [state]
    return legal[choice % len(legal)]


class CashierGone(Exception):
    """A unit of work that fails after it has written."""


@dataclass
class ModelInvoice:
    serial: int
    state: InvoiceState = InvoiceState.ISSUED
    versions: int = 1
    attempts: int = 0
    jobs: dict[int, PrintState] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)

    def next_copy(self) -> int:
        left = [self.copies[job] for job, state in self.jobs.items() if state is not PrintState.FAILED]
        return 1 + max(left, default=0)


class StoreMachine(RuleBasedStateMachine):
    """The store on the loop's own thread, so thousands of steps take seconds."""

    invoices = Bundle("invoices")
    jobs = Bundle("jobs")

    @initialize()
    def start(self) -> None:
        self.folder = folder()
        self.runner = asyncio.Runner()
        self.model: dict[str, ModelInvoice] = {}
        self.keys: dict[str, str] = {}
        self.events: list[str] = []
        self.names = 0
        self.open()

    def open(self) -> None:
        opening = SqliteStore.open(self.folder / "agent.db", FakeClock(), threaded=False, readers=1)
        self.store = self.runner.run(opening)

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def write(self, work: Callable[[SqliteTransaction], Awaitable[T]]) -> T:
        return self.runner.run(self.store.write(work))

    # --- presses ---------------------------------------------------------------------------------------

    @rule(target=invoices, fails=st.sampled_from([False, False, True]), gap=st.sampled_from([0, 0, 0, 0, 0, 0, 1, -1]))
    def press(self, fails: bool, gap: int) -> str | MultipleResults[str]:
        self.names += 1
        name, key = f"{self.names}", f"key-{self.names}"

        async def work(transaction: SqliteTransaction) -> int:
            serial = await transaction.invoices.next_serial(SERIES)
            await transaction.invoices.add(new_invoice(name, serial + gap, number=f"N/{name}"))
            await transaction.events.append(EventKind.ISSUED, {"serial": serial}, f"inv-{name}")
            await transaction.keys.add(KeyRecord(key, b"\1" * 32, f"inv-{name}"))
            if fails:
                raise CashierGone
            return serial

        if gap:
            with pytest.raises(sqlite3.IntegrityError):
                self.write(work)
            return multiple()
        if fails:
            with pytest.raises(CashierGone):
                self.write(work)
            return multiple()
        self.model[f"inv-{name}"] = ModelInvoice(self.write(work))
        self.keys[key] = f"inv-{name}"
        self.events.append(f"inv-{name}")
        return f"inv-{name}"

    @rule(invoice_id=invoices)
    def press_with_a_used_key(self, invoice_id: str) -> None:
        used = next(key for key, owner in self.keys.items() if owner == invoice_id)

        async def work(transaction: SqliteTransaction) -> None:
            await add_next(transaction, "twin", number="twin")
            await transaction.keys.add(KeyRecord(used, b"\2" * 32, "inv-twin"))

        with pytest.raises(KeyReused):
            self.write(work)

    # --- the way to KSeF -------------------------------------------------------------------------------

    @rule(invoice_id=invoices, to=st.sampled_from(InvoiceState), attempted=st.booleans())
    def move(self, invoice_id: str, to: InvoiceState, attempted: bool) -> None:
        known = self.model[invoice_id]
        number = f"K-{invoice_id}" if to is InvoiceState.ACCEPTED else None
        change = InvoiceChange(ksef_number=number, attempted=attempted)
        if (known.state, to) in INVOICE_MOVES:
            record = self.write(lambda transaction: transaction.invoices.move(invoice_id, to, change))
            known.state, known.attempts = to, known.attempts + attempted
            assert record.state is to
        else:
            with pytest.raises(IllegalTransition):
                self.write(lambda transaction: transaction.invoices.move(invoice_id, to, change))

    @rule(invoice_id=invoices, choice=st.integers(0, 11))
    def move_legally(self, invoice_id: str, choice: int) -> None:
        self.move(invoice_id, pick(INVOICE_MOVES, self.model[invoice_id].state, choice), attempted=True)

    @rule(invoice_id=invoices)
    def correct_technically(self, invoice_id: str) -> None:
        known = self.model[invoice_id]
        new = new_invoice(f"{invoice_id}-{known.versions + 1}")

        async def work(transaction: SqliteTransaction) -> None:
            await transaction.invoices.add_version(invoice_id, new.xml, new.sha256, ("https://new", None))

        if known.state is InvoiceState.REJECTED:
            self.write(work)
            known.versions += 1
        else:
            with pytest.raises(Conflict):
                self.write(work)

    # --- paper -----------------------------------------------------------------------------------------

    @rule(target=jobs, invoice_id=invoices)
    def print(self, invoice_id: str) -> tuple[str, int]:
        known = self.model[invoice_id]
        job = self.write(lambda transaction: transaction.prints.add(invoice_id, "invoice", "Faktura"))
        assert job.copy == known.next_copy()
        known.jobs[job.id], known.copies[job.id] = PrintState.QUEUED, job.copy
        return invoice_id, job.id

    @rule(job=jobs, to=st.sampled_from(PrintState))
    def move_print(self, job: tuple[str, int], to: PrintState) -> None:
        invoice_id, job_id = job
        known = self.model[invoice_id]
        state = known.jobs[job_id]
        if (state, to) in PRINT_MOVES or state is to is PrintState.PRINTING:
            expected = known.next_copy() if to is PrintState.QUEUED else known.copies[job_id]
            moved = self.write(lambda transaction: transaction.prints.move(job_id, to))
            assert (moved.state, moved.copy) == (to, expected)
            known.jobs[job_id], known.copies[job_id] = to, moved.copy
        else:
            with pytest.raises(IllegalTransition):
                self.write(lambda transaction: transaction.prints.move(job_id, to))

    @rule(job=jobs, choice=st.integers(0, 11))
    def move_print_legally(self, job: tuple[str, int], choice: int) -> None:
        self.move_print(job, pick(PRINT_MOVES, self.model[job[0]].jobs[job[1]], choice))

    # --- ends ------------------------------------------------------------------------------------------

    @rule(how=st.sampled_from(["not", "not", "not", "not", "restart", "crash"]))
    def end(self, how: str) -> None:
        if how == "restart":
            self.restart()
        elif how == "crash":
            self.crash_inside_a_unit()

    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.open()

    def crash_inside_a_unit(self) -> None:
        """Take the files as they are in the middle of a unit, as a power cut would leave them."""

        async def half(transaction: SqliteTransaction) -> None:
            await add_next(transaction, "lost", number="lost")
            for file in self.folder.glob("agent.db*"):
                shutil.copy(file, copies / file.name)
            raise CashierGone

        copies = folder()
        with pytest.raises(CashierGone):
            self.write(half)
        self.runner.run(self.store.close())
        shutil.rmtree(self.folder)
        (copies / "agent.db-shm").unlink()
        self.folder = copies
        self.open()

    # --- what always holds ------------------------------------------------------------------------------

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        async def look(transaction: SqliteTransaction) -> None:
            found = await transaction.invoices.find(InvoiceFilter(limit=10_000))
            assert {record.id for record in found} == self.model.keys()
            assert sorted(record.serial or 0 for record in found) == list(range(1, len(found) + 1))
            for record in found:
                known = self.model[record.id]
                assert (record.state, record.serial) == (known.state, known.serial)
                assert (record.version, record.attempts) == (known.versions, known.attempts)
                finished = (PrintState.PRINTED, PrintState.UNCERTAIN)
                assert record.copies == sum(state in finished for state in known.jobs.values())
            unsent = await transaction.invoices.unsent()
            assert {record.id for record in unsent} == {
                name for name, known in self.model.items() if known.state in UNSENT
            }
            assert [event.invoice_id for event in await transaction.events.after(0)] == self.events

        self.runner.run(self.store.read(look))


StoreMachine.TestCase.settings = settings(max_examples=settings().max_examples // 3)
test_the_store_against_its_model = pytest.mark.slow(StoreMachine.TestCase)
