"""Names in the drop folder: which files are taken, and what their answers are called.

Of ``zamowienie-4711.json`` the answers are ``zamowienie-4711.result.json`` and so on. A name that the system does not
hold to be UTF-8 comes as surrogates (os.fsdecode), and goes back as the bytes it was.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection

from agent.domain.exchange.encoding import looks_like_exchange

RESULT = ".result."
JSON, XML, EPP = "json", "xml", "epp"
FORMATS = (JSON, XML, EPP)
MAX_STEM = 160
"""Bytes; with what is added to it a name stays below the 255 of most file systems."""
_HASH_LETTERS = 8
_ANSWER = re.compile(r"(?:\.[0-9]+)?\.result\.(?:json|txt|xml|pdf|epp)")


def wanted(formats: Collection[str]) -> Callable[[str], bool]:
    """Return whether a name is one to take: of a known format, not hidden, temporary or an answer of ours."""

    def is_wanted(name: str) -> bool:
        return not name.startswith((".", "~")) and RESULT not in name and format_of(name) in formats

    return is_wanted


def format_of(name: str) -> str:
    """Return the suffix in lower case; empty where there is none."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() if stem else ""


def bare(name: str) -> str:
    """Return the name without its suffix: files that share it share the names of their answers."""
    return name.rpartition(".")[0]


def stem_of(name: str) -> str:
    """Return the name without its suffix, shortened where it is very long."""
    stem = bare(name)
    raw = os.fsencode(stem)
    if len(raw) <= MAX_STEM:
        return stem
    cut = raw[:MAX_STEM].decode("utf-8", "ignore")
    return f"{cut}~{hashlib.sha256(raw).hexdigest()[:_HASH_LETTERS]}"


def result_name(stem: str, kind: str, position: int | None = None) -> str:
    """Return the name of an answer; ``position`` (from 1) where one file made several documents."""
    number = "" if position is None else f".{position}"
    return f"{stem}{number}{RESULT}{kind}"


def answer_of(stem: str, name: str) -> str | None:
    """Return what follows the stem in the name of one of its answers; None for any other file."""
    rest = name[len(stem) :]
    return rest if name.startswith(stem) and _ANSWER.fullmatch(rest) else None


def aside(name: str, sha256: str) -> str:
    """Return the name under which a file makes room for another one of the same name."""
    return f"{stem_aside(stem_of(name), sha256)}.{name.rpartition('.')[2]}"


def stem_aside(stem: str, sha256: str) -> str:
    """Return the stem of its answers then."""
    return f"{stem}~{sha256[:_HASH_LETTERS]}"


def stem_overcome(stem: str, sha256: str) -> str:
    """Return the stem under which an earlier refusal of a file lies beside its answer, once it is issued."""
    return f"{stem_aside(stem, sha256)}~refused"


def shown(name: str) -> str:
    """Return a name as people read it."""
    return os.fsencode(name).decode("utf-8", "replace")


def text_of(name: str) -> str:
    """Return a name as text that every file and database holds; name_of() gives it back."""
    return os.fsencode(name).decode("latin-1")


def name_of(text: str) -> str:
    """Return the name that text_of() wrote."""
    return os.fsdecode(text.encode("latin-1"))


def key_of(name: str, content: bytes) -> str:
    """Return the idempotency key: the same name with the same content is the same sale."""
    digest = hashlib.sha256(os.fsencode(name) + b"\0" + hashlib.sha256(content).digest()).hexdigest()
    return f"folder:{digest}"


def kind_of(content: bytes) -> str:
    """Tell JSON, FA(3) and EDI++ apart by how the content begins, for what has no name."""
    if looks_like_exchange(content):
        return EPP
    return XML if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" else JSON
