"""`ksef-agent check` looks at the database as a start does, and says in a sentence what is wrong."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent import app
from agent.commands import check
from agent.commands.check import Finding
from agent.domain.errors import StoreUnfit
from agent.settings.model import BackupSettings, Settings
from agent.store import maintenance
from agent.store.sqlite import DATABASE
from tests.fakes.tampering import tamper
from tests.fakes.world import settings
from tests.unit.store.test_damage import FILES
from tests.unit.store.test_restore import sell


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    seller = replace(settings(tmp_path).seller, nip="5265877635")
    return replace(settings(tmp_path / "data"), seller=seller, backup=BackupSettings(dir=tmp_path / "copies"))


@pytest.fixture
def database(given: Settings) -> Path:
    sell(given.data_dir / DATABASE, 20)
    return given.data_dir / DATABASE


def look(given: Settings, *, offline: bool) -> Finding:
    """The finding about the database; nothing else may stumble over it."""
    findings = {each.name: each for each in asyncio.run(check._check(given, offline=offline))}
    assert len(findings) > 5
    return findings["baza danych"]


def test_a_new_till_has_none_yet(given: Settings) -> None:
    assert look(given, offline=True) == Finding("baza danych", True, "jeszcze jej nie ma; założy ją pierwszy start")


def test_a_sound_one_is_sound(given: Settings, database: Path) -> None:
    assert look(given, offline=True) == Finding("baza danych", True, "sprawdzona w całości")


@pytest.mark.parametrize("damage", FILES.values(), ids=FILES.keys())
def test_a_damaged_file_is_a_problem(given: Settings, database: Path, damage: Callable[[Path], object]) -> None:
    damage(database)
    found = look(given, offline=True)
    assert not found.ok
    assert str(database) in found.message


def test_a_damaged_document_is_a_problem(given: Settings, database: Path) -> None:
    tamper(database, "UPDATE versions SET xml = x'00' WHERE invoice_id = 'inv-3'")
    found = look(given, offline=True)
    assert not found.ok
    assert "FV-1/2026/11/000003" in found.message


def test_a_lost_database_is_a_problem(given: Settings, database: Path) -> None:
    database.unlink()
    assert "ślady pracy agenta" in look(given, offline=True).message


# --- a data directory that is not mounted ---------------------------------------------------------------------


@pytest.fixture
def copies(given: Settings, database: Path) -> Path:
    """Copies where the nightly ones go, and an empty data directory."""
    given.backup.dir.mkdir()
    maintenance.back_up(database, given.backup.dir / "agent-1.db")
    shutil.rmtree(given.data_dir)
    return given.backup.dir


async def opened(given: Settings) -> None:
    await (await app.open_store(given)).close()


async def test_no_new_till_beside_copies_of_this_one(given: Settings, copies: Path) -> None:
    with pytest.raises(StoreUnfit, match=r"są kopie tej kasy \(agent-1\.db\).*restore .*agent-1\.db"):
        await opened(given)
    assert not (given.data_dir / DATABASE).exists()


async def test_copies_of_another_till_or_seller_do_not_matter(given: Settings, copies: Path) -> None:
    await opened(replace(given, till="2"))
    shutil.rmtree(given.data_dir)
    await opened(replace(given, seller=replace(given.seller, nip="1111111111")))


async def test_a_till_with_its_database_does_not_look_at_copies(
    given: Settings, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(copies, given.data_dir)
    (given.data_dir / "agent-1.db").rename(given.data_dir / DATABASE)
    monkeypatch.setattr(app, "copy_of", None)
    await opened(given)
