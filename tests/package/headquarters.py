"""Headquarters: a signed repository of packages, and Ansible with the project's playbooks and roles."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.package.machine import Machine

ROOT = Path(__file__).parents[2]
PLAYS = ROOT / "packaging" / "ansible"
ANSIBLE = Path(os.environ.get("ANSIBLE_VENV", ROOT / "build" / "ansible"))
KEY = "hq@example.test"


class Headquarters:
    """Where packages and playbooks come from; ``folder`` holds its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._site = folder / "apt"
        make = ("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", KEY, "ed25519", "sign", "1d")
        subprocess.run(make, check=True, capture_output=True)

    @property
    def keyring(self) -> str:
        """The repository's public key."""
        return str(self._site / "ksef-agent-archive-keyring.gpg")

    @property
    def shared(self) -> dict[str, Any]:
        """What Ansible has to know of each of tests/package/machine.py."""
        return {"ansible_python_interpreter": "/usr/bin/python3", "ansible_become": False}

    def publish(self, machines: Iterable[Machine], *packages: Path) -> None:
        """Put packages into the repository, and the repository onto each machine's disk (/srv/apt)."""
        subprocess.run((ROOT / "packaging/apt-repo", "--key", KEY, self._site, *packages), check=True)
        for machine in machines:
            target = machine.path("/srv/apt")
            subprocess.run(("rm", "-rf", target), check=True)
            subprocess.run(("cp", "-r", self._site, target), check=True)

    def play(
        self, inventory: Mapping[str, Any], book: str, *words: str, **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook."""
        hosts = self.folder / "inventory.json"
        hosts.write_text(json.dumps(inventory))
        environment = {
            **os.environ,
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests/package/connection"),
            "ANSIBLE_ROLES_PATH": str(PLAYS / "roles"),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_NOCOLOR": "1",
            "LANG": "C.UTF-8",
        }
        extra = ("--extra-vars", json.dumps(variables)) if variables else ()
        program = (ANSIBLE / "bin/ansible-playbook", "--inventory", hosts, *extra, *words, PLAYS / book)
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def address(machine: Machine) -> dict[str, Any]:
    """Return how Ansible reaches a machine."""
    return {"ansible_connection": "nsenter", "ansible_nsenter_leader": machine.leader}


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, int]]:
    """Return what Ansible counted by host."""
    found = {}
    for line in done.stdout.partition("PLAY RECAP")[2].splitlines():
        name, _, counts = line.partition(":")
        if counts:
            found[name.strip()] = {word: int(count) for word, count in re.findall(r"(\w+)=(\d+)", counts)}
    return found
