"""The package without what packaging/left-out names: everything imports, and every paper is made.

Here those files are there and refused; the package itself, where they are not, is used by `make test-nightly`.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.reference import FA3_SAMPLES

ROOT = Path(__file__).parents[3]
LIST = ROOT / "packaging/left-out"
LIBRARIES = Path(sysconfig.get_path("purelib"))

PROGRAM = """
import importlib.machinery, sys
from pathlib import Path

refused = set(sys.argv[2:])
find_spec = importlib.machinery.PathFinder.find_spec

def find_what_is_left(name, path=None, target=None):
    spec = find_spec(name, path, target)
    if spec is not None and spec.origin and left_out(Path(spec.origin)):
        return None
    return spec

def left_out(path):
    return not refused.isdisjoint({str(path), *map(str, path.parents)})

def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and left_out(Path(arguments[0])):
        raise FileNotFoundError(arguments[0])

importlib.machinery.PathFinder.find_spec = find_what_is_left
sys.addaudithook(hook)
exec(sys.argv[1])
"""
EVERYTHING = """
import importlib, io, pkgutil
from pathlib import Path
import agent, printers, schemas

for package in (agent, printers, schemas):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__") and ".postgresql" not in module.name:  # its driver: the hub's package
            importlib.import_module(module.name)

from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Mode
from agent.domain.paper.a4 import compose_a4
from agent.domain.paper.choice import PaperFacts, choose
from agent.domain.paper.receipt import Qr, Receipt, Text
from printers.escpos import bitmap
from printers.escpos.encode import encode
from printers.preview import a4, code_svg, pdf, plaintext, raster, report
from printers.profiles import python_escpos
from printers.profiles.models import PROFILES

xml, link = Path("@SAMPLE@").read_bytes(), "https://qr-test.ksef.mf.gov.pl/invoice/5265877635/01-02-2026/abc"
Fa3Schema(schemas.load(None)).check(xml)
view = read(xml)
paper = choose(PaperFacts(Mode.OFFLINE24, view.buyer.as_buyer().kind, view.number, kind=view.kind))
sheet = compose_a4(view, paper, xml, link_invoice=link, link_certificate=link)
profile = PROFILES["generic-80"]
slip = Receipt("Próba", (Text("Zażółć gęślą jaźń"), Qr(link, "OFFLINE")))
data = encode(slip, profile)
assert raster.render(data, profile, 1) and plaintext.decode(data, profile)
assert pdf.render_pdf(slip) and a4.render_a4(sheet) and code_svg.render_svg(link)
from PIL import Image
for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):
    logo = io.BytesIO()
    Image.new("L", (64, 64), 128).save(logo, kind)
    assert bitmap.of_logo(logo.getvalue(), profile)
assert python_escpos.names()
print("made")
""".replace("@SAMPLE@", str(FA3_SAMPLES[0]))


def patterns() -> list[str]:
    lines = [line.partition("#")[0].strip() for line in LIST.read_text("utf-8").splitlines()]
    return [line for line in lines if line]


def without(lines: list[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program for which no file that matches one of ``lines`` is there."""
    found = [str(path) for line in lines for path in LIBRARIES.glob(line)]
    return subprocess.run(
        (sys.executable, "-c", PROGRAM, program, *found), cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.nightly
def test_everything_is_made_without_what_is_left_out() -> None:
    done = without(patterns(), EVERYTHING)
    assert done.stdout == "made\n", done.stderr


@pytest.mark.parametrize(
    ("needed", "program"),
    [
        ("lxml/etree.*", "import agent.domain.fa3.schema"),
        ("reportlab/platypus", "import printers.preview.report"),
        ("escpos/capabilities.json", "from printers.profiles import python_escpos; python_escpos.names()"),
    ],
)
def test_a_module_a_folder_and_a_file_that_are_missing_are_seen(needed: str, program: str) -> None:
    assert without([], program).returncode == 0
    assert without([needed], program).returncode == 1


@pytest.mark.parametrize("line", patterns())
def test_a_line_names_files_of_the_libraries(line: str) -> None:
    """Except what pip writes only where it installs into a folder."""
    assert line in {"bin", "share"} or any(LIBRARIES.glob(line))
