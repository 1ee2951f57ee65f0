"""The lock against the extract of PyPA's advisories, and the comparison against `packaging`'s own idea of versions."""

from __future__ import annotations

import json
from datetime import date

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tools import audit

DAY, ADVISORIES = audit.read_extract(audit.EXTRACT.read_text("utf-8"))
LIBRARIES = audit.locked(audit.LOCK.read_text("utf-8"))


def test_no_known_advisory_concerns_a_locked_library() -> None:
    assert audit.concerning(LIBRARIES, ADVISORIES) == []


def test_the_extract_is_one_of_the_libraries_we_lock() -> None:
    assert date(2024, 10, 10) <= DAY
    assert len(ADVISORIES) > 80
    assert {"aiohttp", "cryptography", "pillow", "lxml"} <= {one.name for one in ADVISORIES} & LIBRARIES.keys()
    assert "CC BY 4.0" in json.loads(audit.EXTRACT.read_text("utf-8"))["source"]


@pytest.mark.parametrize(
    ("name", "version", "number"),
    [
        ("aiohttp", "3.7.3", "CVE-2021-21330"),
        ("pillow", "9.5.0", "CVE-2023-44271"),
        ("lxml", "4.6.2", "CVE-2021-28957"),
    ],
)
def test_an_old_version_would_be_told(name: str, version: str, number: str) -> None:
    (told,) = [line for line in audit.concerning({name: version}, ADVISORIES) if number in line]
    assert told.startswith(f"{name} {version}: ")


@pytest.mark.parametrize("version", ["0.9", "1.0", "1.0rc1", "1.5", "2.0", "2.0.post1", "2.4", "3.0", "3.0.1", "10.0"])
def test_ranges_are_those_of_osv(version: str) -> None:
    document = {
        "id": "X-1",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "Some_Library"},
                "ranges": [
                    {"type": "GIT", "events": [{"introduced": "0"}]},
                    {
                        "type": "ECOSYSTEM",
                        "events": [{"introduced": "1.0"}, {"fixed": "2.0"}, {"introduced": "2.4"}, {"fixed": "3.0.1"}],
                    },
                ],
                "versions": ["1.2", "10.0", "no version"],
            }
        ],
    }
    (found,) = audit.from_osv(document, {"some-library"})
    by_packaging = any(
        SpecifierSet(text, prereleases=True).contains(version) for text in (">=1.0,<2.0", ">=2.4,<3.0.1", "==10.0")
    )
    assert found.concerns(version) is by_packaging
    assert list(audit.from_osv({**document, "withdrawn": "2024-01-01T00:00:00Z"}, {"some-library"})) == []
    assert list(audit.from_osv(document, {"another"})) == []


def test_a_service_that_breaks_off_has_not_answered() -> None:
    assert audit.answered("") is None
    said = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "X-1"}]},
            {"name": "b", "version": "2", "vulns": []},
        ]
    }
    assert audit.answered(json.dumps(said)) == ["a 1: X-1"]


def test_every_locked_version_can_be_compared() -> None:
    assert len(LIBRARIES) > 20
    for version in LIBRARIES.values():
        Version(version)
