"""Bearer tokens: the hub keeps their hash, never themselves."""

from __future__ import annotations

import hashlib
from typing import Final

TILL_PREFIX: Final = "ksef-till-"
PERSON_PREFIX: Final = "ksef-hub-"
"""They make a token that leaked into a log or a repository findable."""


def token_hash(token: str) -> bytes:
    """Return what the hub knows a token by. It has 256 random bits: there is nothing to guess, a plain hash will do."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()  # any bytes of a header: nobody's
