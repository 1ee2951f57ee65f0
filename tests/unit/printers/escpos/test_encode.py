"""The bytes: what they say when they are read back, for every width and both kinds of QR code."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.domain.paper.receipt import Align, Pair, Qr, Receipt, Rule, Text
from printers.escpos import bitmap, parse, qr
from printers.escpos.charset import fit, printable
from printers.escpos.encode import check_profile, encode, sheet
from printers.escpos.layout import Code, lay_out
from printers.escpos.printed_page import CodeBox, Page, PageError, PictureBox, TextBox, TooWide, compose
from printers.escpos.qr import QrNotAscii, QrTooWide
from printers.preview import plaintext
from printers.profiles.models import PROFILES, Profile, QrMode
from tests.unit.printers.slips import (
    EC_LINK,
    INVOICE_LINK,
    KSEF_NUMBER,
    LONGEST_EC_LINK,
    LONGEST_RSA_LINK,
    RSA_4096_LINK,
    RSA_LINK,
    WIDTHS,
    invoice,
    profile,
    receipt,
    receipts,
    squeezed,
)

EPSON = PROFILES["epson-tm-t20"]
START = bytes.fromhex("1b40 1c2e 1b5200 1b7412")
CUT = bytes.fromhex("1d564200")


def boxes_of(page: Page, kind: type) -> list:  # type: ignore[type-arg]
    return [box for box in page.boxes if isinstance(box, kind)]


# --- golden bytes -----------------------------------------------------------------------------------


def test_a_line_of_polish() -> None:
    data = encode(receipt(Text("Zażółć")), EPSON)
    assert data == START + b"Za\xbe\xa2\x88\x86\n" + CUT


def test_code_page_is_selected_again_after_every_change_of_font() -> None:
    data = encode(receipt(Text(KSEF_NUMBER, unbroken=True), Text("ż")), PROFILES["generic-58"])
    assert data.count(b"\x1bM") == 2
    assert data.count(b"\x1bM\x01\x1bt\x12") == 1
    assert data.count(b"\x1bM\x00\x1bt\x12") == 1


def test_state_is_only_sent_where_it_changes() -> None:
    data = encode(receipt(Text("a", bold=True), Text("b", bold=True), Text("c")), EPSON)
    assert data == START + b"\x1bE\x01a\nb\n\x1bE\x00c\n" + CUT


def test_sizes_of_letters() -> None:
    data = encode(receipt(Text("a", tall=True), Pair("b", "1", large=True), Text("c")), EPSON)
    assert data == START + b"\x1d!\x01a\n\x1d!\x11b" + b"1".rjust(23) + b"\n\x1d!\x00c\n" + CUT


def test_native_code() -> None:
    data = encode(receipt(Qr("https://x", "OFFLINE")), EPSON)
    code = (
        b"\x1ba\x01\n\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1"
        b"\x1d(k\x0c\x001P0https://x\x1d(k\x03\x001Q0\n"
    )
    assert data == START + code + b"OFFLINE\n\x1ba\x00" + CUT


def test_a_job_leaves_no_letters_large_bold_or_centred_behind() -> None:
    data = encode(receipt(Text("a", Align.CENTER, bold=True, tall=True), Text("9" * 50, unbroken=True)), EPSON)
    small = encode(receipt(Text("9" * 50, unbroken=True)), PROFILES["epson-tm-t20"])
    left_behind = encode(receipt(Text("a", Align.CENTER, bold=True, tall=True)), EPSON)
    assert data.endswith(b"\x1bM\x00\x1bt\x12" + CUT)
    assert small.endswith(b"\x1bM\x00\x1bt\x12" + CUT)
    assert left_behind.endswith(b"\x1ba\x00\x1bE\x00\x1d!\x00" + CUT)


def test_printer_without_cutter_feeds_to_its_edge() -> None:
    assert encode(receipt(Text("a")), PROFILES["generic-58"]).endswith(b"a\n\x1bd\x05")


# --- drawer and logo ----------------------------------------------------------------------------------


def test_drawer_opens_only_where_the_receipt_says_so() -> None:
    assert not compose(encode(receipt(Text("a")), EPSON), EPSON).drawer
    assert compose(encode(receipt(Text("a"), open_drawer=True), EPSON), EPSON).drawer


def picture_file(size: tuple[int, int] = (600, 100)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, 0).save(out, "PNG")
    return out.getvalue()


def test_logo_stands_on_top_and_is_no_wider_than_the_paper() -> None:
    logo = bitmap.of_logo(picture_file(), EPSON)
    page = compose(encode(receipt(Text("a")), EPSON, logo=logo), EPSON)
    first = page.boxes[0]
    assert isinstance(first, PictureBox)
    assert (first.width, first.height) == (576, 97)  # 96 rows and one more: never a multiple of 48


def test_receipt_may_do_without_the_logo() -> None:
    logo = bitmap.of_logo(picture_file(), EPSON)
    assert b"\x1dv0" not in encode(Receipt("x", (Text("a"),), logo=False), EPSON, logo=logo)


def test_logo_that_is_no_picture_or_far_too_tall() -> None:
    with pytest.raises(ValueError, match="plik z obrazem"):
        bitmap.of_logo(b"<svg/>", EPSON)
    with pytest.raises(ValueError, match="wierszy"):
        bitmap.of_logo(picture_file((100, 400)), EPSON)


@pytest.mark.parametrize("command", [b"\x10\x04", b"\x10\x05", b"\x10\x14"])
def test_no_picture_contains_a_real_time_command(command: bytes) -> None:
    image = Image.frombytes("1", (16, 24), bytes(byte ^ 0xFF for byte in command * 24))
    out = io.BytesIO()
    image.save(out, "PNG")
    picture = bitmap.of_logo(out.getvalue(), EPSON)
    assert command not in picture.data
    assert picture.data.count(bytes((0x11, command[1]))) == 24


# --- text equal after decoding, nothing wider than the paper --------------------------------------------


def said(slip: Receipt, sheet_profile: Profile) -> str:
    items = lay_out(slip, sheet(sheet_profile))
    return squeezed("".join("" if isinstance(item, Code) else item.text for item in items))


def read_back(page: Page) -> str:
    return squeezed("".join(box.text for box in page.boxes if isinstance(box, TextBox)))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("link", [EC_LINK, RSA_LINK], ids=["ec", "rsa"])
def test_every_profile_prints_the_whole_invoice(name: str, link: str) -> None:
    page = compose(encode(invoice(link), PROFILES[name]), PROFILES[name])
    assert read_back(page) == said(invoice(link), PROFILES[name])
    assert KSEF_NUMBER in [box.text for box in page.boxes if isinstance(box, TextBox)]


@given(receipts, st.sampled_from([*PROFILES.values()]))
def test_any_text_prints_without_a_control_byte(slip: Receipt, kind: Profile) -> None:
    commands = parse.parse(encode(slip, kind))
    written = b"".join(command.data for command in commands if isinstance(command, parse.Characters))
    assert all(printable(byte) for byte in written)
    assert not any(isinstance(command, parse.Drawer | parse.Raster | parse.QrStore) for command in commands)
    assert read_back(compose(encode(slip, kind), kind)) == said(slip, kind)


@given(st.text(max_size=300), st.sampled_from(WIDTHS), st.sampled_from(QrMode))
def test_a_code_takes_only_links(payload: str, name: str, mode: QrMode) -> None:
    kind = profile(name, mode)
    is_link = payload != "" and all("!" <= letter <= "~" for letter in payload)
    try:
        page = compose(encode(receipt(Qr(payload, "x")), kind), kind)
    except QrNotAscii:
        assert not is_link
    else:
        assert is_link
        assert page.boxes


# --- QR sizes (docs/printing.md, section 4) ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "link", "module"),
    [
        ("generic-80", INVOICE_LINK, 6),
        ("generic-80", EC_LINK, 6),
        ("generic-80", RSA_LINK, 6),
        ("generic-80", RSA_4096_LINK, 4),
        ("generic-80-512", RSA_LINK, 5),
        ("generic-80-512", RSA_4096_LINK, 4),
        ("generic-58", INVOICE_LINK, 6),
        ("generic-58", EC_LINK, 5),
        ("generic-58", RSA_LINK, 4),
    ],
)
@pytest.mark.parametrize("mode", QrMode)
def test_module_is_as_large_as_the_paper_allows(name: str, link: str, module: int, mode: QrMode) -> None:
    kind = profile(name, mode)
    commands = parse.parse(encode(receipt(Qr(link, "x")), kind))
    if mode is QrMode.NATIVE:
        assert parse.QrModule(module) in commands
    else:
        (raster,) = [command for command in commands if isinstance(command, parse.Raster)]
        scale = 2 if raster.mode == bitmap.QUADRUPLE else 1
        modules = (raster.height * scale - raster.height * scale % module) // module
        assert module % scale == 0
        assert modules % 4 == 1  # 17 + 4 v modules and 8 of quiet zone


@pytest.mark.parametrize("module", [4, 5, 6])
def test_raster_is_the_code_dot_by_dot(module: int) -> None:
    picture = bitmap.of_code(EC_LINK.encode("ascii"), module)
    scale = 2 if picture.mode == bitmap.QUADRUPLE else 1
    modules = qr.matrix(EC_LINK.encode("ascii"))
    side = len(modules) + 8

    def black(x: int, y: int) -> bool:
        row, column = y * scale // module - 4, x * scale // module - 4
        return 0 <= row < len(modules) and 0 <= column < len(modules) and modules[row][column] == "1"

    width = picture.width_bytes * 8
    for y in range(picture.height):
        row = picture.data[y * picture.width_bytes : (y + 1) * picture.width_bytes]
        bits = [bool(row[x // 8] >> (7 - x % 8) & 1) for x in range(width)]
        assert bits == [black(x, y) for x in range(width)]
    assert picture.height in (side * module // scale, side * module // scale + 1)


def test_a_code_that_does_not_fit_is_known_at_start() -> None:
    with pytest.raises(QrTooWide, match="384"):
        check_profile(PROFILES["generic-58"], len(RSA_4096_LINK))
    check_profile(PROFILES["generic-58"], len(LONGEST_RSA_LINK))
    with pytest.raises(QrTooWide):
        encode(receipt(Qr(RSA_4096_LINK, "x")), PROFILES["generic-58"])
    with pytest.raises(QrTooWide):
        check_profile(EPSON, 3000)


def test_weak_firmware_gets_long_links_as_pictures() -> None:
    weak = PROFILES["generic-80"]
    short = parse.parse(encode(receipt(Qr(LONGEST_EC_LINK, "x")), weak))
    long = parse.parse(encode(receipt(Qr(RSA_LINK, "x")), weak))
    assert any(isinstance(command, parse.QrPrint) for command in short)
    assert not any(isinstance(command, parse.QrPrint) for command in long)
    assert any(isinstance(command, parse.Raster) for command in long)


@pytest.mark.parametrize("name", WIDTHS)
def test_quiet_zone_is_four_modules_on_every_side(name: str) -> None:
    page = compose(encode(receipt(Text("nad"), Qr(RSA_LINK, "pod")), profile(name, QrMode.NATIVE)), PROFILES[name])
    (code,) = boxes_of(page, CodeBox)
    above, *_, below = boxes_of(page, TextBox)
    quiet = 4 * code.module
    assert code.x >= quiet
    assert page.width - code.x - code.width >= quiet
    assert code.y - (above.y + above.height) >= quiet
    assert below.y - (code.y + code.width) >= quiet


@pytest.mark.parametrize("height", [48, 96])
def test_no_raster_has_a_height_that_desyncs_weak_printers(height: int) -> None:
    assert bitmap.of_frame(64, height).height == height + 1


def test_receipts_stay_small() -> None:
    native = len(encode(invoice(), profile("generic-80", QrMode.NATIVE)))
    raster = len(encode(invoice(), profile("generic-80", QrMode.RASTER)))
    assert native < 1_500
    assert raster < 12_000


# --- the reader is strict -----------------------------------------------------------------------------------


def test_reader_refuses_what_a_printer_would_print_wrong() -> None:
    with pytest.raises(PageError, match="code page None"):
        compose(b"\x1b@\xa5\n", EPSON)
    with pytest.raises(PageError, match="code page None"):
        compose(START + b"\x1bM\x01\xa5\n", EPSON)
    with pytest.raises(TooWide):
        compose(START + b"x" * 49 + b"\n", EPSON)
    with pytest.raises(PageError, match="inside a line"):
        compose(START + b"x\x1ba\x01\n", EPSON)
    with pytest.raises(PageError, match="ends inside"):
        compose(START + b"x", EPSON)
    with pytest.raises(TooWide):
        compose(encode(receipt(Qr(RSA_LINK, "x")), EPSON), PROFILES["generic-58"])


def test_text_preview() -> None:
    slip = receipt(Text("Faktura", bold=True, large=True), Pair("Chleb", "4,99"), Rule(), Qr(INVOICE_LINK, "OFFLINE"))
    assert plaintext.decode(encode(slip, EPSON), EPSON) == "\n".join(
        (
            "Faktura",
            "Chleb" + "4,99".rjust(43),
            "-" * 48,
            "",
            f"[QR] {INVOICE_LINK}",
            "",
            " " * 20 + "OFFLINE",
            "",
        )
    )


def test_other_encodings_are_read_back_in_their_own() -> None:
    kind = replace(EPSON, code_page=45, encoding="cp1250")
    assert plaintext.decode(encode(receipt(Text("„5 €” żółć")), kind), kind) == "„5 €” żółć\n"
    assert fit("„", "cp852") == '"'
