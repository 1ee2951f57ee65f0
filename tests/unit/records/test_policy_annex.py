"""The annex to the accounting policy: filled from the settings, Polish, exactly two pages whatever they are."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pypdf
import pytest
from click.testing import CliRunner

from agent.commands.annex import command
from agent.domain.invoice import Address, Seller
from agent.domain.records.policy_annex import policy_annex
from agent.services.records.annex import annex_facts
from agent.settings.model import (
    BackupSettings,
    IssueSettings,
    KsefSettings,
    PaperSettings,
    RetentionSettings,
    Settings,
    SyncSettings,
)
from printers.preview.report import render_report
from tests.fakes.world import settings

DAY = date(2026, 11, 28)


def pages_of(given: Settings) -> list[str]:
    data = render_report(policy_annex(annex_facts(given, DAY)))
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def fullest(folder: Path) -> Settings:
    """Everything set, and as long as it may be."""
    return replace(
        settings(folder),
        seller=Seller("5265877635", "Ż" * 512, Address("ul. " + "Ł" * 508, "00-001 " + "W" * 505)),
        till="K" * 20,
        issue=IssueSettings(
            series="S" * 200,
            correction_series="Q" * 200,
            offline_series="O" * 200,
            offline_correction_series="F" * 200,
            prefer="offline24",
            consumers_in_ksef=False,
            cash_register="E" * 200,
        ),
        ksef=replace(KsefSettings(), route="hub"),
        paper=PaperSettings(offline_domestic="invoice"),
        sync=SyncSettings(", ".join(f"{hour:02}:00-{hour + 1:02}:00" for hour in range(0, 22, 2))),
        backup=BackupSettings(Path("/" + "kopie/" * 60)),
        retention=RetentionSettings(export_dir=Path("/" + "archiwum/" * 60), hold_until=date(2034, 6, 30)),
    )


@pytest.mark.parametrize("kind", ["defaults", "fullest", "nothing erased"])
def test_it_has_exactly_two_pages(tmp_path: Path, kind: str) -> None:
    given = {
        "defaults": settings(tmp_path),
        "fullest": fullest(tmp_path),
        "nothing erased": replace(settings(tmp_path), retention=RetentionSettings(erase_consumers=False)),
    }[kind]
    pages = pages_of(given)
    assert len(pages) == 2
    assert "1. Odpowiedzialność" in pages[0]
    assert "4. Przesyłanie do KSeF" in pages[1]
    assert "kierownik jednostki: data, podpis" in pages[1]


def test_it_is_filled_from_the_settings(tmp_path: Path) -> None:
    own = settings(tmp_path)
    given = replace(
        own,
        issue=replace(own.issue, offline_series="OFF-{till}", cash_register="EAZ 2301234567"),
        sync=SyncSettings("22:00-06:00"),
        retention=RetentionSettings(limitation_years=6, hold_until=date(2033, 1, 15)),
    )
    text = " ".join(pages_of(given))
    for words in (
        "Sklep Testowy sp. z o.o., NIP 5265877635",
        "FV-1; FK-1",
        "OFF-1",
        "FV-1/2026/11/000001",
        "EAZ 2301234567",
        "22:00-06:00",
        "6 lat od końca roku",
        "15.01.2033",
        "28.11.2026",
    ):
        assert words in text, words


def test_what_is_not_set_is_told_otherwise(tmp_path: Path) -> None:
    own = settings(tmp_path)
    assert "Kasa wystawia online" in pages_of(own)[0]
    offline = replace(own, issue=replace(own.issue, prefer="offline24", consumers_in_ksef=False))
    assert "wybrał offline24" in pages_of(offline)[0]
    assert "poza KSeF (art. 106ga ust. 2 pkt 4" in pages_of(offline)[0].replace("\u00a0", " ")
    assert "Program nie usuwa danych" in pages_of(replace(own, retention=RetentionSettings(erase_consumers=False)))[1]


def test_the_command_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'data_dir = "{tmp_path}"\n[seller]\nnip = "5265877635"\nname = "Sklep"\n'
        '[seller.address]\nline1 = "ul. Próbna 1"\n'
    )
    target = tmp_path / "zalacznik.pdf"
    done = CliRunner().invoke(command, ["--config", str(file), "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert len(pypdf.PdfReader(target).pages) == 2
    shown = CliRunner().invoke(command, ["--config", str(file), "--json"])
    assert '"limitation_years": 5' in shown.output
    assert CliRunner().invoke(command, ["--config", str(file)]).exit_code == 2
