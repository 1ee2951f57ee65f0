"""`ksef-agent export`, a few invoices at a time: each once, what is damaged is told and holds up no other."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.commands import export
from agent.domain.lifecycle import InvoiceState
from agent.ports import SessionKind, UpoPage
from agent.store import bundle
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.transaction import SqliteTransaction
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead, new_invoice
from tests.fakes.tampering import without_triggers
from tests.unit.commands.test_written_files import config

NAMES = "abcde"
DAMAGED = "c"


async def sold(folder: Path) -> None:
    """Five invoices that one page of a session's UPO names, one of them damaged since."""
    store = await SqliteStore.open(folder / "data" / DATABASE, FakeClock(), threaded=False)

    async def work(tx: SqliteTransaction) -> None:
        for name in NAMES:
            await add_next(tx, name, issued_on=date(2020, 1, 31))
            await lead(tx, f"inv-{name}", InvoiceState.ACCEPTED)
        named = tuple((f"KSEF-inv-{name}", new_invoice(name).sha256) for name in NAMES)
        await tx.sessions.use("SB", SessionKind.BATCH)
        await tx.sessions.add_page("SB", UpoPage(1, "EU", b"<UPO/>", named))
        await tx.sessions.add_documents("SB", 1, named)

    await store.write(work)
    await store.close()
    with closing(sqlite3.connect(folder / "data" / DATABASE)) as connection, without_triggers(connection):
        connection.execute("UPDATE versions SET xml = x'00' WHERE invoice_id = ?", (f"inv-{DAMAGED}",))
        connection.commit()


def exported(folder: Path) -> dict[str, Any]:
    done = CliRunner().invoke(export.command, ["--out", str(folder / "out"), "--json", "--config", config(folder)])
    told: dict[str, Any] = json.loads(done.stdout)
    assert "uszkodzona (1)" in str(done.exception)
    return told


@pytest.mark.parametrize(
    ("limit", "value", "batches"), [("AT_ONCE", 2, [2, 1, 1]), ("BYTES_AT_ONCE", 1, [1] * 4)], ids=["number", "bytes"]
)
def test_each_is_exported_once_and_a_damaged_one_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, batches: list[int]
) -> None:
    monkeypatch.setattr(export, limit, value)
    sizes: list[int] = []
    save = bundle.Archive.save

    def counting(archive: bundle.Archive, bundles: Sequence[bundle.Bundle]) -> list[tuple[Path, bytes]]:
        sizes.append(len(bundles))
        return save(archive, bundles)

    monkeypatch.setattr(bundle.Archive, "save", counting)
    pages: list[Path] = []
    looked = bundle.holds

    def looking(path: Path, sha256: bytes) -> bool:
        pages.extend([path] if path.suffix == ".xml" else [])
        return looked(path, sha256)

    monkeypatch.setattr(bundle, "holds", looking)
    asyncio.run(sold(tmp_path))
    left = tmp_path / "out" / "2020" / "01" / ".FV-1-1_inv-a.zip.0123456789abcdef.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left by a killed run")
    told = exported(tmp_path)
    assert (told["exported"], len(told["damaged"])) == (4, 1)
    assert sizes == batches
    assert len(pages) == 2, "the page of the UPO is looked for, and read back, once in a run"
    assert not left.exists()
    files = {path.name.partition("_")[2]: path for path in (tmp_path / "out").rglob("*.zip")}
    assert set(files) == {f"inv-{name}.zip" for name in NAMES if name != DAMAGED}
    (page,) = (tmp_path / "out" / "session-upo").iterdir()
    assert page.read_bytes() == b"<UPO/>"
    for name, path in files.items():
        with zipfile.ZipFile(path) as archive:
            assert archive.read("invoice-1.xml") == f"<Faktura>{name[4]}</Faktura>".encode()
            assert json.loads(archive.read("session-upo.json"))["file"] == f"session-upo/{page.name}"
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as connection:
        noted = connection.execute("SELECT invoice_id, place, sha256 FROM exports ORDER BY invoice_id").fetchall()
    assert noted == [
        (name.removesuffix(".zip"), str(path), hashlib.sha256(path.read_bytes()).digest())
        for name, path in sorted(files.items())
    ]
    before = {path: path.stat().st_mtime_ns for path in files.values()}
    assert exported(tmp_path)["exported"] == 0
    assert {path: path.stat().st_mtime_ns for path in files.values()} == before
