"""A copy of the hub's SQLite database beside a running hub."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.commands.hub import command
from agent.commands.hub.backup import copy
from agent.domain.errors import AgentError
from agent.hub.services.overview import BACKUP
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import offer, seller_and_till, sqlite_hub


async def test_a_copy_beside_a_running_hub_is_a_hub(tmp_path: Path) -> None:
    running, later = tmp_path / "running", tmp_path / "later"
    running.mkdir()
    later.mkdir()
    async with sqlite_hub(running, FakeClock()) as store:
        till = await seller_and_till(store)
        await store.write(lambda tx: tx.invoices.add(till, offer()))
        await asyncio.to_thread(copy, running / "hub.db", later / "hub.db")
        await store.write(lambda tx: tx.invoices.add(till, offer("FV-1/2")))
    assert (later / "hub.db").stat().st_mode & 0o777 == 0o600
    async with sqlite_hub(later, FakeClock()) as restored:
        assert await restored.check() is None
        assert await restored.read(lambda tx: tx.invoices.xml(offer().sha256)) == offer().xml
        assert await restored.read(lambda tx: tx.invoices.find(offer("FV-1/2").sha256)) is None


def test_the_nightly_copy_takes_the_place_of_last_weeks_and_is_noted(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(
        f'[hub]\nhost = "127.0.0.1"\ndata_dir = "{tmp_path}"\n[backup]\ndir = "{tmp_path / "copies"}"\n', "utf-8"
    )

    def run(*words: str) -> str:
        result = CliRunner().invoke(command, ["backup", *words, "--config", str(config)])
        assert result.exit_code == 0, result.output
        return result.output

    assert "nie ma czego" in run("--nightly"), "before the first start"

    async def fill() -> object:
        async with sqlite_hub(tmp_path, FakeClock()) as store:
            await seller_and_till(store)
            return await store.read(lambda tx: tx.log.value(BACKUP))

    assert asyncio.run(fill()) is None
    for _ in range(2):
        run("--nightly")
    (made,) = (tmp_path / "copies").iterdir()
    assert made.name.startswith("hub-")
    assert CliRunner().invoke(command, ["backup", "--config", str(config)]).exit_code == 2
    config.write_text('[hub]\nhost = "127.0.0.1"\ndsn = "postgresql:///hub"\n', "utf-8")
    assert "PostgreSQL" in run("--nightly")

    async def noted() -> object:
        async with sqlite_hub(tmp_path, FakeClock()) as store:
            return await store.read(lambda tx: tx.log.value(BACKUP))

    assert isinstance(asyncio.run(noted()), dict)


def test_a_damaged_database_leaves_no_copy(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(AgentError):
        copy(tmp_path / "hub.db", tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))


def test_the_command_replaces_nothing_and_says_what_postgresql_wants(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    for more, taken in (('dsn = "postgresql:///hub"\n', "pg_dump"), ("", "nie ma bazy")):
        config.write_text(f'[hub]\nhost = "127.0.0.1"\ndata_dir = "{tmp_path}"\n{more}', "utf-8")
        config.chmod(0o600)
        result = CliRunner().invoke(command, ["backup", str(tmp_path / "copy.db"), "--config", str(config)])
        assert isinstance(result.exception, AgentError)
        assert taken in str(result.exception)


def test_an_upgrade_replaces_its_copy_and_copies_nothing_where_nothing_is(tmp_path: Path) -> None:
    """What preinst of the Debian package calls."""
    config = tmp_path / "hub.toml"
    target = tmp_path / "before.db"

    def run() -> None:
        words = ["backup", "--force", "--if-present", str(target), "--config", str(config)]
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 0, result.output

    for more in ('dsn = "postgresql:///hub"\n', ""):
        config.write_text(f'[hub]\nhost = "127.0.0.1"\ndata_dir = "{tmp_path}"\n{more}', "utf-8")
        config.chmod(0o600)
        run()
        assert not target.exists()

    async def begin() -> None:
        async with sqlite_hub(tmp_path, FakeClock()):
            pass

    asyncio.run(begin())
    for _ in range(2):
        run()
        assert target.exists()


def test_a_copy_never_takes_the_place_of_the_database(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(f'[hub]\nhost = "127.0.0.1"\ndata_dir = "{tmp_path}"\n', "utf-8")

    async def fill() -> None:
        async with sqlite_hub(tmp_path, FakeClock()) as store:
            await seller_and_till(store)

    asyncio.run(fill())
    before = (tmp_path / "hub.db").stat().st_ino
    words = ["backup", str(tmp_path / "hub.db"), "--force", "--config", str(config)]
    refused = CliRunner().invoke(command, words)
    assert isinstance(refused.exception, AgentError)
    assert "to sama baza danych" in str(refused.exception)
    assert (tmp_path / "hub.db").stat().st_ino == before
