"""What a phone reads off the paper: pictures of the sent bytes, scanned by two readers, equal to the link."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import date

import pytest
import zxingcpp
from PIL import Image

from agent.domain.paper.receipt import Qr
from agent.domain.paper.sheet import Sheet
from printers.escpos.encode import encode
from printers.preview.a4 import render_a4
from printers.preview.pdf import render_pdf
from printers.preview.raster import MARGIN, render_png
from printers.profiles.models import PROFILES, QrMode
from tests.unit.printers.slips import (
    EC_LINK,
    INVOICE_LINK,
    LONGEST_EC_LINK,
    LONGEST_RSA_LINK,
    RSA_LINK,
    WIDTHS,
    invoice,
    profile,
)

ZBAR = shutil.which("zbarimg")


def by_zxing(png: bytes) -> list[str]:
    with Image.open(io.BytesIO(png)) as picture:
        return sorted(code.text for code in zxingcpp.read_barcodes(picture.convert("L")))


def by_zbar(png: bytes) -> list[str]:
    assert ZBAR is not None
    done = subprocess.run(
        [ZBAR, "--quiet", "--nodbus", "--raw", "-Sdisable", "-Sqrcode.enable", "png:-"],
        input=png,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return sorted(done.stdout.decode("ascii").split())


MATRIX = [
    pytest.param(name, mode, link, id=f"{name}-{mode.value}-{len(link)}")
    for name in WIDTHS
    for mode in QrMode
    for link in (EC_LINK, LONGEST_EC_LINK, RSA_LINK, LONGEST_RSA_LINK)
]


@pytest.mark.parametrize(("name", "mode", "link"), MATRIX)
def test_both_codes_are_read_by_zxing(name: str, mode: QrMode, link: str) -> None:
    kind = profile(name, mode)
    assert by_zxing(render_png(encode(invoice(link), kind), kind)) == sorted([INVOICE_LINK, link])


@pytest.mark.skipif(ZBAR is None, reason="zbarimg (Debian: zbar-tools) is not here")
@pytest.mark.parametrize(("name", "mode", "link"), MATRIX)
def test_both_codes_are_read_by_zbar(name: str, mode: QrMode, link: str) -> None:
    kind = profile(name, mode)
    assert by_zbar(render_png(encode(invoice(link), kind), kind)) == sorted([INVOICE_LINK, link])


def test_a_damaged_raster_is_noticed() -> None:
    kind = profile("generic-80", QrMode.RASTER)
    data = bytearray(encode(invoice(), kind))
    start = data.index(b"\x1dv0") + 8
    for place in range(start, start + 1500):
        data[place] ^= 0x5A
    assert by_zxing(render_png(bytes(data), kind)) == [EC_LINK]


@pytest.mark.parametrize("name", PROFILES)
def test_picture_is_the_paper_dot_by_dot(name: str) -> None:
    kind = PROFILES[name]
    with Image.open(io.BytesIO(render_png(encode(invoice(), kind), kind))) as picture:
        assert picture.width == kind.dots + 2 * MARGIN
        gray = picture.convert("L")
        box = gray.point([255] * 128 + [0] * 128).getbbox()
        assert box is not None
        if kind.cutter:  # the dashes of the cut go across the whole paper
            gray = gray.crop((0, 0, gray.width, gray.height - 60))
            box = gray.point([255] * 128 + [0] * 128).getbbox()
            assert box is not None
        assert box[0] >= MARGIN
        assert box[2] <= MARGIN + kind.dots


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm (Debian: poppler-utils) is not here")
@pytest.mark.parametrize("page", ["a4", "receipt"])
@pytest.mark.parametrize("link", [EC_LINK, LONGEST_RSA_LINK], ids=["ec", "rsa"])
def test_codes_of_the_pdf_are_read(page: str, link: str) -> None:
    pdf = _page(link) if page == "a4" else render_pdf(invoice(link))
    png = subprocess.run(
        ["pdftoppm", "-r", "200", "-png", "-singlefile", "-"],
        input=pdf,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert by_zxing(png) == sorted([INVOICE_LINK, link])


def _page(link: str) -> bytes:
    codes = tuple(element for element in invoice(link).elements if isinstance(element, Qr))
    return render_a4(Sheet("Próba", date(2026, 11, 24), head=(), parties=(), body=(), codes=codes))
