"""Playbooks and roles as Ansible reads them; what they do is shown by test_fleet.py and test_fleet_hub.py."""

from __future__ import annotations

import json
import os
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


def play(folder: Path, body: dict[str, object], **environment: str) -> int:
    """Run tasks on this machine, with the folder's programs first; return Ansible's exit code."""
    common = {"hosts": "localhost", "connection": "local", "gather_facts": False, "force_handlers": True}
    programs = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    (folder / "play.json").write_text(json.dumps([{**common, "environment": programs, **body}]))
    command = (ANSIBLE / "bin/ansible-playbook", folder / "play.json")
    more = {"ANSIBLE_HOME": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder / "local")}
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **more, **environment}, capture_output=True, text=True, check=False
    )
    return done.returncode


def program(folder: Path, name: str, body: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(("role", "unit"), [("ksef_till", "ksef-agent"), ("ksef_hub", "ksef-agent-hub")])
@pytest.mark.parametrize(("code", "restarts"), [(0, 1), (3, 0)])
def test_after_a_failure_right_settings_are_taken_up_and_wrong_ones_are_not(
    tmp_path: Path, role: str, unit: str, code: int, restarts: int
) -> None:
    program(tmp_path, "ksef-agent", f"exit {code}")
    program(tmp_path, "runuser", 'shift 3\nexec "$@"')
    program(tmp_path, "systemctl", f'echo "$*" >>{tmp_path}/log')
    (tmp_path / "log").touch()
    notify = "Restart the agent" if role == "ksef_till" else "Restart the hub"
    body: dict[str, object] = {
        "tasks": [{"ansible.builtin.command": "true", "notify": notify}, {"ansible.builtin.command": "false"}],
        "handlers": [{"ansible.builtin.import_tasks": str(PLAYS / "roles" / role / "handlers/main.yml")}],
    }
    assert play(tmp_path, body) != 0
    assert (tmp_path / "log").read_text().splitlines() == [f"try-restart {unit}.service"] * restarts


def test_a_package_whose_installation_failed_is_installed_at_the_next_run(tmp_path: Path) -> None:
    tasks = (PLAYS / "roles/ksef_till/tasks/package.yml").read_text("utf-8")
    (tmp_path / "package.yml").write_text(tasks.replace("/var/cache/", f"{tmp_path}/cache-"))
    (tmp_path / "given.deb").touch()
    (tmp_path / "here").write_text("0.1.0 installed")
    program(tmp_path, "dpkg-query", f"cat {tmp_path}/here")
    program(tmp_path, "dpkg-deb", 'printf "0.2.0 installed"')
    program(tmp_path, "apt-get", f'echo apt >>{tmp_path}/log\n[ -z "$LOCKED" ] || exit 100\ndpkg-deb >{tmp_path}/here')
    body: dict[str, object] = {
        "vars": {
            "ksef_till_repository": "",
            "ksef_till_version": "",
            "ksef_till_recommends": True,
            "ksef_till_package": str(tmp_path / "given.deb"),
        },
        "tasks": [{"ansible.builtin.import_tasks": str(tmp_path / "package.yml")}],
    }
    assert play(tmp_path, body, LOCKED="1") != 0
    for _ in range(2):
        assert play(tmp_path, body) == 0
    assert (tmp_path / "log").read_text().splitlines() == ["apt", "apt"], "once in vain, once, and no more"
