"""Whose a database is: settings of another firm are refused, those of another till are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.app import assembled
from agent.commands import check
from agent.commands.check import Finding
from agent.domain.errors import ConfigError
from agent.settings.load import load
from agent.settings.model import BackupSettings, Settings
from agent.store.sqlite import DATABASE
from tests.fakes.agent_with_sandbox import DECLARED, agent_with_sandbox
from tests.fakes.world import settings
from tests.unit.store.test_restore import sell

OTHER_FIRM = "1111111111"


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    seller = replace(settings(tmp_path).seller, nip="5265877635")
    made = replace(settings(tmp_path / "data"), seller=seller, backup=BackupSettings(dir=tmp_path / "copies"))
    sell(made.data_dir / DATABASE, 3)
    return made


def look(given: Settings) -> Finding:
    findings = {each.name: each for each in asyncio.run(check._check(given, offline=True))}
    return findings["sprzedawca i kasa"]


def test_its_own_is_well(given: Settings) -> None:
    assert look(given) == Finding("sprzedawca i kasa", True, "NIP 5265877635, kasa „1”")


def test_that_of_another_firm_is_told(given: Settings) -> None:
    found = look(replace(given, seller=replace(given.seller, nip=OTHER_FIRM)))
    assert not found.ok
    assert "są faktury sprzedawcy 5265877635, a ustawienia są dla 1111111111" in found.message


def test_a_copied_disk_is_told_until_the_first_invoice_of_the_till(given: Settings) -> None:
    found = look(replace(given, till="2"))
    assert not found.ok
    assert "nie ma żadnej faktury kasy „2”, są serie: FV-1" in found.message


def test_a_till_whose_series_goes_by_another_name_now_is_known_by_its_older_numbers(given: Settings) -> None:
    chosen = replace(given, issue=replace(given.issue, series="FV-1", correction_series="FK-9"))
    assert look(chosen).ok


async def test_an_agent_does_not_start_with_the_settings_of_another_firm(tmp_path: Path) -> None:
    """What waits would go to KSeF as that firm's, and its register and JPK would have the invoices of both."""
    async with agent_with_sandbox(tmp_path, extra=DECLARED) as both:
        await both.sell(
            buyer={"nip": "5261040828", "name": "Nabywca", "address": {"line1": "ul. Polna 2", "line2": "W"}}
        )
    config = tmp_path / "agent.toml"
    text = config.read_text("utf-8")
    async with assembled(load(config)) as again:
        assert again.store is not None
    config.write_text(text.replace('nip = "5265877635"', f'nip = "{OTHER_FIRM}"'), "utf-8")
    with pytest.raises(ConfigError, match=r"seller\.nip: w bazie danych .* są faktury sprzedawcy 5265877635"):
        async with assembled(load(config)):
            pass
