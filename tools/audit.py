"""Advisories about the locked libraries, without a network: a dated extract of PyPA's advisory database.

`python -m tools.audit` compares the lock with the extract; `python -m tools.audit take CLONE` makes a new extract of a
clone of github.com/pypa/advisory-database (needs PyYAML). What was published after its date nobody knows here, so a
service is asked first (`make audit`).
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
EXTRACT = ROOT / "packaging" / "advisories.json"
LICENCE = "Extract of the PyPA Advisory Database, github.com/pypa/advisory-database, CC BY 4.0"


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory about one library: its numbers, and the ranges of versions from (included) to (not included)."""

    name: str
    numbers: tuple[str, ...]
    ranges: tuple[tuple[str, str | None], ...]
    versions: tuple[str, ...]

    def concerns(self, version: str) -> bool:
        """Tell whether a version is one of those that the advisory names."""
        found = Version(version)
        if any(_same(found, each) for each in self.versions):
            return True
        return any(_within(found, first, end) for first, end in self.ranges)


def _same(version: Version, text: str) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


def _within(version: Version, first: str, end: str | None) -> bool:
    begun = first == "0" or version >= Version(first)
    return begun and (end is None or version < Version(end))


def locked(text: str) -> dict[str, str]:
    """Return name and version of each library of a lock file."""
    return {
        _plain(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE)
    }


def read_extract(text: str) -> tuple[date, tuple[Advisory, ...]]:
    """Return the day of the database and its advisories."""
    document = json.loads(text)
    found = tuple(
        Advisory(one["name"], tuple(one["numbers"]), tuple((a, b) for a, b in one["ranges"]), tuple(one["versions"]))
        for one in document["advisories"]
    )
    return date.fromisoformat(document["date"]), found


def concerning(libraries: dict[str, str], advisories: Sequence[Advisory]) -> list[str]:
    """Return a sentence for each advisory that concerns a locked version."""
    return [
        f"{one.name} {libraries[one.name]}: {', '.join(one.numbers)}"
        for one in advisories
        if one.name in libraries and one.concerns(libraries[one.name])
    ]


def from_osv(document: dict[str, Any], names: set[str]) -> Iterator[Advisory]:
    """Read an advisory of the OSV schema; withdrawn ones and other ecosystems are left out."""
    if document.get("withdrawn"):
        return
    for affected in document.get("affected", []):
        name = _plain(affected["package"]["name"])
        if affected["package"]["ecosystem"] != "PyPI" or name not in names:
            continue
        ranges = [each for kind in affected.get("ranges", []) if kind["type"] == "ECOSYSTEM" for each in _ranges(kind)]
        versions = tuple(str(each) for each in affected.get("versions", ()) if not _covered(str(each), ranges))
        yield Advisory(name, (document["id"], *document.get("aliases", ())), tuple(ranges), versions)


def _ranges(kind: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    first: str | None = None
    for event in kind["events"]:
        if "introduced" in event:
            first = str(event["introduced"])
        elif "fixed" in event and first is not None:
            yield first, str(event["fixed"])
            first = None
    if first is not None:
        yield first, None


def _covered(version: str, ranges: Sequence[tuple[str, str | None]]) -> bool:
    try:
        return any(_within(Version(version), first, end) for first, end in ranges)
    except InvalidVersion:
        return True  # no version that can be installed today


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def take(clone: Path) -> None:
    """Write the extract about what the lock files name."""
    yaml: Any = importlib.import_module("yaml")
    names = {name for lock in ROOT.glob("requirements*.lock") for name in locked(lock.read_text("utf-8"))}
    day = subprocess.run(("git", "-C", clone, "log", "-1", "--format=%cs"), capture_output=True, text=True, check=True)  # noqa: S603, S607
    found: list[Advisory] = []
    for name in sorted(names):
        folder = clone / "vulns" / name
        for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
            found += from_osv(yaml.safe_load(path.read_text("utf-8")), names)
    lines = [
        json.dumps({"name": a.name, "numbers": a.numbers, "ranges": a.ranges, "versions": a.versions}) for a in found
    ]
    head = f'{{"source": {json.dumps(LICENCE)},\n "date": "{day.stdout.strip()}",\n "advisories": [\n  '
    EXTRACT.write_text(head + ",\n  ".join(lines) + "\n]}\n", "utf-8")


def ask(pip_audit: str, service: str) -> list[str] | None:
    """Return what a service says of the lock, None where it does not answer for all libraries."""
    command = (pip_audit, "--strict", "--disable-pip", "--no-deps", "--vulnerability-service", service)
    options = ("--requirement", LOCK, "--format", "json", "--progress-spinner", "off")
    ran = subprocess.run((*command, *options), capture_output=True, text=True, check=False)  # noqa: S603
    return answered(ran.stdout)


def answered(output: str) -> list[str] | None:
    """Read pip-audit's JSON; None where it broke off before it wrote any."""
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return [
        f"{one['name']} {one['version']}: {fault['id']}"
        for one in document["dependencies"]
        for fault in one.get("vulns", ())
    ]


def main() -> None:
    """Compare, then ask; exit code 1 where an advisory concerns a locked library.

    Argument: the path of pip-audit, none to compare only.
    """
    if sys.argv[1:2] == ["take"]:
        take(Path(sys.argv[2]))
        return
    day, advisories = read_extract(EXTRACT.read_text("utf-8"))
    libraries = locked(LOCK.read_text("utf-8"))
    found = concerning(libraries, advisories)
    known = sum(one.name in libraries for one in advisories)
    sys.stdout.write(
        f"{len(libraries)} libraries against {known} advisories of {day.isoformat()}: {len(found) or 'none'} concerns "
        "them. The extract knows nothing of what was published later.\n"
    )
    for service in ("pypi", "osv") if sys.argv[1:] else ():
        said = ask(sys.argv[1], service)
        sys.stdout.write(f"{service}: {'does not answer' if said is None else f'{len(said)} advisories'}\n")
        if said is not None:
            found += said
            break
    sys.stdout.writelines(f"  {line}\n" for line in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
