"""FA(3) of random sales: valid for libxml2, for xmllint and for a validator in Python; sums and links counted anew."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from agent.domain.fa3.build import build_invoice
from agent.domain.invoice import Prices, Sale, VatRate
from agent.domain.links import certificate_path, invoice_link
from tests.reference import FA3_SAMPLES
from tests.unit.sale.sale_samples import NOW, SELLER, sales

FOLDER = Path(schemas.__file__).parent / "fa3"
MAIN = FOLDER / "schemat_FA(3)_v1-0E.xsd"
ADDRESS = "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2022/01/05/eD/DefinicjeTypy/"
SALES = 25
"""Of a change; one takes 15 ms."""
ROUNDED = {"23": Fraction(23, 100), "22": Fraction(22, 100), "8": Fraction(8, 100), "7": Fraction(7, 100),
           "5": Fraction(5, 100), "4": Fraction(4, 100), "3": Fraction(3, 100)}  # fmt: skip
FIELDS = {"23": "1", "22": "1", "8": "2", "7": "2", "5": "3", "4": "4", "3": "4", "0 KR": "6_1", "0 WDT": "6_2",
          "0 EX": "6_3", "zw": "7", "np I": "8", "np II": "9", "oo": "10"}  # fmt: skip
"""P_12 -> its P_13_x (broszura FA(3))."""
SPOILT = (
    (b"<P_15>", b"<P_15>x"),
    (b"<KodWaluty>", b"<KodWaluty>Q"),
    (b"<RodzajFaktury>", b"<RodzajFaktury>Z"),
)
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def made(this: Sale) -> bytes:
    return build_invoice(this, SELLER, number="FV-1/2026/11/000001", issued_at=NOW, system_info="ksef-agent")


def drawn() -> list[bytes]:
    """The same random sales each time."""
    found: list[bytes] = []

    @seed(20261129)
    @settings(
        max_examples=SALES, deadline=None, database=None, derandomize=False, suppress_health_check=list(HealthCheck)
    )
    @given(sales())
    def draw(this: Sale) -> None:
        found.append(made(this))

    draw()
    return found


@pytest.fixture(scope="module")
def invoices() -> list[bytes]:
    return [*dict.fromkeys(drawn()), *(path.read_bytes() for path in FA3_SAMPLES)]


@pytest.fixture(scope="module")
def offline_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official schema with what it imports beside it: neither validator asks a network."""
    folder = tmp_path_factory.mktemp("xsd")
    for path in FOLDER.glob("*.xsd"):
        text = path.read_text("utf-8")
        for other in FOLDER.glob("*.xsd"):
            text = text.replace(f"{ADDRESS}{other.name}", other.name)
        (folder / path.name).write_text(text, "utf-8")
    return folder / MAIN.name


def test_libxml2_finds_them_valid(invoices: list[bytes], offline_schemas: Path) -> None:
    """The engine of xmllint, which every machine has with lxml; of the agent's own reading nothing takes part."""
    schema = etree.XMLSchema(etree.parse(str(offline_schemas)))
    for xml in invoices:
        assert schema.validate(etree.fromstring(xml)), schema.error_log
    for good, bad in SPOILT:
        assert not schema.validate(etree.fromstring(invoices[0].replace(good, bad)))


def test_xmllint_finds_them_valid(invoices: list[bytes], offline_schemas: Path, tmp_path: Path) -> None:
    if shutil.which("xmllint") is None:
        need = "xmllint is missing: apt-get install libxml2-utils"
        pytest.fail(need) if os.environ.get("CI") else pytest.skip(need)

    def judged(documents: list[bytes]) -> int:
        names = []
        for number, xml in enumerate(documents):
            names.append(f"{number}.xml")
            (tmp_path / names[-1]).write_bytes(xml)
        command = ("xmllint", "--nonet", "--noout", "--schema", str(offline_schemas), *names)
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return ran.stderr.count(" validates\n") if ran.returncode in (0, 3) else -1

    assert judged(invoices) == len(invoices)
    spoilt = invoices[0].replace(b"<P_2>", b"<P_2x>").replace(b"</P_2>", b"</P_2x>")
    assert judged([spoilt, invoices[0]]) == 1


def test_a_validator_in_python_finds_them_valid(invoices: list[bytes], offline_schemas: Path) -> None:
    schema = xmlschema.XMLSchema(str(offline_schemas), allow="local")
    for xml in invoices:
        assert [str(error.reason) for error in schema.iter_errors(xml.decode("utf-8"))] == []
    for good, bad in SPOILT:
        assert not schema.is_valid(invoices[0].replace(good, bad).decode("utf-8"))


def half_up(value: Fraction) -> Fraction:
    """Round to a grosz, halves away from zero (art. 106e ust. 11)."""
    sign = -1 if value < 0 else 1
    return sign * Fraction((abs(value) * 100 + Fraction(1, 2)).__floor__(), 100)


@given(sales())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_sums_counted_anew(this: Sale) -> None:
    root = ET.fromstring(made(this))
    space = root.tag.partition("}")[0] + "}"
    fa = root.find(f"{space}Fa")
    assert fa is not None
    values: dict[str, Fraction] = {}
    for line in this.lines:
        value = half_up(Fraction(line.quantity) * Fraction(line.unit_price) - Fraction(line.discount))
        values[line.vat.value] = values.get(line.vat.value, Fraction(0)) + value
    net: dict[str, Fraction] = {}
    tax: dict[str, Fraction] = {}
    for rate, value in values.items():
        percent = ROUNDED.get(rate, Fraction(0))
        due = half_up(value * percent / (1 + percent) if this.prices is Prices.GROSS else value * percent)
        name = FIELDS[rate]
        net[name] = net.get(name, Fraction(0)) + (value - due if this.prices is Prices.GROSS else value)
        tax[name] = tax.get(name, Fraction(0)) + due
    said = {child.tag.removeprefix(space): child.text for child in fa if child.tag.startswith(f"{space}P_1")}
    for name, amount in net.items():
        assert Fraction(said.get(f"P_13_{name}") or 0) == amount, name
        assert Fraction(said.get(f"P_14_{name}") or 0) == tax[name], name
    assert {key[5:] for key in said if key.startswith("P_13_")} <= net.keys()
    assert Fraction(said["P_15"] or 0) == sum(net.values()) + sum(tax.values())
    if this.exchange_rate is not None:
        for name, amount in tax.items():
            if f"P_14_{name}W" in said:
                assert Fraction(said[f"P_14_{name}W"] or 0) == half_up(amount * Fraction(this.exchange_rate))


def base64url(data: bytes) -> str:
    """RFC 4648, section 5, without padding, by long division."""
    spare = -len(data) % 3
    number = int.from_bytes(data + bytes(spare), "big")
    count = (len(data) + spare) * 4 // 3
    text = "".join(DIGITS[number >> 6 * place & 63] for place in reversed(range(count)))
    return text[: count - spare]


@given(
    st.binary(max_size=200),
    st.dates(date(2026, 2, 1), date(2099, 12, 31)),
    st.sampled_from(("5265877635", "9999999999")),
)
def test_links_counted_anew(xml: bytes, day: date, nip: str) -> None:
    digest = hashlib.sha256(xml).digest()
    expected = f"https://qr.ksef.mf.gov.pl/invoice/{nip}/{day.day:02}-{day.month:02}-{day.year:04}/{base64url(digest)}"
    assert invoice_link("https://qr.ksef.mf.gov.pl", nip, day, digest) == expected
    signed = certificate_path("https://qr.ksef.mf.gov.pl", "Nip", nip, nip, "01F20A5D352AE590", digest)
    assert signed.decode() == f"qr.ksef.mf.gov.pl/certificate/Nip/{nip}/{nip}/01F20A5D352AE590/{base64url(digest)}"


def test_every_rate_has_its_field_here() -> None:
    assert {rate.value for rate in VatRate} == FIELDS.keys()
    assert Decimal(half_up(Fraction(5, 1000)).numerator) == 1
