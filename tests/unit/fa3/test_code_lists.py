from __future__ import annotations

import re

import schemas
from agent.domain.fa3.code_lists import COUNTRIES, CURRENCIES
from agent.domain.identifiers import split_eu_vat
from agent.domain.invoice import VatRate


def enumeration(file: str, name: str) -> set[str]:
    text = schemas.load()[file].decode()
    start = text.index(f'<xsd:simpleType name="{name}"')
    return set(re.findall(r'enumeration value="([^"]+)"', text[start : text.index("</xsd:simpleType>", start)]))


def test_currencies_are_those_of_the_schema() -> None:
    assert enumeration("schemat_FA(3)_v1-0E.xsd", "TKodWaluty") == CURRENCIES


def test_countries_are_those_of_the_schema() -> None:
    assert enumeration("KodyKrajow_v10-0E.xsd", "TKodKraju") == COUNTRIES


def test_rates_are_those_of_the_schema() -> None:
    assert enumeration("schemat_FA(3)_v1-0E.xsd", "TStawkaPodatku") == set(VatRate)


def test_every_eu_prefix_of_the_schema_is_known() -> None:
    prefixes = enumeration("schemat_FA(3)_v1-0E.xsd", "TKodyKrajowUE")
    shapes = ["U12345678", "0123456789", "123456789", "12345678", "12345678A", "12345678901", "1234567WA"]
    shapes += ["123456789B01", "123456789101"]
    known = {prefix for prefix in prefixes if any(split_eu_vat(prefix + shape) for shape in shapes)}
    assert known == prefixes
