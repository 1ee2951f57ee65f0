"""The books as a service and on the command line: changes since an export, counts, corrections, outbox."""

from __future__ import annotations

import csv
import io
import json
import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.commands import correct, issue, outbox, register
from agent.domain.errors import Conflict, NotFound
from agent.services.records import register as reports
from tests.fakes.agent_with_sandbox import agent_with_sandbox
from tests.fakes.world import CASHIER, MANAGER, sale, world
from tests.unit.books.jpk_frame import sales_rows
from tests.unit.corrections.test_correct import FULL, outside_base, returned, sell
from tests.unit.corrections.test_correct import correct as press_correction

# --- as a service -------------------------------------------------------------------------------------


async def test_counts_say_how_many_were_offline_and_how_late(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await sell(place)
        place.gateway.up = False
        await sell(place)
        counts = await place.register.counts("2026-11", None)
        assert (counts["invoices"], counts["offline"], counts["unnumbered"], counts["late"]) == (2, 1, 1, 0)
        later = await place.register.counts("2026-11", date(2026, 11, 30))
        assert (later["late"], later["days_late_max"]) == (1, 5)
        assert (await place.register.counts("2026-10", None))["invoices"] == 0


async def test_a_base_names_a_correction_of_another_month(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        await place.clock.advance(8 * 24 * 3600)
        made = (await press_correction(place, base, FULL)).invoices[0].record
        assert made.issued_on.month == 12
        (row,) = [each async for each in place.register.rows("2026-11", None)]
        assert row["corrections"] == [made.number]
        (other,) = [each async for each in place.register.rows("2026-12", None)]
        assert other["bases"] == [base.number]


async def test_what_was_exported_and_pruned_stays_in_the_books_and_is_told_elsewhere(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        made = (await press_correction(place, base, returned(1, "1"))).invoices[0].record
        await place.clock.advance(1)
        before = [each async for each in place.register.rows("2026-11", None)]
        assert [row["upo"] for row in before] == [True, True]

        await place.books.read_all()

        async def prune(tx: Any) -> None:
            for record in (base, made):
                await tx.exports.add(record.id, "/archive/file.zip", bytes(32))
                await tx.exports.prune(record.id)

        await place.store.write(prune)
        assert [each async for each in place.register.rows("2026-11", None)] == before
        newest = len(await place.all_events())
        for work in (
            place.reprinting.reprint(base.id, CASHIER),
            place.previews.picture(base.id),
            place.previews.pdf(base.id, "a4"),
            place.invoices.upo(base.id),
        ):
            with pytest.raises(NotFound) as refused:
                await work
            assert refused.value.code == "exported"
        with pytest.raises(Conflict) as impossible:
            await press_correction(place, base, FULL)
        assert impossible.value.code == "content-exported"
        assert len(await place.all_events()) == newest


async def test_replay_needs_a_receiver(tmp_path: Path) -> None:
    """The sandbox's settings name none."""
    async with agent_with_sandbox(tmp_path) as place:
        with pytest.raises(Conflict) as refused:
            await place.agent.outboxes.replay(1, MANAGER)
        assert refused.value.code == "no-outbox"


# --- on the command line ------------------------------------------------------------------------------

SETTINGS = """data_dir = "data"
[seller]
nip = "5265877635"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
[api]
port = {api}
[ksef]
auth = "token"
url = "http://127.0.0.1:{nobody}/v2"
latarnia_url = "http://127.0.0.1:{nobody}"
token_file = "ksef.token"
[outbox]
url = "http://127.0.0.1:{nobody}/hook"
secret_file = "ksef.token"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a till that reaches nobody."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = first.getsockname()[1], second.getsockname()[1]
    secret = tmp_path / "ksef.token"
    secret.write_text("a secret of at least thirty-two letters")
    secret.chmod(0o600)
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS.format(api=ports[0], nobody=ports[1]))
    return file


@pytest.fixture
def run(config: Path) -> Callable[..., Result]:
    def inside(module: Any, *words: str) -> Result:
        return CliRunner().invoke(module.command, [*words, "--config", str(config)])

    return inside


def test_the_books_from_the_command_line(run: Callable[..., Result], tmp_path: Path) -> None:
    basket, order = tmp_path / "sale.json", tmp_path / "correction.json"
    basket.write_text(json.dumps(sale()))
    made = json.loads(run(issue, str(basket), "--json").stdout)
    month = made["issued_on"][:7]
    order.write_text(json.dumps({"base": outside_base(issued_on="2025-01-02"), "correction": FULL}))
    elsewhere = json.loads(run(correct, "--outside", str(order), "--json").stdout)
    assert (elsewhere["kind"], elsewhere["totals"]["gross"]) == ("KOR", "-135.60")
    counts = json.loads(run(register, "--month", month, "--counts", "--json").stdout)
    assert len(json.loads(run(register, "--month", month, "--json").stdout)["rows"]) == 2
    assert (counts["invoices"], counts["unnumbered"]) == (2, 2)
    assert "invoices  offline" in run(register, "--month", month, "--counts").stdout
    changes = run(register, "--month", month, "--changes-since", "2025-01-01", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(changes)))
    assert {row["number"]: (row["old"], row["new"], row["needs_correction"]) for row in rows} == {
        made["number"]: ("", "DI", "1"),
    }, "a reduction issued offline belongs to the month in which it is sent"
    jpk = run(register, "--month", month, "--format", "jpk")
    assert [row["DowodSprzedazy"] for row in sales_rows(jpk.stdout)] == [made["number"]]
    table = run(register, "--month", month, "--format", "jpk-csv", "--excel", "--no-bom").stdout
    assert table.startswith("LpSprzedazy;KodKrajuNadaniaTIN;")
    assert ";100,00;23,00;" in table
    assert run(register, "--month", month, "--format", "csv", "--bom").stdout.startswith("\ufeffnumber,")
    assert "number" in run(register, "--month", month, "--changes").stdout
    refused = run(register, "--month", "2025-01", "--changes")
    assert (refused.exit_code, "Wierszy za ten miesiąc" in str(refused.exception)) == (1, True)
    offline = run(register, "--month", month, "--ksef")
    assert (offline.exit_code, type(offline.exception).__name__) == (1, "Unavailable")
    replayed = run(outbox, "replay", "--from", "1")
    assert replayed.exit_code == 0, replayed.output
    assert replayed.stdout.startswith("shop  0/")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (correct, []),
        (correct, ["FV/1"]),
        (correct, ["FV/1", "--full-return", "--outside", __file__]),
        (register, ["--month", "2026-11", "--counts", "--changes-since", "2026-11-01"]),
        (register, ["--month", "2026-11", "--ksef", "--changes"]),
        (register, ["--month", "2026-13"]),
        (register, ["--month", "2026-11", "--as-of", "yesterday"]),
        (outbox, ["replay"]),
        (outbox, ["replay", "--from", "0"]),
    ],
)
def test_wrong_use(run: Callable[..., Result], module: Any, words: list[str]) -> None:
    assert run(module, *words).exit_code == 2


async def test_pages_make_up_the_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        base = await sell(place)
        for _ in range(4):
            await place.sell()
        correction = (await press_correction(place, base, returned(1, "1"))).invoices[0].record
        whole = [each async for each in place.register.rows("2026-11", None)]
        assert [row["number"] for row in whole] == sorted(str(row["number"]) for row in whole)
        assert [row["corrections"] for row in whole if row["number"] == base.number] == [[correction.number]]
        for size in (1, 2, 6):
            monkeypatch.setattr(reports, "PAGE", size)
            assert [each async for each in place.register.rows("2026-11", None)] == whole
            text = "".join([each async for each in place.register.json("2026-11", None)])
            assert json.loads(text) == {"month": "2026-11", "rows": whole}
