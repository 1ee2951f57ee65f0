"""The addresses of KSeF belong to one environment: production, TEST or DEMO (docs/law.md, kod-environment).

Codes that lead elsewhere are wrong on every paper, and an outage of elsewhere is none. DEMO has no Latarnia of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from agent.settings.model import KsefSettings
from agent.settings.toml_lines import KeyPath

_OF_THE_MINISTRY: Final = re.compile(r"(?:api|api-latarnia|qr)(-test|-demo|)\.ksef\.mf\.gov\.pl")
_DEMO: Final = "-demo"


def environment_mistakes(ksef: KsefSettings, *, prints_codes: bool = True) -> Iterator[tuple[KeyPath, str]]:
    """Yield each address of another environment than that of ``url``; addresses of others are not judged.

    prints_codes  False of a hub, which needs no ``qr_url``
    """
    used = _environment_of(ksef.url)
    if used is None:
        return
    codes, news = _environment_of(ksef.qr_url), _environment_of(ksef.latarnia_url)
    if prints_codes and codes not in {None, used}:
        text = f"kody prowadziłyby do innego środowiska KSeF niż ksef.url; podaj https://qr{used}.ksef.mf.gov.pl"
        yield ("ksef", "qr_url"), text
    if news not in {None, used} and used != _DEMO:
        text = f"to inne środowisko KSeF niż ksef.url; podaj https://api-latarnia{used}.ksef.mf.gov.pl"
        yield ("ksef", "latarnia_url"), text


def _environment_of(url: str) -> str | None:
    """Return "", "-test" or "-demo"; None of any other address."""
    found = _OF_THE_MINISTRY.fullmatch((urlsplit(url).hostname or "").lower())
    return None if found is None else found[1]
