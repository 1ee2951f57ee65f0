"""Profiles: sane numbers, overrides, and the names the documents promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.settings.model import PrinterSettings
from printers.escpos.charset import fit
from printers.escpos.encode import check_profile
from printers.profiles.lookup import profile_for
from printers.profiles.models import PROFILES, Answers, Profile, QrMode
from tests.unit.printers.slips import LONGEST_RSA_LINK

POLISH = "ĄĆĘŁŃÓŚŹŻąćęłńóśźż"


@pytest.mark.parametrize("kind", PROFILES.values(), ids=str)
def test_profile_makes_sense(kind: Profile) -> None:
    assert kind.columns_a * kind.cell_a <= kind.dots
    assert kind.columns_b * kind.cell_b <= kind.dots
    assert kind.cell_b < kind.cell_a
    assert kind.columns_b >= 35  # the KSeF number on one line
    check_profile(kind, len(LONGEST_RSA_LINK))
    if kind.encoding != "cp437":  # TM-T88III has no page with Polish letters in any known table
        assert fit(POLISH, kind.encoding) == POLISH


@pytest.mark.parametrize(
    ("name", "dots", "columns"), [("generic-80", 576, 48), ("generic-80-512", 512, 42), ("generic-58", 384, 32)]
)
def test_generic_profiles(name: str, dots: int, columns: int) -> None:
    kind = profile_for(PrinterSettings(profile=name))
    assert (kind.name, kind.dots, kind.columns_a, kind.answers) == (name, dots, columns, Answers.GS_R)


def test_everything_can_be_overridden() -> None:
    kind = profile_for(
        PrinterSettings(
            dots=400,
            columns=30,
            columns_small=40,
            dpi=180,
            cutter=False,
            code_page=45,
            encoding="cp1250",
            qr="raster",
            answers=False,
        )
    )
    assert kind == replace(
        PROFILES["generic-80"],
        dots=400,
        columns_a=30,
        columns_b=40,
        dpi=180,
        cutter=False,
        code_page=45,
        encoding="cp1250",
        qr=QrMode.RASTER,
        answers=Answers.NONE,
    )


def test_other_width_keeps_the_size_of_the_letters() -> None:
    kind = profile_for(PrinterSettings(dots=512))
    assert (kind.columns_a, kind.columns_b) == (42, 56)


@pytest.mark.parametrize(
    ("connection", "answers", "expected"),
    [
        ("tcp", None, Answers.GS_R),
        ("tcp", False, Answers.NONE),
        ("file", None, Answers.NONE),
        ("file", True, Answers.GS_R),
        ("cups", None, Answers.NONE),
    ],
)
def test_who_can_answer(connection: str, answers: bool | None, expected: Answers) -> None:
    assert profile_for(PrinterSettings(connection=connection, answers=answers)).answers is expected


def test_printer_said_to_answer_is_asked_by_gs_r() -> None:
    assert profile_for(PrinterSettings(profile="pos-58", answers=True)).answers is Answers.GS_R


def test_fonts_come_with_their_license() -> None:
    folder = Path(__file__).parents[3] / "printers" / "fonts"
    assert "Bitstream" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert len(list(folder.glob("*.ttf"))) == 3
