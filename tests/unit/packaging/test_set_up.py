"""Set-up stays true: what is installed is what the lock files name, and they name everything."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PYTHONS = ("3.11", "3.12", "3.13")
SEEDS = {"pip", "setuptools"}
"""What `python -m venv` brings by itself."""
UNUSED = {
    "python-escpos": {
        "appdirs",
        "argcomplete",
        "importlib-resources",
        "python-barcode",
        "pyyaml",
        "setuptools",
        "six",
    }
}
"""Needed by the code of a package of which only data is read (docs/decisions.md, number 61)."""


def pins(lock: str) -> dict[str, str]:
    """Name -> version of a lock file; every one has hashes."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        pin = re.fullmatch(r"([a-z0-9-]+)==(\S+)((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert pin, line
        found[pin[1]] = pin[2]
    return found


def installed(folder: Path | None = None) -> dict[str, metadata.Distribution]:
    found = metadata.distributions() if folder is None else metadata.distributions(path=[str(folder)])
    return {canonicalize_name(each.name): each for each in found}


def backend() -> dict[str, metadata.Distribution]:
    """The environment in which the Makefile builds wheels."""
    (folder,) = (Path(sys.prefix) / "backend").glob("lib/python3*/site-packages")
    return installed(folder)


def missing(
    wanted: Iterable[Requirement], locked: dict[str, str], known: dict[str, metadata.Distribution], python: str
) -> Iterator[str]:
    """Walk from ``wanted`` through everything it needs on that Python, extras included; yield what the lock lacks."""
    queue = [(each, "ksef-agent") for each in wanted]
    seen: set[tuple[str, str]] = set()
    while queue:
        requirement, parent = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in UNUSED.get(parent, set()):
            continue
        if name not in locked or not requirement.specifier.contains(locked[name], prereleases=True):
            yield f"{parent} needs {requirement}"
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
            for text in known[name].requires or ():
                need = Requirement(text)
                if need.marker is None or need.marker.evaluate(environment):
                    queue.append((need, name))


def project() -> dict[str, object]:
    read: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return read


def wanted(*path: str) -> list[Requirement]:
    here: object = project()
    for step in path:
        assert isinstance(here, dict)
        here = here[step]
    assert isinstance(here, list)
    return [Requirement(text) for text in here]


def test_what_is_installed_is_what_is_locked() -> None:
    """Where it is not: `make clean`, and set up again."""
    found = {name: each.version for name, each in installed().items() if name not in SEEDS | {"ksef-agent"}}
    assert found == pins("requirements-dev.lock")
    assert {name: each.version for name, each in backend().items()} == pins("requirements-build.lock")


def test_what_runs_is_locked_as_it_is_tested() -> None:
    run, develop, build = (pins(f"requirements{kind}.lock") for kind in ("", "-dev", "-build"))
    assert run.items() <= develop.items()
    assert {name: version for name, version in build.items() if name in develop}.items() <= develop.items()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_files_name_everything_that_is_needed(python: str) -> None:
    """An extra counts: `coverage[toml]` locked as coverage alone made pip look for another release."""
    known = installed()
    run = wanted("project", "dependencies")
    develop = wanted("project", "optional-dependencies", "dev")
    assert list(missing(run, pins("requirements.lock"), known, python)) == []
    assert list(missing(run + develop, pins("requirements-dev.lock"), known, python)) == []
    assert list(missing(wanted("build-system", "requires"), pins("requirements-build.lock"), backend(), python)) == []


def test_a_package_that_the_lock_lacks_is_seen() -> None:
    locked = pins("requirements.lock")
    del locked["frozenlist"]
    lacks = set(missing(wanted("project", "dependencies"), locked, installed(), "3.11"))
    assert {line.split(" needs ")[0] for line in lacks} == {"aiohttp", "aiosignal"}
    extra = [Requirement("qrcode[pil]>=8"), Requirement("qrcode[png]")]
    assert list(missing(extra, {"qrcode": "8.2"}, installed(), "3.11"))
    assert list(missing([Requirement("qrcode>=99")], locked, installed(), "3.11")) == ["ksef-agent needs qrcode>=99"]


def test_no_step_of_the_set_up_resolves_anything() -> None:
    """Each call of pip takes what a lock file or a file at hand names, builds nothing by itself, asks for no more."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (locked,) = re.findall(r"^LOCKED := (.*)$", makefile, re.MULTILINE)
    files = [ROOT / "Makefile", ROOT / ".ci/run", *(ROOT / "packaging").glob("*"), *(ROOT / "docs").glob("*.md")]
    lines = [
        line.replace("$(LOCKED)", locked)
        for file in files
        if file.is_file()
        for line in file.read_text("utf-8").replace("\\\n", " ").splitlines()
        if re.search(r"(?i)\bpip\b.* (install|wheel|download)\b", line) and not line.lstrip().startswith("#")
    ]
    assert len(lines) >= 8
    for line in lines:
        assert "--no-deps" in line, line
        if "--no-index" not in line:
            assert "--require-hashes" in line, line
            assert "--only-binary :all:" in line or "--no-build-isolation" in line, line


def test_the_makefile_and_the_test_leave_out_the_same() -> None:
    (named,) = re.findall(r"no-emit-package=,(.*)\)", (ROOT / "Makefile").read_text("utf-8"))
    assert set(named.split()) == UNUSED["python-escpos"]
