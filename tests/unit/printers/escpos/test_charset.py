"""Text for code pages: Polish survives, commands do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers.escpos import charset

PAGES = ("cp852", "cp1250", "cp1257", "cp437", "cp1252", "iso8859-2", "mac_latin2")
POLISH = "Zażółć gęślą jaźń ZAŻÓŁĆ GĘŚLĄ JAŹŃ"


@pytest.mark.parametrize("encoding", ["cp852", "cp1250", "cp1257"])
def test_polish_letters_survive(encoding: str) -> None:
    assert charset.fit(POLISH, encoding) == POLISH
    assert charset.encode(POLISH, encoding).decode(encoding) == POLISH


def test_polish_letters_without_a_page_lose_their_tails_only() -> None:
    assert charset.fit("Żółć", "cp437") == "Zólc"  # cp437 has ó


def test_letters_typed_in_two_parts_are_joined() -> None:
    assert charset.fit("z\u0307o\u0301\u0142c\u0301", "cp852") == "żółć"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("5 €", "5 EUR"),
        ("A–B — C ─ D - E", "A–B – C – D - E"),
        ("„cytat”…", '"cytat"...'),
        ("2\u00a0szt.", "2 szt."),
        ("½ µm", "1/2 um"),
        ("m²", "m2"),
        ("ŁÓDŹ\r\n\tul.", "ŁÓDŹ ul."),
        ("prze\u00adnośny", "przenośny"),
        ("Київ, Ґанок, Щука", "Kyiv, Ganok, Shchuka"),
        ("日本 🍎", "RiBen ?"),
        ("ΑΒΓ Ελλάς ΑΕ", "AVG Ellas AE"),
        ("Λεωφόρος Κηφισίας 10", "Leoforos Kifisias 10"),
        ("თბილისი", "tbilisi"),
        ("Երևան", "Erevan"),
        ("नमस्ते", "nmste"),
        ("مرحبا", "mrhb"),
        ("Москва, Минск", "Moskva, Mynsk"),
        ("1½ cala, 10² m, 3″ i 5′", "1 1/2 cala, 10^2 m, 3\" i 5'"),
        ("½ cala, 2¼, 10⁻³, 10¹², 5³x", "1/2 cala, 2 1/4, 10^-3, 10^12, 5^3x"),
        ("H₂O, 10₂, 1½2, 7①", "H2O, 10_2, 1 1/2 2, 7 1"),
        ("１２３ ٣٤ ५", "123 34 5"),
        ("3 ≤ x ≥ 4 ≠ 5", "3 <= x >= 4 /= 5"),
        ("e\u0301\u0323x\u0335 n\u0308", "ex n"),
        ("\u202eשלום\u202c abc", "slvm abc"),
        ("👩‍👩‍👧 \U0001f1f5\U0001f1f1 ☎️", "??? ?? ?"),
        ("a\ud800b\ufffe\u0085c", "ab c"),
        ("ﬁrma № 5", "firma No 5"),
        ("  dużo   miejsca ", "dużo miejsca"),
    ],
)
def test_what_cp852_lacks_gets_its_likeness(typed: str, printed: str) -> None:
    assert charset.fit(typed, "cp852") == printed


@pytest.mark.parametrize(("encoding", "byte"), [("cp852", 0xC4), ("cp437", 0xC4), ("cp1250", 0x96), ("cp1257", 0x96)])
def test_the_dash_of_the_laws_labels_is_on_every_page(encoding: str, byte: int) -> None:
    label = "offline – awaria KSeF"
    assert charset.fit(label, encoding) == label
    assert charset.encode(label, encoding) == b"offline " + bytes((byte,)) + b" awaria KSeF"
    assert charset.decode(charset.encode(label, encoding), encoding) == label


def test_a_page_without_any_dash_prints_a_hyphen() -> None:
    assert charset.fit("a – b — c", "iso8859-2") == "a - b - c"


def test_cp1250_keeps_its_own_typography() -> None:
    assert charset.fit("„5 €” – …", "cp1250") == "„5 €” – …"


@given(st.text(max_size=120), st.sampled_from(PAGES))
def test_no_byte_of_text_commands_a_printer(typed: str, encoding: str) -> None:
    fitted = charset.fit(typed, encoding)
    data = charset.encode(fitted, encoding)
    assert all(byte >= 0x20 and byte != 0x7F for byte in data)
    assert len(data) == len(fitted)
    assert charset.fit(fitted, encoding) == fitted


def test_the_drawer_can_not_be_opened_by_a_name() -> None:
    assert charset.fit("Jan\x1bp\x00\x19\xfa", "cp852") == "Janpú"


def test_raw_control_characters_are_refused_by_the_last_gate() -> None:
    with pytest.raises(ValueError, match="control"):
        charset.encode("a\x1b@", "cp852")
