"""What KSeF's confirmation (UPO, schema 4-3) says of the way in which it took each document."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

_UPO = "{http://upo.schematy.mf.gov.pl/KSeF/v4-3}"
OFFLINE_BY_WAY = {"Online": False, "Offline": True}
"""TrybWysylki, in the API invoicingMode; a word that is not known says nothing."""
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def taken_offline(confirmation: bytes) -> Mapping[str, bool]:
    """Return by KSeF number whether KSeF took the document as an offline one (TrybWysylki).

    ``confirmation`` is the UPO of an invoice or a page of its session's. What it does not say is left out: a
    confirmation is kept as it is, whatever this program can read of it.
    """
    try:
        root = etree.fromstring(confirmation, _PARSER)
    except etree.XMLSyntaxError:
        return {}
    found: dict[str, bool] = {}
    for document in root.iterfind(f"{_UPO}Dokument"):
        number = document.findtext(f"{_UPO}NumerKSeFDokumentu", "").strip()
        way = document.findtext(f"{_UPO}TrybWysylki", "").strip()
        if way in OFFLINE_BY_WAY:
            found[number] = OFFLINE_BY_WAY[way]
    return found
