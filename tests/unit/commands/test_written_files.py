"""Every file a command writes: no planted link is followed, nobody else may read it, whatever the umask."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.commands import backup, evidence, register
from agent.domain.callers import Role
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.services.tokens import Tokens, ensure_token
from agent.store.bundle import Archive, collect
from agent.store.sqlite import DATABASE, SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next
from tests.fakes.world import SELLER

CONFIG = f"""data_dir = "data"
[seller]
nip = "{SELLER.nip}"
name = "Sklep"
[seller.address]
line1 = "ul. Próbna 1"
"""
Write = Callable[[Path], list[Path]]
"""Writes into a folder; returns the files it made there."""


async def sold(folder: Path) -> None:
    store = await SqliteStore.open(folder / "data" / DATABASE, FakeClock())
    await store.write(lambda tx: add_next(tx, "1", issued_on=date(2026, 11, 24)))
    await store.close()


def config(folder: Path) -> str:
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    return str(folder / "config.toml")


def run_evidence(folder: Path) -> list[Path]:
    asyncio.run(sold(folder))
    period = ["--from", "2026-11-24", "--to", "2026-11-24", "--config", config(folder)]
    assert CliRunner().invoke(evidence.command, [*period, "--out", str(folder / "out")]).exit_code == 0
    return [folder / "out"]


def run_backup(folder: Path) -> list[Path]:
    asyncio.run(sold(folder))
    done = CliRunner().invoke(backup.command, [str(folder / "out"), "--force", "--config", config(folder)])
    assert done.exit_code == 0, done.output
    return [folder / "out"]


def run_register(folder: Path) -> list[Path]:
    asyncio.run(sold(folder))
    month = ["--month", "2026-11", "--config", config(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.commands.remote.run", lambda *_: b"number,issued_on\n")
        done = CliRunner().invoke(register.command, [*month, "--format", "csv", "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    return [folder / "out"]


def run_export(folder: Path) -> list[Path]:
    async def write() -> list[Path]:
        await sold(folder)
        store = await SqliteStore.open_readonly(folder / "data" / DATABASE)
        bundle = await store.read(partial(collect, invoice_id="inv-1"))
        await store.close()
        target = folder / bundle.path
        target.parent.mkdir(parents=True)
        plant(target, folder / "victim")
        return [path for path, _ in Archive(folder).save([bundle])]

    return asyncio.run(write())


def run_sandbox(folder: Path) -> list[Path]:
    async def write() -> list[Path]:
        async with Sandbox(limits=NO_LIMITS) as sandbox:
            plant(folder / "offline.key", folder / "victim")
            write_config(sandbox, folder / "out", describe(sandbox, folder))
        return [folder / "out", folder / "offline.key", folder / "out-data" / "tokens.json"]

    return asyncio.run(write())


def run_tokens(folder: Path) -> list[Path]:
    for name in ("tokens.json", "commands-token"):
        plant(folder / name, folder / "victim")
    (folder / "tokens.json").unlink()
    Tokens.in_directory(folder).add("kasa", Role.CASHIER)
    ensure_token(Tokens.in_directory(folder), folder)
    return [folder / "tokens.json", folder / "commands-token"]


def plant(target: Path, victim: Path) -> None:
    """Put links where a careless program would write."""
    for name in (target.name, f"{target.name}.part", f"{target.name}.tmp", f".{target.name}.partial"):
        target.with_name(name).symlink_to(victim)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = os.umask(0)
    (tmp_path / "victim").write_bytes(b"untouched")
    plant(tmp_path / "out", tmp_path / "victim")
    yield tmp_path
    os.umask(before)


@pytest.mark.parametrize(
    "write",
    [run_evidence, run_backup, run_register, run_export, run_sandbox, run_tokens],
    ids=lambda each: each.__name__,
)
def test_planted_links_are_not_followed_and_nobody_else_reads(folder: Path, write: Write) -> None:
    for made in write(folder):
        assert not made.is_symlink(), made
        assert stat.S_IMODE(made.stat().st_mode) == 0o600, made
        assert made.stat().st_size > 0
    assert (folder / "victim").read_bytes() == b"untouched"
