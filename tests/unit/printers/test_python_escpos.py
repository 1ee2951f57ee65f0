"""Profiles out of python-escpos: what they take over, what they refuse, and how ours compare with them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner

from agent.commands import print_test
from agent.domain.errors import ConfigError
from agent.settings.model import PrinterSettings
from printers.escpos.charset import fit
from printers.escpos.encode import check_profile, encode
from printers.profiles import python_escpos
from printers.profiles.lookup import profile_for
from printers.profiles.models import PROFILES, Answers, Profile, QrMode
from tests.unit.printers.slips import LONGEST_RSA_LINK, invoice

POLISH = "ĄĆĘŁŃÓŚŹŻąćęłńóśźż"


def profile(model: str, **changes: object) -> Profile:
    return profile_for(PrinterSettings(profile=f"escpos:{model}", **changes))  # type: ignore[arg-type]


def problems(model: str, **changes: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        profile(model, **changes)
    return caught.value.problems


def usable() -> list[Profile]:
    found = []
    for name in python_escpos.names():
        try:
            found.append(profile(name.removeprefix("escpos:")))
        except ConfigError:
            continue
    return found


@pytest.mark.parametrize("kind", usable(), ids=lambda kind: kind.name)
def test_a_profile_of_the_database_prints_an_invoice(kind: Profile) -> None:
    assert kind.columns_a * kind.cell_a <= kind.dots
    assert kind.columns_b * kind.cell_b <= kind.dots
    assert kind.cell_b < kind.cell_a
    assert kind.columns_b >= 35  # the KSeF number on one line
    assert fit(POLISH, kind.encoding) == POLISH
    check_profile(kind, len(LONGEST_RSA_LINK))
    assert encode(invoice(), kind)


def test_what_the_database_says_is_taken_over() -> None:
    kind = profile("TM-T20II")
    assert (kind.title, kind.dots, kind.columns_a, kind.columns_b) == ("Epson TM-T20II", 576, 48, 64)
    assert (kind.code_page, kind.encoding, kind.qr, kind.cutter) == (18, "cp852", QrMode.NATIVE, True)
    assert kind.answers is Answers.PROCESS_ID  # our own profile knows that; the database does not
    assert profile("KR-306").answers is Answers.GS_R
    assert profile("TH230").qr is QrMode.RASTER
    assert not profile("POS-5890").cutter


@pytest.mark.parametrize(("model", "page"), [("POS-5890", 18), ("CT-S651", 18), ("KR-306", 13), ("TH230", 2)])
def test_of_several_pages_the_usual_one(model: str, page: int) -> None:
    assert profile(model).code_page == page


def test_width_of_a_letter_instead_of_columns() -> None:
    kind = profile("NT-80-V-UL")
    assert (kind.columns_a, kind.columns_b) == (48, 64)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("TM-T88III", ["code_page i encoding"]),
        ("TM-T88IV-SA", ["code_page i encoding"]),
        ("T-1", ["code_page i encoding"]),
        ("simple", ["dots", "code_page i encoding"]),
        ("RP326", ["dots"]),
        ("ZJ-5870", ["columns_small"]),
        ("TSP600", ["star-escpos"]),
        ("TM-U220", ["nie drukuje kodów QR"]),
        ("OCD-300", ["nie drukuje kodów QR"]),
        ("TM-T2000", ["nie zna takiego modelu. Zna: AF-240, "]),
    ],
)
def test_what_is_missing_is_named(model: str, named: list[str]) -> None:
    said = problems(model)
    assert len(said) == len(named)
    for sentence, word in zip(said, named, strict=True):
        assert sentence.startswith(f"Drukarka „paragon”, profil „escpos:{model}”: ")
        assert word in sentence


def test_what_is_missing_may_be_set() -> None:
    assert profile("TM-T88III", code_page=45, encoding="cp1250").encoding == "cp1250"
    assert profile("ZJ-5870", columns_small=42).columns_b == 42
    kind = profile("simple", dots=384, columns=32, columns_small=42, code_page=18, encoding="cp852")
    assert (kind.dots, kind.columns_a, kind.columns_b, kind.answers) == (384, 32, 42, Answers.GS_R)


def test_half_a_code_page_is_not_enough() -> None:
    assert len(problems("TM-T88III", code_page=18)) == 1


DIFFERENT = {
    "CT-S651": {"dots"},  # the database gives the whole head (80 mm); the printable width of the roll is 72 mm
    "NT-5890K": {"code_page", "encoding"},  # goes back to its page 25 (CP1257) at every ESC M: python-escpos #729
}
"""Where ours differ from the database, and why."""
NOT_COMPARABLE = {
    "TM-T88III": "no page with Polish letters; ours prints them without tails",
    "RP326": "the database does not know its width",
    "ZJ-5870": "the database does not know its font B",
}


@pytest.mark.parametrize(("model", "ours"), python_escpos.SAME_PRINTER.items())
def test_our_profiles_agree_with_the_database(model: str, ours: str) -> None:
    if model in NOT_COMPARABLE:
        assert problems(model)
        return
    theirs, own = profile(model), PROFILES[ours]
    names = {field.name for field in fields(Profile)} - {"name", "title"}
    assert {name for name in names if getattr(theirs, name) != getattr(own, name)} == DIFFERENT.get(model, set())


def test_the_rest_of_an_unknown_width_agrees_too() -> None:
    kind = profile("RP326", dots=576, columns=48, columns_small=64)
    own = PROFILES["xprinter-80"]
    assert (kind.code_page, kind.qr, kind.cutter, kind.answers) == (own.code_page, own.qr, own.cutter, own.answers)


def test_the_library_is_not_woken() -> None:
    """Neither its loader (logging, stdout, temporary folders, 0.4 s) nor anything at all without such a profile."""
    code = (
        "import logging, sys, tempfile\n"
        "tempfile.mkdtemp = None\n"
        "from agent.settings.model import PrinterSettings\n"
        "from printers.profiles.lookup import profile_for\n"
        "profile_for(PrinterSettings())\n"
        "assert 'escpos' not in sys.modules\n"
        "profile_for(PrinterSettings(profile='escpos:TM-T20II'))\n"
        "assert 'escpos.capabilities' not in sys.modules\n"
        "assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_print_test_lists_every_profile() -> None:
    done = CliRunner().invoke(print_test.command, ["--profiles"])
    assert done.exit_code == 0
    listed = [line.split()[0] for line in done.output.splitlines()]
    assert listed == [*PROFILES, *python_escpos.names()]
    assert "Sunmi V2" in done.output
