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


@pytest.mark.parametrize(
    ("apt", "gate", "done"),
    [
        ("exit 100", "ok", ["apt"]),
        ('printf "0.2.0 half-configured" >"$HERE"; exit 100', "ok", ["apt", "back"]),
        ('printf "0.2.0 installed" >"$HERE"', "bad", ["apt", "back"]),
        ('printf "0.2.0 installed" >"$HERE"', "ok", ["apt"]),
        ("true", "bad", ["apt"]),
    ],
    ids=["nothing was touched", "half installed", "not well after it", "well", "not well, and the same version"],
)
def test_a_till_goes_back_only_from_a_version_that_it_was_upgraded_to(
    tmp_path: Path, apt: str, gate: str, done: list[str]
) -> None:
    role = PLAYS / "roles/ksef_till/tasks"
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "upgrade.yml").write_text((role / "upgrade.yml").read_text("utf-8"))
    package = (role / "package.yml").read_text("utf-8")
    (tasks / "package.yml").write_text(package.replace("/var/cache/", f"{tmp_path}/cache-"))
    (tasks / "problems.yml").write_text("- ansible.builtin.set_fact: {ksef_till_problems: []}\n")
    (tasks / "ready.yml").write_text(f"- ansible.builtin.command: '{'true' if gate == 'ok' else 'false'}'\n")
    (tmp_path / "given.deb").touch()
    (tmp_path / "here").write_text("0.1.0 installed")
    program(tmp_path, "dpkg-query", 'cat "$HERE"')
    program(tmp_path, "dpkg-deb", 'printf "0.2.0 installed"')
    program(tmp_path, "apt-get", f"echo apt >>{tmp_path}/log\n{apt}")
    program(tmp_path, "ksef-agent-rollback", f"echo back >>{tmp_path}/log")
    body: dict[str, object] = {
        "vars": {
            "ksef_till_repository": "",
            "ksef_till_version": "",
            "ksef_till_recommends": True,
            "ksef_till_gate_seconds": 0,
            "ksef_till_package": str(tmp_path / "given.deb"),
        },
        "tasks": [{"ansible.builtin.import_tasks": str(tasks / "upgrade.yml")}],
    }
    well = play(tmp_path, body, HERE=str(tmp_path / "here")) == 0
    assert (tmp_path / "log").read_text().splitlines() == done
    assert well is (gate == "ok" and "exit" not in apt)


@pytest.mark.parametrize(("differs", "well"), [(None, True), ([], True), (["series"], False)])
def test_a_till_that_the_hub_has_otherwise_than_the_inventory_stops_the_play(
    tmp_path: Path, differs: list[str] | None, well: bool
) -> None:
    """A hub of before does not say it."""
    answer: dict[str, object] = {"nip": "5265877635", "name": "kasa 1", "result": "known"}
    if differs is not None:
        answer["differs"] = differs
    (tmp_path / "answer.json").write_text(json.dumps([answer]))
    program(tmp_path, "runuser", f"cat >/dev/null\ncat {tmp_path}/answer.json\nexit {int(bool(differs))}")
    tasks = (PLAYS / "roles/ksef_hub/tasks/settings.yml").read_text("utf-8")
    (tmp_path / "tills.yml").write_text(tasks[tasks.index("- name: The tills") :])
    body: dict[str, object] = {
        "vars": {"ksef_hub_tills": [{"name": "kasa 1", "series": ["FV-9"]}]},
        "tasks": [{"ansible.builtin.import_tasks": str(tmp_path / "tills.yml")}],
    }
    assert (play(tmp_path, body) == 0) is well


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:8781"),
        ("::", "http://[::1]:8781"),
        ("10.8.0.7", "http://10.8.0.7:8781"),
        ("fd00::7", "http://[fd00::7]:8781"),
    ],
)
def test_a_till_is_asked_where_it_listens(tmp_path: Path, host: str, address: str) -> None:
    said = [{"setting": "health.host", "value": host}, {"setting": "health.port", "value": 8781}]
    body: dict[str, object] = {
        "vars": {"ksef_till_explained": {"stdout": json.dumps(said)}},
        "vars_files": [str(PLAYS / "roles/ksef_till/vars/main.yml")],
        "tasks": [{"ansible.builtin.assert": {"that": f"ksef_till_address == '{address}'"}}],
    }
    assert play(tmp_path, body) == 0
