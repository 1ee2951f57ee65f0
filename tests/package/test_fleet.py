"""Three tills under a real systemd, by the Ansible role: rolled out, renewed, upgraded, rolled back.

Each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.package import debs
from tests.package.conftest import ROOTS, running
from tests.package.headquarters import Headquarters, address, recap
from tests.package.machine import debian_root
from tests.package.till import SERVICE, Till

SUITES = {"kasa-1": "bookworm", "kasa-2": "trixie", "kasa-3": "bookworm"}
"""The tills; the first one is the canary."""
TOKEN = "0123456789abcdef" * 4
SANDBOX = "for each in /proc/[0-9]*; do grep -qs sandbox $each/cmdline && echo ${each#/proc/}; done | sort -n"
"""Process ids of the sandbox; there is no pgrep."""


class Fleet:
    """Three tills, a repository that they see, and headquarters' Ansible."""

    def __init__(self, tills: Mapping[str, Till], headquarters: Headquarters) -> None:
        self.tills = tills
        self._headquarters = headquarters
        self._variables: dict[str, dict[str, Any]] = {name: {} for name in tills}

    def publish(self, package: Path) -> None:
        """Put a package into the repository, and the repository onto each till's disk."""
        self._headquarters.publish([till.machine for till in self.tills.values()], package)

    def know(self, name: str, **variables: Any) -> None:
        """Write a till's variables into the inventory."""
        self._variables[name] |= variables

    def play(self, book: str, *words: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run a playbook."""
        hosts = {name: address(till.machine) | self._variables[name] for name, till in self.tills.items()}
        shared = {
            **self._headquarters.shared,
            "ksef_till_repository": "file:/srv/apt",
            "ksef_till_keyring": self._headquarters.keyring,
            "ksef_till_tokens": [{"name": "centrala", "role": "auditor", "token": TOKEN}],
            "ksef_till_recommends": False,
            "ksef_till_gate_seconds": 10,
        }
        first, *others = hosts
        groups = {
            "canaries": {"hosts": {first: hosts[first]}},
            "others": {"hosts": {each: hosts[each] for each in others}},
        }
        inventory = {"tills": {"vars": shared, "children": groups}}
        return self._headquarters.play(inventory, book, *words, **variables)


@pytest.fixture(scope="module")
def fleet(headquarters: Headquarters) -> Iterator[Fleet]:
    with ExitStack() as stack:
        tills = {
            name: Till(stack.enter_context(running(suite, debian_root(suite, ROOTS), f"-{name}")))
            for name, suite in SUITES.items()
        }
        yield Fleet(tills, headquarters)


@pytest.fixture(scope="module")
def releases(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("releases")
    return {
        "now": package,
        "9.1.0": debs.with_schema(package, out, "9.1.0"),
        "9.2.0": debs.that_does_not_start(package, out, "9.2.0"),
    }


def version_of(package: Path) -> str:
    return package.name.split("_")[1]


def test_roll_out(fleet: Fleet, releases: dict[str, Path]) -> None:
    fleet.publish(releases["now"])
    for name in fleet.tills:
        fleet.know(name, ksef_till_name=name.removeprefix("kasa-"), ksef_till_shop="Sklep 7", ksef_till_settings="-")
    done = fleet.play("site.yml", "--tags", "package")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, till in fleet.tills.items():
        settings = re.sub(r"^till = .*\n", "", till.sandbox_settings(), flags=re.MULTILINE)
        fleet.know(name, ksef_till_settings=settings)
    done = fleet.play("site.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, till in fleet.tills.items():
        assert till.show("ActiveState") == "active"
        assert till.show("UnitFileState") == "enabled"
        assert till.health()["till"] == name.removeprefix("kasa-")
        assert till.issue().endswith("/000001")
        answer = till.machine.run("ksef-agent", "token", "list", "--json").stdout
        assert {"name": "centrala", "role": "auditor"} in json.loads(answer)


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    done = fleet.play("site.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = recap(done)
    assert counts.keys() == fleet.tills.keys()
    assert {name: each["changed"] for name, each in counts.items()} == dict.fromkeys(fleet.tills, 0), done.stdout


def serials(till: Till) -> dict[str, str]:
    return {each["use"]: each["serial"] for each in till.health()["certificates"]}


def test_a_renewed_certificate_is_used_without_a_restart(fleet: Fleet) -> None:
    for till in fleet.tills.values():
        before, process = serials(till), till.show("MainPID")
        made = json.loads(till.machine.run("ksef-agent", "enroll", "--type", "offline", "--json").stdout)
        assert made["serial"] != before["offline"]
        till.until(lambda till=till, made=made: serials(till)["offline"] == made["serial"], 150)  # type: ignore[misc]
        assert till.show("MainPID") == process


def test_a_bad_version_stops_at_the_canary_which_goes_back(fleet: Fleet, releases: dict[str, Path]) -> None:
    fleet.publish(releases["9.2.0"])
    old = version_of(releases["now"])
    invoices = {name: till.invoices() for name, till in fleet.tills.items()}
    done = fleet.play("upgrade.yml", ksef_till_version="9.2.0", ksef_till_ready_seconds=20)
    assert done.returncode != 0
    assert "kasa-1 went back" in done.stdout, done.stdout
    assert recap(done).keys() == {"kasa-1"}, "no other till was touched"
    for name, till in fleet.tills.items():
        assert till.version() == f"{old} installed"
        assert till.show("ActiveState") == "active"
        assert till.invoices() == invoices[name]
        till.issue()


def test_an_upgrade_by_stages(fleet: Fleet, releases: dict[str, Path]) -> None:
    fleet.publish(releases["9.1.0"])
    done = fleet.play("upgrade.yml", ksef_till_version="9.1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert recap(done).keys() == fleet.tills.keys()
    for till in fleet.tills.values():
        assert till.version() == "9.1.0 installed"
        till.issue()


def test_back_to_a_version_that_cannot_read_the_database(fleet: Fleet, releases: dict[str, Path]) -> None:
    """No number comes twice, nothing of the database since the upgrade is deleted."""
    old = version_of(releases["now"])
    last = {name: till.issue() for name, till in fleet.tills.items()}
    invoices = {name: till.invoices() for name, till in fleet.tills.items()}
    done = fleet.play("rollback.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, till in fleet.tills.items():
        assert till.version() == f"{old} installed"
        assert till.show("ActiveState") == "active"
        assert int(till.issue().rsplit("/", 1)[1]) == int(last[name].rsplit("/", 1)[1]) + 1
        kept = till.machine.run("sh", "-c", "ls /var/lib/ksef-agent/agent.db.replaced-*Z").stdout.split()
        assert [till.invoices(file) for file in kept] == [invoices[name]]


def test_what_ksef_does_not_have_keeps_a_till_from_going_back(fleet: Fleet, releases: dict[str, Path]) -> None:
    fleet.publish(releases["9.1.0"])
    till = fleet.tills["kasa-3"]
    assert fleet.play("upgrade.yml", "--limit", "kasa-3", ksef_till_version="9.1.0").returncode == 0
    sandbox = till.machine.run("sh", "-c", SANDBOX).stdout.split()[0]
    till.machine.run("sh", "-c", f"kill -STOP {sandbox}")
    sold = till.machine.run("ksef-agent", "issue", "--json", "/var/tmp/sale.json", check=False)
    number = json.loads(sold.stdout)["number"]
    refused = till.machine.run("ksef-agent-rollback", "--send-seconds", "2", check=False)
    assert refused.returncode == 1
    assert number in refused.stderr
    assert till.version() == "9.1.0 installed"
    assert till.show("ActiveState") == "active"
    done = till.machine.run("ksef-agent-rollback", "--send-seconds", "2", "--leave-unsent", check=False)
    assert number in done.stderr
    facts = json.loads(done.stdout)
    assert facts["database"] == "restored"
    assert len(till.machine.run("ls", facts["documents"]).stdout.split()) >= 1
    till.machine.run("sh", "-c", f"kill -CONT {sandbox}")
    assert till.systemctl("is-active", SERVICE) == 0
