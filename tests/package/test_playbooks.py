"""Playbooks and roles as Ansible reads them; what they do is shown by test_fleet.py and test_fleet_hub.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.package.headquarters import ANSIBLE, PLAYS

pytestmark = pytest.mark.skipif(not ANSIBLE.exists(), reason="make test-fleet makes Ansible's environment")


EXAMPLE = PLAYS / "inventory.example.yml"


@pytest.mark.parametrize("book", sorted(set(PLAYS.glob("*.yml")) - {EXAMPLE}), ids=lambda path: path.name)
def test_a_playbook_has_no_fault_of_syntax(book: Path) -> None:
    command = (ANSIBLE / "bin/ansible-playbook", "--syntax-check", "-i", EXAMPLE, book)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_names_hosts_of_both_roles() -> None:
    command = (ANSIBLE / "bin/ansible-inventory", "-i", EXAMPLE, "--graph")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert "hub.example" in done.stdout
    assert "kasa-1.sklep-7.example" in done.stdout
