"""A whole JPK_V7M(3) around the agent's rows, for the official schema to judge."""

from __future__ import annotations

from functools import cache

from lxml import etree

from tests.reference import JPK_SCHEMA

NS = "http://crd.gov.pl/wzor/2025/12/19/14090/"
_TYPES = "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2022/09/13/eD/DefinicjeTypy/"

_HEAD = f"""<JPK xmlns="{NS}" xmlns:etd="{_TYPES}"><Naglowek>
<KodFormularza kodSystemowy="JPK_V7M (3)" wersjaSchemy="1-0E">JPK_VAT</KodFormularza>
<WariantFormularza>3</WariantFormularza><DataWytworzeniaJPK>2026-12-20T10:00:00Z</DataWytworzeniaJPK>
<CelZlozenia poz="P_7">1</CelZlozenia><KodUrzedu>1471</KodUrzedu><Rok>2026</Rok><Miesiac>11</Miesiac></Naglowek>
<Podmiot1 rola="Podatnik"><OsobaNiefizyczna><NIP>5265877635</NIP><PelnaNazwa>Sklep</PelnaNazwa>
<Email>sklep@example.pl</Email></OsobaNiefizyczna></Podmiot1>"""
_PURCHASES = (
    f'<x xmlns="{NS}"><ZakupCtrl><LiczbaWierszyZakupow>0</LiczbaWierszyZakupow>'
    "<PodatekNaliczony>0.00</PodatekNaliczony></ZakupCtrl></x>"
)


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(JPK_SCHEMA)))


def sales_rows(text: str) -> list[dict[str, str]]:
    """Return the rows of the agent's file as the schema's elements; AssertionError where the schema refuses it."""
    records = etree.fromstring(text.encode())
    rows = [{_name(child): child.text or "" for child in row} for row in records.iter(f"{{{NS}}}SprzedazWiersz")]
    control = records.find(f"{{{NS}}}SprzedazCtrl")
    assert control is not None
    assert control.findtext(f"{{{NS}}}LiczbaWierszySprzedazy") == str(len(rows))
    records.append(etree.fromstring(_PURCHASES)[0])
    whole = etree.fromstring((_HEAD + "</JPK>").encode())
    whole.append(records)
    schema = _schema()
    assert schema.validate(whole), schema.error_log
    return rows


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname
