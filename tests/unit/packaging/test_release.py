"""A release: version, changelog and checksums; what is not ready changes nothing; the repository is signed and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import release
from tools.release import UNRELEASED, Unready, checksums, cut, next_version, notes, written

ROOT = Path(__file__).parents[3]
CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n- A thing.\n\n## 0.1.0 - 2026-11-01\n\n- First.\n"
MAKE = """#!/bin/sh
set -e
echo "$*" >>dist/made
version=$(sed -n 's/^version = "\\(.*\\)"/\\1/p' pyproject.toml)
case $1 in
deb)
    echo "$version" >"dist/ksef-agent_${version}_${2#ARCHITECTURE=}.deb"
    : >"dist/ksef_agent-$version-py3-none-any.whl" ;;
deb-hub) echo "$version" >"dist/ksef-agent-hub_${version}_${2#ARCHITECTURE=}.deb" ;;
sbom) echo '{}' >"${2#OUT=}/ksef-agent_$version.cdx.json" ;;
esac
"""


@pytest.mark.parametrize("wanted", ["0.1.0", "0.0.9", "1", "1.0", "1.0.0-rc1", "01.0.0", "v0.2.0", "", "0.2.0\n"])
def test_a_version_comes_after_the_one_before(wanted: str) -> None:
    with pytest.raises(Unready):
        next_version("0.1.0", wanted)


@pytest.mark.parametrize("wanted", ["0.1.1", "0.2.0", "1.0.0", "0.10.0"])
def test_later_ones(wanted: str) -> None:
    assert next_version("0.1.0", wanted) == wanted


def test_the_changelog_is_cut() -> None:
    after = cut(CHANGELOG, "0.2.0", "2026-11-28")
    assert "## Unreleased\n\n## 0.2.0 - 2026-11-28\n\n### Added\n- A thing.\n\n## 0.1.0" in after
    assert notes(after, "0.2.0") == "## 0.2.0 - 2026-11-28\n\n### Added\n- A thing.\n"
    assert notes(after, "0.1.0").endswith("- First.\n")
    with pytest.raises(Unready, match="nothing that is new"):
        cut(after, "0.3.0", "2026-11-29")


def test_this_tree_can_be_released(tmp_path: Path) -> None:
    """The places of the version are where the release looks for them."""
    for name in ("pyproject.toml", "CHANGELOG.md", "agent/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    # right after a release nothing is new
    changelog.write_text(changelog.read_text("utf-8").replace(UNRELEASED, f"{UNRELEASED}\n- A thing.\n"), "utf-8")
    before = written(tmp_path, "99.0.0", "2026-11-28")
    assert before != "99.0.0"
    assert '\nversion = "99.0.0"\n' in (tmp_path / "pyproject.toml").read_text("utf-8")
    assert '__version__ = "99.0.0"' in (tmp_path / "agent/__init__.py").read_text("utf-8")


def git(root: Path, *words: str) -> str:
    done = subprocess.run(("git", *words), cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key that signs in this test; its home lies in /tmp: a socket's path is short."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is needed")
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    name = "release@example.test"
    make = ("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "1d")
    subprocess.run(make, check=True, capture_output=True)
    yield name
    subprocess.run(("gpgconf", "--kill", "all"), check=False)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with a make that builds nothing but files of the right names."""
    root = tmp_path / "tree"
    (root / "agent").mkdir(parents=True)
    (root / "dist").mkdir()
    (root / ".gitignore").write_text("dist\n")
    (root / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    (root / "agent/__init__.py").write_text('__version__ = "0.1.0"\n')
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "requirements.lock").write_text("a==1\n")
    make = root / "dist/make"
    make.write_text(MAKE)
    make.chmod(0o755)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Release")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "release@example.test")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "begin")
    return root


def test_a_release_in_one_command(tree: Path, key: str) -> None:
    out = release.release(tree, "0.2.0", key=key, commands=str(tree / "dist/make"))
    assert {path.name for path in out.iterdir()} == {
        "ksef-agent-hub_0.2.0_amd64.deb",
        "ksef-agent-hub_0.2.0_arm64.deb",
        "ksef-agent_0.2.0_amd64.deb",
        "ksef-agent_0.2.0_arm64.deb",
        "ksef-agent_0.2.0.cdx.json",
        "ksef_agent-0.2.0-py3-none-any.whl",
        "requirements.lock",
        "NOTES.md",
        "SHA256SUMS",
        "SHA256SUMS.asc",
    }
    subprocess.run(("sha256sum", "--quiet", "--check", "SHA256SUMS"), cwd=out, check=True)
    subprocess.run(("gpg", "--batch", "--verify", "SHA256SUMS.asc", "SHA256SUMS"), cwd=out, check=True)
    assert git(tree, "describe", "--exact-match") == "v0.2.0"
    assert git(tree, "log", "-1", "--format=%s") == "Release 0.2.0"
    assert git(tree, "status", "--porcelain") == ""
    with pytest.raises(Unready, match=r"v0\.2\.0 exists"):
        release.release(tree, "0.2.0", key=key, commands=str(tree / "dist/make"))


@pytest.mark.parametrize("fails", ["deb", "deb-hub", "sbom", "signature"])
def test_what_fails_takes_the_commit_back(tree: Path, key: str, fails: str) -> None:
    before = git(tree, "rev-parse", "HEAD")
    make = tree / "dist/make"
    make.write_text(MAKE.replace(f"{fails})", f"{fails}) exit 1;"))
    with pytest.raises(subprocess.CalledProcessError):
        release.release(tree, "0.2.0", key="nobody" if fails == "signature" else key, commands=str(make))
    assert git(tree, "rev-parse", "HEAD") == before
    assert git(tree, "tag", "--list") == ""
    assert "0.1.0" in (tree / "pyproject.toml").read_text()


def test_changes_that_are_not_committed_stop_it(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text(CHANGELOG + "\nmore\n")
    with pytest.raises(Unready, match="not clean"):
        release.release(tree, "0.2.0", key="", commands="false")


def test_checksums_name_every_file_but_themselves(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    (tmp_path / "SHA256SUMS").write_text("old")
    assert [line.split("  ")[1] for line in checksums(tmp_path).splitlines()] == ["a", "b"]


# --- the apt repository -----------------------------------------------------------------------------------------


def package(folder: Path, version: str, text: str = "") -> Path:
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: ksef-agent\nVersion: {version}\nArchitecture: amd64\nMaintainer: x <x@example.test>\n"
        f"Description: x{text}\n"
    )
    made = folder / f"ksef-agent_{version}_amd64.deb"
    subprocess.run(("dpkg-deb", "--build", tree, made), check=True, capture_output=True)
    return made


needs_apt_utils = pytest.mark.skipif(
    shutil.which("apt-ftparchive") is None or shutil.which("dpkg-deb") is None, reason="apt-utils and dpkg are needed"
)


@needs_apt_utils
def test_a_repository_is_signed_and_keeps_older_versions(tmp_path: Path, key: str) -> None:
    def publish(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = (ROOT / "packaging/apt-repo", "--key", key, *words)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    site = tmp_path / "site"
    first, second = package(tmp_path, "0.1.0"), package(tmp_path, "0.2.0")
    assert publish(site, first).returncode == 0
    assert publish("--suite", "canary", site, second).returncode == 0
    packages = site / "dists/stable/main/binary-amd64/Packages"
    assert "Version: 0.2.0" not in packages.read_text()
    assert publish(site, site / "pool/canary" / second.name).returncode == 0
    assert packages.read_text().count("Package: ksef-agent\n") == 2
    keyring = site / "ksef-agent-archive-keyring.gpg"
    for suite in ("stable", "canary"):
        subprocess.run(("gpgv", "--keyring", keyring, site / "dists" / suite / "InRelease"), check=True)
    assert not list(site.glob(".new*"))

    (tmp_path / "other").mkdir()
    changed = package(tmp_path / "other", "0.2.0", " changed")
    refused = publish(site, changed)
    assert refused.returncode == 1
    assert "other contents" in refused.stderr
    assert publish("--suite", "testing", site).returncode == 2


@needs_apt_utils
@pytest.mark.skipif(os.geteuid() != 0, reason="apt's own folders belong to root")
def test_apt_takes_it_from_a_file_and_refuses_another_key(tmp_path: Path, key: str) -> None:
    site = tmp_path / "site"
    made = package(tmp_path, "0.2.0")
    subprocess.run((ROOT / "packaging/apt-repo", "--key", key, site, made), check=True, capture_output=True)
    state = tmp_path / "state"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    options = [
        f"Dir::State={state}",
        f"Dir::State::Lists={state}/lists",
        f"Dir::Cache={state}/cache",
        f"Dir::Etc::SourceList={state}/sources",
        "Dir::Etc::SourceParts=/nonexistent",
        "Dir::State::Status=/dev/null",
        "APT::Architecture=amd64",
        "APT::Sandbox::User=root",
    ]
    keyring = site / "ksef-agent-archive-keyring.gpg"
    (state / "sources").write_text(f"deb [signed-by={keyring}] file:{site} stable main\n")

    def apt(*words: str) -> subprocess.CompletedProcess[str]:
        command = ("apt-get", "-qq", *(word for option in options for word in ("-o", option)), *words)
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=state)

    assert apt("update").returncode == 0
    assert apt("download", "ksef-agent=0.2.0").returncode == 0
    release_file = site / "dists/stable/InRelease"
    release_file.write_text(release_file.read_text().replace("Label: ksef-agent", "Label: somebody"))
    (site / "dists/stable/Release.gpg").unlink()
    shutil.rmtree(state / "lists")
    (state / "lists/partial").mkdir(parents=True)
    assert apt("update").returncode != 0
