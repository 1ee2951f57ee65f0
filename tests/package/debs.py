"""Packages made of the one that was built: later releases, good and bad, and one of the kind of 0.1.0."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

EXAMPLE = "usr/share/ksef-agent/config.example.toml"


def later(package: Path, out: Path) -> Path:
    """The next release: a comment of the example settings is another one."""

    def change(tree: Path) -> None:
        example = tree / EXAMPLE
        example.write_text("# A new first line, as a release may bring one.\n" + example.read_text("utf-8"), "utf-8")

    return _repacked(package, out, "9.0.0", change)


def with_schema(package: Path, out: Path, version: str) -> Path:
    """A release whose database the one before cannot read: one more migration."""

    def change(tree: Path) -> None:
        folder = tree / "opt/ksef-agent/lib/common/agent/store/migrations"
        number = len(list(folder.glob("*.sql"))) + 1
        (folder / f"{number:04}_later.sql").write_text("CREATE TABLE later (x INTEGER PRIMARY KEY) STRICT;\n")

    return _repacked(package, out, version, change)


def that_does_not_start(package: Path, out: Path, version: str) -> Path:
    """A release whose service ends at once; its commands work."""

    def change(tree: Path) -> None:
        serve = tree / "opt/ksef-agent/lib/common/agent/serving/serve.py"
        serve.write_text(serve.read_text("utf-8") + "\nraise RuntimeError('a bad release')\n", "utf-8")

    return _repacked(package, out, version, change)


def with_conffile(package: Path, out: Path, version: str) -> Path:
    """A release of the kind of 0.1.0: the settings are a conffile, and the program's scripts do nothing."""

    def change(tree: Path) -> None:
        settings = tree / "etc/ksef-agent/config.toml"
        settings.parent.mkdir(parents=True)
        shutil.copy(tree / EXAMPLE, settings)
        control = tree / "DEBIAN"
        (control / "conffiles").write_text("/etc/ksef-agent/config.toml\n")
        for script in ("preinst", "prerm", "postrm"):
            (control / script).unlink()
        postinst = control / "postinst"
        lines = ("#!/bin/sh", "set -e", "systemd-sysusers ksef-agent.conf", "systemd-tmpfiles --create ksef-agent.conf")
        postinst.write_text("\n".join((*lines, "systemctl daemon-reload", "")))

    return _repacked(package, out, version, change)


def hub_of(package: Path, out: Path, version: str) -> Path:
    """The hub's package as it goes with a later release of the program."""

    def change(tree: Path) -> None:
        control = tree / "DEBIAN/control"
        text = re.sub(r"ksef-agent \((=|<<) [^)]*\)", rf"ksef-agent (\1 {version})", control.read_text())
        control.write_text(text)

    return _repacked(package, out, version, change)


def _repacked(package: Path, out: Path, version: str, change: Callable[[Path], None]) -> Path:
    tree = out / f"tree-{version}"
    subprocess.run(("dpkg-deb", "--raw-extract", package, tree), check=True)
    change(tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    architecture = re.findall(r"^Architecture: (.*)$", control.read_text(), re.MULTILINE)[0]
    (tree / "DEBIAN/md5sums").unlink()
    made = out / f"{package.name.split('_')[0]}_{version}_{architecture}.deb"
    subprocess.run(("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made), check=True, capture_output=True)
    shutil.rmtree(tree)
    return made
