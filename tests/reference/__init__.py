"""Files of the Ministry of Finance that tests compare with; README.md names the source and SHA-256 of each."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

FA3_SAMPLES = sorted((FOLDER / "fa3-samples").glob("*.xml"))
"""Invoices of the Ministry's set of FA(3) examples."""

AUTH_SCHEMA = FOLDER / "auth" / "schemat_auth_v2-1.xsd"
"""AuthTokenRequest, the document that is signed to log in."""

UPO_SCHEMA = FOLDER / "upo" / "upo-v4-3.xsd"
UPO_OF_AN_INVOICE = FOLDER / "upo" / "upo-faktura-kontekst-id-nip.xml"

JPK_SCHEMA = FOLDER / "jpk" / "jpk_v7m.xsd"
"""JPK_V7M(3). It imports the other schemas of its folder by relative names."""

KSEF_OPENAPI = FOLDER / "openapi" / "ksef-api-2.9.0.json.gz"


@cache
def ksef_openapi() -> dict[str, Any]:
    """Return the OpenAPI document of KSeF API 2.9.0. Not to be changed: all tests of a process share it."""
    document: dict[str, Any] = json.loads(gzip.decompress(KSEF_OPENAPI.read_bytes()))
    return document
