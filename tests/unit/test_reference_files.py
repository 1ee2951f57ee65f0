"""The Ministry's files are the published ones, byte by byte, and none is missing."""

from __future__ import annotations

import gzip
import hashlib
import re

import pytest

from tests.reference import FA3_SAMPLES, FOLDER, KSEF_OPENAPI, ksef_openapi

NAMED = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (FOLDER / "README.md").read_text("utf-8"), re.M))
"""Path below the folder -> SHA-256 of the (unpacked) content, as README.md lists them."""


@pytest.mark.parametrize("name", NAMED)
def test_a_file_is_the_published_one(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    assert hashlib.sha256(content).hexdigest() == NAMED[name]


def test_every_file_is_listed() -> None:
    there = {
        path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.suffix in {".xml", ".xsd", ".gz"}
    }
    assert there == set(NAMED)
    assert len(FA3_SAMPLES) == 9


def test_the_openapi_document_is_the_version_it_says() -> None:
    assert "2.9.0" in KSEF_OPENAPI.name
    assert "**Wersja API:** 2.9.0 " in ksef_openapi()["info"]["description"]
