"""`make release VERSION=… KEY=…`: version, changelog, commit, packages, bill of materials, checksums, signature, tag.

In that order, so that the tag stands only on what was built and signed. What fails before it takes the commit back; the
tree was clean, so nothing else can be lost. Nothing is pushed or published.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
"""Semantic versioning, without pre-releases: dpkg would sort 1.0.0-rc1 after 1.0.0."""
PLACES = (
    ("pyproject.toml", r'^version = "(.*)"$', 'version = "{}"'),
    ("agent/__init__.py", r'^__version__ = "(.*)"$', '__version__ = "{}"'),
)
UNRELEASED = "## Unreleased\n"
ARCHITECTURES = ("amd64", "arm64")
PACKAGES = {"deb": "ksef-agent", "deb-hub": "ksef-agent-hub"}
"""By the target of the Makefile that builds it."""


class Unready(Exception):
    """Why nothing was released; nothing was changed."""


def next_version(current: str, wanted: str) -> str:
    """Return ``wanted``; Unready where it is no version, or not a later one."""
    if VERSION.fullmatch(wanted) is None:
        raise Unready(f"{wanted} is no version: MAJOR.MINOR.PATCH")
    if _numbers(wanted) <= _numbers(current):
        raise Unready(f"{wanted} does not come after {current}")
    return wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def cut(changelog: str, version: str, day: str) -> str:
    """Return the changelog with what was unreleased under its version; Unready where nothing was."""
    before, found, after = changelog.partition(UNRELEASED)
    if not found:
        raise Unready("CHANGELOG.md has no section Unreleased")
    section = after.partition("\n## ")[0]
    if not re.search(r"^- ", section, re.MULTILINE):
        raise Unready("CHANGELOG.md names nothing that is new")
    return f"{before}{UNRELEASED}\n## {version} - {day}\n{after}"


def notes(changelog: str, version: str) -> str:
    """Return what the changelog says of a version."""
    found = re.search(rf"^## {re.escape(version)} - .*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None:
        raise Unready(f"CHANGELOG.md does not know {version}")
    return found[0].rstrip("\n") + "\n"


def written(root: Path, version: str, day: str) -> str:
    """Write version and changelog; return the version before."""
    found = {_version_in(root / name, pattern) for name, pattern, _ in PLACES}
    if len(found) != 1:
        raise Unready(f"the tree has two versions: {sorted(found)}")
    (current,) = found
    next_version(current, version)
    changelog = cut((root / "CHANGELOG.md").read_text("utf-8"), version, day)
    for name, pattern, text in PLACES:
        path = root / name
        path.write_text(re.sub(pattern, text.format(version), path.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    (root / "CHANGELOG.md").write_text(changelog, "utf-8")
    return current


def _version_in(path: Path, pattern: str) -> str:
    found = re.findall(pattern, path.read_text("utf-8"), re.MULTILINE)
    if len(found) != 1:
        raise Unready(f"{path.name} has {len(found)} versions")
    return str(found[0])


def checksums(folder: Path) -> str:
    """Return the lines of sha256sum for every file of a folder, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("SHA256SUMS"))
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def release(root: Path, version: str, *, key: str, commands: str) -> Path:
    """Do it all; return the folder. ``commands``: the make that builds, in tests another one."""
    if _output(root, "git", "status", "--porcelain"):
        raise Unready("the working tree is not clean")
    tag = f"v{version}"
    if _output(root, "git", "tag", "--list", tag):
        raise Unready(f"{tag} exists")
    before = _output(root, "git", "rev-parse", "HEAD")
    now = datetime.now(UTC).replace(microsecond=0)
    written(root, version, f"{now:%Y-%m-%d}")
    out = root / "dist" / f"release-{version}"
    shutil.rmtree(out, ignore_errors=True)
    try:
        moment = {"GIT_AUTHOR_DATE": now.isoformat(), "GIT_COMMITTER_DATE": now.isoformat()}
        _run(root, "git", "commit", "--quiet", "--all", "--message", f"Release {version}", more=moment)
        out.mkdir(parents=True)
        for architecture in ARCHITECTURES:
            for target, name in PACKAGES.items():
                _run(root, commands, target, f"ARCHITECTURE={architecture}")
                shutil.copy(root / "dist" / f"{name}_{version}_{architecture}.deb", out)
        _run(root, commands, "sbom", f"OUT={out}")
        shutil.copy(root / "dist" / f"ksef_agent-{version}-py3-none-any.whl", out)
        shutil.copy(root / "requirements.lock", out)
        (out / "NOTES.md").write_text(notes((root / "CHANGELOG.md").read_text("utf-8"), version), "utf-8")
        sums = out / "SHA256SUMS"
        sums.write_text(checksums(out), "ascii")
        _run(root, "gpg", "--batch", "--yes", "--local-user", key, "--armor", "--detach-sign", str(sums))
        _run(root, "git", "tag", "--annotate", tag, "--message", f"Release {version}")
    except BaseException:
        _run(root, "git", "reset", "--quiet", "--hard", before)
        raise
    return out


def _output(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return done.stdout.strip()


def _run(root: Path, *command: str, more: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=root, check=True, env=os.environ | (more or {}))  # noqa: S603 - ours


def main() -> None:
    """Release this tree."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--key", required=True, help="gpg key that signs (fingerprint or address)")
    given = parser.parse_args()
    try:
        out = release(ROOT, given.version, key=given.key, commands=os.environ.get("MAKE", "make"))
    except Unready as error:
        sys.exit(f"Nothing was released: {error}.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"Nothing was released, the tree is as before: {' '.join(map(str, error.cmd))} failed.")
    sys.stdout.write(f"{out}: look at it, then publish: git push --follow-tags; make apt-repo KEY={given.key}\n")


if __name__ == "__main__":
    main()
