"""The gate of a release: what the version before wrote, with an invoice that waits, goes on under the new one.

Only where the package of the version before is at hand (`make test-package BEFORE=ksef-agent_0.1.0_amd64.deb`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.conftest import ROOTS, running
from tests.package.machine import debian_root
from tests.package.till import SERVICE, Till

OLDEST = "bookworm"
"""0.1.0 has libraries for its Python alone."""
SANDBOX = "for each in /proc/[0-9]*; do grep -qs sandbox $each/cmdline && echo ${each#/proc/}; done | sort -n"
WAITS_SECONDS = 180.0


@pytest.fixture(scope="module")
def till() -> Iterator[Till]:
    with running(OLDEST, debian_root(OLDEST, ROOTS), "-before") as machine:
        yield Till(machine)


def test_live_data_goes_on_under_the_new_version(till: Till, package: Path) -> None:
    before = Path(os.environ["KSEF_AGENT_DEB_BEFORE"]).resolve()
    till.install(before)
    old = till.version().split()[0]
    till.open_sandbox()
    till.systemctl("enable", "--now", SERVICE)
    for _ in range(5):
        till.issue()
    pid = till.machine.run("sh", "-c", SANDBOX).stdout.split()[0]
    till.machine.run("sh", "-c", f"kill -STOP {pid}")
    sold = till.machine.run("ksef-agent", "issue", "--json", "/var/tmp/sale.json", check=False)
    waiting = json.loads(sold.stdout)["number"]
    till.machine.run("sh", "-c", f"kill -CONT {pid}")
    settings, invoices = till.settings, till.invoices()

    till.install(package)

    assert till.version() == f"{package.name.split('_')[1]} installed"
    till.until(lambda: till.show("ActiveState") == "active")
    assert (till.settings, till.invoices()) == (settings, invoices)
    assert till.invoices(f"/var/backups/ksef-agent/before-upgrade-from-{old}.db") == invoices
    till.until(lambda: waiting not in till.machine.run("ksef-agent", "queue", "--json").stdout, WAITS_SECONDS)
    assert int(till.issue().rsplit("/", 1)[1]) == invoices + 1, "numbers go on"
    assert till.machine.run("ksef-agent", "check").returncode == 0
    assert not [each for each in till.health()["problems"] if each["severity"] == "critical"]
