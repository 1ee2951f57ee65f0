"""A restored till never gives a number twice: who is asked, what is told, when a person has to say it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.commands import backup, restore, restore_sources
from agent.domain.errors import Conflict, StoreUnfit
from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import HeldState, InvoiceState
from agent.domain.monitoring.webhook_ids import NOTE, WebhookIds
from agent.ports import CallOutcome, HeldCorrection, InvoiceFilter, KsefError, LedgerEntry, LedgerPart
from agent.store.mark import BLOCK, mark_path, read_mark
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from agent.system.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, lead, new_invoice
from tests.fakes.tampering import tamper

NIP = "5265877635"
"""The seller of tests/fakes/invoices.py."""
NUMBER = "FV-1/2026/11/{:06}"
UNKNOWN = LedgerPart((), complete=True)


@pytest.fixture
def till(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(
        f'data_dir = "data"\n[seller]\nnip = "{NIP}"\nname = "Sklep"\n[seller.address]\nline1 = "ul. Prosta 1"\n'
    )
    return tmp_path


@pytest.fixture
def database(till: Path) -> Path:
    return till / "data" / DATABASE


def on_store(database: Path, work: Callable[[SqliteTransaction], Any]) -> Any:
    async def main() -> Any:
        store = await SqliteStore.open(database, FakeClock())
        try:
            return await store.write(work)
        finally:
            await store.close()

    return asyncio.run(main())


async def press(transaction: SqliteTransaction, count: int, state: InvoiceState) -> None:
    for _ in range(count):
        serial = await transaction.invoices.next_serial(SERIES)
        number = NUMBER.format(serial)
        await transaction.invoices.add(new_invoice(f"{serial}", serial, number=number))
        await transaction.events.append(EventKind.ISSUED, {"number": number}, f"inv-{serial}")
        await lead(transaction, f"inv-{serial}", state)
        if state is InvoiceState.ACCEPTED:
            data = {"ksef_number": f"KSEF-inv-{serial}"}
            await transaction.events.append(EventKind.ACCEPTED, data, f"inv-{serial}")


def sell(
    database: Path,
    count: int,
    state: InvoiceState = InvoiceState.ACCEPTED,
    *,
    killed: bool = False,
    this_boot: bool = False,
) -> None:
    """Sell; ``killed`` leaves what SIGKILL leaves, and ``this_boot`` no power cut came after it."""
    clock = FakeClock()
    if this_boot:
        clock._boot = SystemClock().boot()

    async def main() -> None:
        store = await SqliteStore.open(database, clock)
        await store.write(partial(press, count=count, state=state))
        left = {each: each.read_bytes() for each in database.parent.iterdir()} if killed else {}
        await store.close()
        for each, content in left.items():
            each.write_bytes(content)

    asyncio.run(main())


def next_number(database: Path) -> int:
    number: int = on_store(database, lambda transaction: transaction.invoices.next_serial(SERIES))
    return number


def run(till: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(restore.command, [*arguments, "--config", str(till / "config.toml")], input=stdin)


def answer(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.exception or result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def refusal(result: Result) -> str:
    assert isinstance(result.exception, Conflict), result.output
    return str(result.exception)


@pytest.fixture
def copy(till: Path, database: Path) -> Path:
    """A copy with 21 invoices of a till that issued 24."""
    sell(database, 21)
    target = till / "copies" / "copy.db"
    target.parent.mkdir()
    result = CliRunner().invoke(backup.command, [str(target), "--config", str(till / "config.toml")])
    assert result.exit_code == 0, result.output
    sell(database, 3)
    return target


def numbers(*serials: int) -> list[str]:
    return [NUMBER.format(serial) for serial in serials]


# --- who knows the numbers --------------------------------------------------------------------------------


def test_the_replaced_database_tells_the_last_number(till: Path, database: Path, copy: Path) -> None:
    """24 issued, 21 in the copy: 22, 23, 24 are not given again."""
    facts = answer(run(till, str(copy), "--json"))
    assert facts["continue_after"][SERIES] == 24
    assert [each["number"] for each in facts["lacking"]] == numbers(22, 23, 24)
    first = facts["lacking"][0]
    assert (first["issued_on"], first["gross"], first["currency"]) == ("2026-11-24", "123.12", "PLN")
    assert first["ksef_number"] == "KSEF-inv-22"
    assert next_number(database) == 25
    sell(database, 1)
    assert next_number(database) == 26


def test_yes_says_the_same_for_people(till: Path, database: Path, copy: Path) -> None:
    result = run(till, str(copy), "--yes")
    assert "Faktury, których w kopii brakuje (3):" in result.output
    assert f"{NUMBER.format(23)}  2026-11-24  123.12 PLN  KSEF-inv-23" in result.output
    assert "Seria FV-1: następny numer 25 (pominięte: 3)." in result.output
    assert next_number(database) == 25


def test_what_a_killed_agent_left_in_the_log_counts(till: Path, database: Path, copy: Path) -> None:
    sell(database, 2, killed=True)
    assert answer(run(till, str(copy), "--json"))["continue_after"][SERIES] == 26


@pytest.mark.parametrize("left", ["nothing", "log", "empty"])
def test_the_mark_tells_where_the_database_is_gone(till: Path, database: Path, copy: Path, left: str) -> None:
    sell(database, 1, killed=True)
    before = database.with_name("agent.db-wal").read_bytes()
    if left == "nothing":
        database.with_name("agent.db-wal").unlink()
    database.unlink()
    if left == "empty":
        database.touch()
    facts = answer(run(till, str(copy), "--json"))
    assert facts["continue_after"][SERIES] == 24 + BLOCK, "up to there numbers may have been handed out"
    assert next_number(database) == 25 + BLOCK
    if left != "nothing":
        (kept,) = database.parent.glob("*.replaced-*-wal")
        assert kept.read_bytes() == before


def test_without_a_power_cut_the_mark_is_exact(till: Path, database: Path, copy: Path) -> None:
    """24 issued, 21 in the copy, killed, and somebody wrote over the database."""
    sell(database, 3, killed=True, this_boot=True)
    shutil.copy(copy, database)
    assert answer(run(till, str(copy), "--json"))["continue_after"][SERIES] == 27
    assert next_number(database) == 28


def test_after_an_orderly_stop_the_mark_is_exact(till: Path, database: Path, copy: Path) -> None:
    database.unlink()
    assert answer(run(till, str(copy), "--json"))["continue_after"][SERIES] == 24


@pytest.mark.parametrize("spoilt", ["zeros at the start", "cut", "schema"])
def test_a_damaged_database_still_tells_what_can_be_read(till: Path, database: Path, copy: Path, spoilt: str) -> None:
    sell(database, 6)
    mark_path(database).unlink()
    content = bytearray(database.read_bytes())
    match spoilt:
        case "zeros at the start":
            content[:4096] = bytes(4096)
        case "cut":
            del content[-4096:]
        case _:
            content[100:300] = b"\xff" * 200
    database.write_bytes(content)
    assert "FV-1" in refusal(run(till, str(copy), "--yes")), "it may have held more"
    too_low = refusal(run(till, str(copy), "--yes", "--continue-after", f"{SERIES}=23"))
    assert "doszła już do numeru" in too_low
    assert "zastępowana baza" in too_low
    facts = answer(run(till, str(copy), "--json", "--continue-after", f"{SERIES}=30"))
    assert set(numbers(22, 23, 24)) <= {each["number"] for each in facts["lacking"]}
    assert next_number(database) == 31


def test_a_database_older_than_the_mark_does_not_know_the_end(till: Path, database: Path, copy: Path) -> None:
    """Somebody put an older copy in place, and then another is restored over it."""
    shutil.copy(copy, database)
    assert answer(run(till, str(copy), "--json"))["continue_after"][SERIES] == 24


def test_other_copies_beside_it_count(till: Path, database: Path, copy: Path) -> None:
    sell(database, 5)
    shutil.copy(database, copy.with_name("newer.db"))
    shutil.copy(database, copy.with_name("of-another-seller.db"))
    tamper(
        copy.with_name("of-another-seller.db"), "UPDATE invoices SET seller_nip = '1111111111', serial = serial + 900"
    )
    shutil.rmtree(database.parent)
    assert "--continue-after FV-1=NUMER" in refusal(run(till, str(copy), "--yes"))
    assert "do numeru 29 (plik newer.db)" in refusal(run(till, str(copy), "--yes", "--continue-after", "FV-1=28"))
    assert answer(run(till, str(copy), "--json", "--continue-after", "FV-1=29"))["continue_after"][SERIES] == 29


def test_a_database_that_was_replaced_before_counts(till: Path, database: Path, copy: Path) -> None:
    """The second of two restores knows what the first put aside."""
    answer(run(till, str(copy), "--json"))
    mark_path(database).unlink()
    facts = answer(run(till, str(copy), "--json"))
    assert facts["continue_after"][SERIES] == 24
    assert [each["number"] for each in facts["lacking"]] == numbers(22, 23, 24)


def test_a_database_restored_over_itself_keeps_what_it_has(till: Path, database: Path, copy: Path) -> None:
    """The remedy that the start names for a copy put in place by hand."""
    sell(database, 1, killed=True)
    shutil.copy(copy, database)
    database.with_name("agent.db-wal").unlink()
    with pytest.raises(StoreUnfit, match="wydano już 25"):
        next_number(database)
    answer(run(till, str(database), "--json"))
    assert next_number(database) == 25 + BLOCK


# --- where nobody knows -----------------------------------------------------------------------------------


@pytest.fixture
def new_disk(database: Path, copy: Path) -> Path:
    """Only the copy is left."""
    shutil.rmtree(database.parent)
    return copy


def test_without_any_other_witness_a_person_has_to_say_it(till: Path, database: Path, new_disk: Path) -> None:
    for option in ("--yes", "--json"):
        text = refusal(run(till, str(new_disk), option))
        assert "--continue-after FK-1=NUMER --continue-after FV-1=NUMER" in text
    assert not database.exists()
    answer(run(till, str(new_disk), "--json", "--continue-after", "FV-1=24", "--continue-after", "FK-1=0"))
    assert next_number(database) == 25


def test_a_person_is_asked_for_the_last_numbers(till: Path, database: Path, new_disk: Path) -> None:
    result = run(till, str(new_disk), stdin="0\n20\n24\ny\n")
    assert result.exit_code == 0, result.output
    assert "Ostatni wydany numer serii FV-1 (0: żaden)" in result.output
    assert "20 is not in the range" in result.output, "21 is in the copy"
    assert next_number(database) == 25


def test_a_series_nobody_has_seen_is_not_asked_of_who_named_another(till: Path, new_disk: Path) -> None:
    assert answer(run(till, str(new_disk), "--json", "--continue-after", "FV-1=24"))["continue_after"]["FK-1"] == 0


def test_a_damaged_mark_counts_as_none(till: Path, database: Path, copy: Path) -> None:
    mark_path(database).write_text("junk")
    assert answer(run(till, str(copy), "--json"))["continue_after"][SERIES] == 24, "the database knows"
    database.write_bytes(bytes(8192))
    mark_path(database).write_text("junk")
    assert "FV-1" in refusal(run(till, str(copy), "--yes"))


def test_a_damaged_mark_is_replaced_with_the_database(till: Path, database: Path, copy: Path) -> None:
    """Else the start refuses it, and names as the remedy the command that was just run."""
    mark_path(database).write_text("junk")
    answer(run(till, str(copy), "--json"))
    assert next_number(database) == 25


@pytest.mark.parametrize("last", ["9" * 13, "9" * 30])
def test_a_last_number_that_nothing_can_hold_is_wrong_use(till: Path, database: Path, copy: Path, last: str) -> None:
    result = run(till, str(copy), "--yes", "--continue-after", f"{SERIES}={last}")
    assert result.exit_code == 2, result.exception
    assert "najwyżej 12 cyfr" in result.output
    assert next_number(database) == 25


def test_the_copy_of_another_till_of_the_firm_is_refused(till: Path, database: Path, copy: Path) -> None:
    settings = till / "config.toml"
    settings.write_text('till = "2"\n' + settings.read_text())
    for option in ("--yes", "--json"):
        text = refusal(run(till, str(copy), option))
        assert "żadnej faktury tej kasy" in text
        assert "serie: FV-1" in text
    answer(run(till, str(copy), "--json", "--continue-after", "FV-2=0"))  # the till was renamed


def test_an_empty_copy_is_called_empty(till: Path, database: Path, copy: Path) -> None:
    empty = copy.with_name("empty.db")
    empty.touch()
    result = run(till, str(empty), "--yes")
    assert isinstance(result.exception, StoreUnfit)
    assert "jest pusty, więc nie jest kopią" in str(result.exception)


# --- KSeF -------------------------------------------------------------------------------------------------


def entry(number: str, issued_on: date = date(2026, 11, 28)) -> LedgerEntry:
    return LedgerEntry(number, "VAT", issued_on, Decimal("9.99"), "PLN", f"5265877635-{number}")


def ksef(monkeypatch: pytest.MonkeyPatch, holds: LedgerPart | str) -> list[Any]:
    asked: list[Any] = []

    async def answers(settings: object, since: object, clock: object) -> LedgerPart | str:
        asked.append(since)
        return holds

    monkeypatch.setattr(restore_sources, "_ask_ksef", answers)
    return asked


def test_ksef_knows_numbers_the_till_does_not(
    till: Path, database: Path, new_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = (entry("FV-2/2026/11/000900"), entry("SKLEP/77"), entry("FV-1/2026/12/26"))
    asked = ksef(monkeypatch, LedgerPart((*others, entry(NUMBER.format(24))), complete=True))
    assert "FV-1" in refusal(run(till, str(new_disk), "--yes")), "what was not sent yet it cannot know"
    assert "do numeru 26 (KSeF)" in refusal(run(till, str(new_disk), "--yes", "--continue-after", "FV-1=25"))
    facts = answer(run(till, str(new_disk), "--json", "--continue-after", "FV-1=26"))
    assert {each["number"]: each["gross"] for each in facts["lacking"]} == {
        "FV-1/2026/12/26": "9.99",
        NUMBER.format(24): "9.99",
    }
    assert next_number(database) == 27
    assert asked[0] < FakeClock().now() - timedelta(hours=23), "a day before the copy's newest event"


def test_ksef_knows_more_than_the_replaced_database(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the database was not the last one this till worked with, and the mark bounds the rest."""
    sell(database, 1, killed=True)
    ksef(monkeypatch, LedgerPart((entry(NUMBER.format(30)),), complete=False))
    facts = answer(run(till, str(copy), "--json"))
    assert facts["continue_after"][SERIES] == 24 + BLOCK
    assert {"name": "KSeF", "trouble": "KSeF ma więcej faktur, niż można było odczytać; lista może być niepełna."} in (
        facts["sources"]
    )


def test_a_line_that_is_down_is_told(till: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ksef(monkeypatch, "Nie można połączyć się z KSeF.")
    assert "KSeF: zna nic. Nie można połączyć się z KSeF." in run(till, str(copy), "--yes").output


async def test_whatever_ksef_does_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        async def issued_since(self, nip: str, since: object) -> LedgerPart:
            raise KsefError("Brak uprawnienia InvoiceRead.", outcome=CallOutcome.REFUSED, code=403)

        async def close(self) -> None: ...

    monkeypatch.setattr("agent.ksef.gateway.open_gateway", lambda *_: Refusing())
    from agent.settings.model import Address, Seller, Settings

    settings = Settings(seller=Seller(NIP, "Sklep", Address("ul. Prosta 1")))
    clock = FakeClock()
    assert await restore_sources._ask_ksef(settings, clock.now(), clock) == "Brak uprawnienia InvoiceRead."


# --- what else is lost ------------------------------------------------------------------------------------


def test_bytes_that_ksef_may_not_have_are_kept_as_files(till: Path, database: Path, copy: Path) -> None:
    sell(database, 1, InvoiceState.ISSUED)
    facts = answer(run(till, str(copy), "--json"))
    (file,) = Path(facts["documents"]).iterdir()
    assert file.name == "FV-1-2026-11-000025.xml"
    assert file.read_bytes() == new_invoice("25").xml
    again = answer(run(till, str(copy), "--json"))
    (same,) = Path(again["documents"]).iterdir()
    assert same.read_bytes() == file.read_bytes(), "it lacks again, and the database that was replaced first has it"
    assert again["without_document"] == []


@pytest.mark.parametrize("left", ["another copy", "nobody"])
def test_bytes_of_a_database_that_is_gone_are_taken_from_another_copy(
    till: Path, database: Path, copy: Path, left: str
) -> None:
    """The newest copy has an offline invoice, and somebody puts an older one back."""
    sell(database, 1, InvoiceState.ISSUED)
    other = copy.with_name("newer.db")
    made = CliRunner().invoke(backup.command, [str(other), "--config", str(till / "config.toml")])
    assert made.exit_code == 0, made.output
    database.unlink()
    if left == "nobody":
        tamper(other, "UPDATE versions SET xml = x'00' WHERE invoice_id = 'inv-25'")
    result = run(till, str(copy), "--yes")
    assert result.exit_code == 0, result.exception or result.output
    said = "Plików XML tych faktur nikt nie ma (1): FV-1/2026/11/000025."
    files = [each.name for each in database.parent.glob("*-xml/*")]
    if left == "nobody":
        assert (files, said in result.output) == ([], True)
    else:
        assert (files, said in result.output) == (["FV-1-2026-11-000025.xml"], False)


def held(name: str) -> HeldCorrection:
    return HeldCorrection(name, "inv-1", b"{}", f"key-{name}", "kasa 1", FakeClock().now())


def test_a_correction_that_waits_in_the_copy_is_not_issued_a_second_time(till: Path, database: Path) -> None:
    async def both(transaction: SqliteTransaction) -> None:
        await transaction.held.add(held("issued-later"))
        await transaction.held.add(held("still-waiting"))

    sell(database, 1)
    on_store(database, both)
    copy = till / "copy.db"
    shutil.copy(database, copy)
    on_store(database, lambda transaction: transaction.held.close("issued-later", HeldState.ISSUED, invoice_id="inv-1"))
    answer(run(till, str(copy), "--json"))
    waiting = on_store(database, lambda transaction: transaction.held.waiting())
    assert [each.id for each in waiting] == ["still-waiting"]
    database.write_bytes(bytes(8192))
    answer(run(till, str(copy), "--json"))
    assert on_store(database, lambda transaction: transaction.held.waiting()) == [], "nobody knows: a manager decides"
    refused = on_store(database, lambda transaction: transaction.held.get("still-waiting"))
    assert refused.state == "refused"
    assert "nie wiadomo, czy tę korektę już wystawiono" in refused.problem


def test_the_restore_stands_in_the_log(till: Path, database: Path, copy: Path) -> None:
    answer(run(till, str(copy), "--json"))
    events = on_store(database, lambda transaction: transaction.events.after(0))
    assert events[-1].kind == "store.restored"
    assert events[-1].data["continue_after"] == {"FK-1": 0, SERIES: 24}
    assert events[-1].data["lacking"] == numbers(22, 23, 24)


def webhook_ids(database: Path) -> WebhookIds:
    return WebhookIds.kept(on_store(database, lambda transaction: transaction.key_values.get(NOTE)))


@pytest.mark.parametrize("lost", [False, True], ids=["replaced", "only the mark"])
def test_no_webhook_id_is_given_a_second_time(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    """A receiver ignores what is not higher than the last id it has worked off."""
    given, clock = 0, FakeClock()
    monkeypatch.setattr("agent.commands.restore.SystemClock", lambda: clock)
    for _ in range(2):  # the second time the same, older copy
        events = on_store(database, lambda transaction: transaction.events.after(0))
        given = max(given, webhook_ids(database).of(events[-1].seq))
        if lost:
            database.unlink()
        answer(run(till, str(copy), "--json"))
        events = on_store(database, lambda transaction: transaction.events.after(0))
        restored = next(event for event in events if event.kind == "store.restored")
        ids = webhook_ids(database)
        assert given < ids.of(restored.seq) == restored.data["webhooks_from"]
        assert ids.of(restored.seq - 1) == restored.seq - 1, "what the copy holds keeps its ids"
        clock.step(timedelta(seconds=1))


def test_a_correction_refused_by_the_restore_is_told_under_a_new_id(till: Path, database: Path, copy: Path) -> None:
    sell(database, 1)
    backup_of = copy.with_name("held.db")
    on_store(database, lambda transaction: transaction.held.add(held("a")))
    assert CliRunner().invoke(backup.command, [str(backup_of), "--config", str(till / "config.toml")]).exit_code == 0
    newest = on_store(database, lambda transaction: transaction.events.newest())
    on_store(database, lambda transaction: transaction.held.close("a", HeldState.REFUSED, problem="x"))
    sell(database, 5)
    answer(run(till, str(backup_of), "--json"))
    events = on_store(database, lambda transaction: transaction.events.after(newest))
    refused = next(event for event in events if event.kind == EventKind.CORRECTION_REFUSED)
    assert webhook_ids(database).of(refused.seq) > newest + 5


def test_a_crash_before_the_switch_leaves_a_till_that_starts(
    till: Path, database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark fits the old database and the new one."""

    def killed(partial: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.store.restore.put_in_place", killed)
    run(till, str(copy), "--yes")
    monkeypatch.undo()
    mark = read_mark(mark_path(database))
    assert mark is not None
    assert len(mark.heads) == 2
    records = on_store(database, lambda transaction: transaction.invoices.find(InvoiceFilter()))
    assert len(records) == 24
    assert next_number(database) == 25
