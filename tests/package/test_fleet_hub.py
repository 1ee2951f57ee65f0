"""The hub by the Ansible role, on Debian 12 from a repository and on Debian 13 from files.

From a bare machine to one that serves, again without a change, with wrong and with other settings, upgraded.

Each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.package import debs
from tests.package.conftest import running
from tests.package.headquarters import ANSIBLE, Headquarters, address, recap
from tests.package.machine import Machine
from tests.package.till import Till

pytestmark = pytest.mark.skipif(not ANSIBLE.exists(), reason="make test-fleet makes Ansible's environment")

HUB = "ksef-agent-hub.service"
BACKUPS = "ksef-agent-hub-backup.timer"
FROM_REPOSITORY = "bookworm"
LATER = "9.0.0"
_GET = """
import ssl, sys, urllib.error, urllib.request
trusted = ssl.create_default_context(cafile="/root/tls/ca.crt")
try:
    asked = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
    print(urllib.request.urlopen(asked, timeout=5, context=trusted).read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""


class HubHost:
    """A machine, what headquarters' inventory says of it, and the role."""

    def __init__(self, machine: Machine, headquarters: Headquarters) -> None:
        self.machine = machine
        self.headquarters = headquarters
        self.known: dict[str, Any] = {"ksef_hub_settings": "-", "ksef_hub_recommends": False}

    def offer(self, version: str, *packages: Path) -> None:
        """Let headquarters have packages of a version, the program's first."""
        if self.machine.suite == FROM_REPOSITORY:
            self.headquarters.publish([self.machine], *packages)
            self.known |= {"ksef_hub_repository": "file:/srv/apt", "ksef_hub_keyring": self.headquarters.keyring}
            self.known["ksef_hub_version"] = version
        else:
            self.known["ksef_hub_packages"] = [str(package) for package in packages]

    def play(self, *words: str) -> dict[str, int]:
        """Run the role; return what Ansible counted."""
        done = self.try_to_play(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return recap(done)["hub"]

    def try_to_play(self, *words: str) -> subprocess.CompletedProcess[str]:
        host = address(self.machine) | self.known
        inventory = {
            "tills": {"hosts": {}},
            "hubs": {"vars": self.headquarters.shared, "hosts": {"hub": host}},
        }
        return self.headquarters.play(inventory, "site.yml", *words)

    def ask(self, *words: str) -> Any:
        """Run `ksef-agent hub … --json`."""
        return json.loads(self.machine.run("ksef-agent", "hub", *words, "--json").stdout)

    def show(self, name: str, unit: str = HUB) -> str:
        return self.machine.show(unit, name)

    def get(self, path: str, token: str = "") -> dict[str, Any]:
        """Ask the hub over TLS."""
        words = ("python3", "-c", _GET, f"https://127.0.0.1:8790{path}", token)
        answer: dict[str, Any] = json.loads(self.machine.run(*words).stdout)
        return answer

    def health(self) -> dict[str, Any]:
        return self.get("/health")

    def works(self) -> bool:
        """Whether it has reached KSeF and nothing is critical; a hub without its first nightly copy is not "ok" yet."""
        (seller,) = self.ask("status")["sellers"]
        return bool(seller["ksef"] == "up") and self.health()["status"] != "critical"

    def version(self) -> str:
        return self.machine.run("dpkg-query", "--show", "--showformat=${Version}", "ksef-agent-hub").stdout


@pytest.fixture(scope="module")
def machine(suite: str, base: Path) -> Iterator[Machine]:
    with running(suite, base, "-hub-role") as made:
        yield made


@pytest.fixture(scope="module")
def hub(machine: Machine, headquarters: Headquarters) -> HubHost:
    return HubHost(machine, headquarters)


def test_from_a_bare_machine_to_one_that_serves(hub: HubHost, package: Path, hub_package: Path) -> None:
    hub.offer(package.name.split("_")[1], package, hub_package)
    hub.play("--tags", "package")
    assert (hub.show("ActiveState"), hub.show("UnitFileState")) == ("inactive", "disabled")
    sandbox = Till(hub.machine).sandbox_settings()
    hub.machine.run("ksef-agent", "hub", "tls", "/root/tls", "127.0.0.1")
    folder = hub.headquarters.folder
    keys = hub.machine.path("/var/lib/ksef-agent/keys")
    files = {
        "hub.crt": hub.machine.path("/root/tls/hub.crt"),
        "hub.key": hub.machine.path("/root/tls/hub.key"),
        "auth.crt": keys / "authentication.certificate",
        "auth.key": keys / "authentication.key",
    }
    for name, file in files.items():
        (folder / name).write_bytes(file.read_bytes())
    ksef = "\n".join(re.findall(r'^(?:url|latarnia_url) = ".*"$', sandbox, re.MULTILINE))
    nip = re.findall(r'^nip = "(\d+)"$', sandbox, re.MULTILINE)[0]
    tls = 'tls_key_file = "/etc/ksef-agent/hub/tls/hub.key"\n'
    hub.known |= {
        "ksef_hub_settings": f'[hub]\ntls_certificate_file = "/etc/ksef-agent/hub/tls/hub.crt"\n{tls}[ksef]\n{ksef}\n',
        "ksef_hub_tls_crt": str(folder / "hub.crt"),
        "ksef_hub_tls_key": str(folder / "hub.key"),
        "ksef_hub_sellers": [{"nip": nip, "crt": str(folder / "auth.crt"), "key": str(folder / "auth.key")}],
    }
    hub.play()
    assert (hub.show("ActiveState"), hub.show("UnitFileState")) == ("active", "enabled")
    assert (hub.show("ActiveState", BACKUPS), hub.show("UnitFileState", BACKUPS)) == ("active", "enabled")
    Till(hub.machine).until(hub.works)
    assert [seller["nip"] for seller in hub.ask("seller", "list")] == [nip]
    modes = hub.machine.run("sh", "-c", "stat -c '%A %U' /etc/ksef-agent/hub/*.key /etc/ksef-agent/hub/tls/hub.key")
    assert modes.stdout == "-rw------- ksef-agent-hub\n" * 2


def test_a_second_run_changes_nothing(hub: HubHost) -> None:
    process = hub.show("MainPID")
    assert hub.play()["changed"] == 0
    assert hub.show("MainPID") == process


def test_wrong_settings_stop_the_role_before_the_service_sees_them(hub: HubHost) -> None:
    process, right = hub.show("MainPID"), hub.known["ksef_hub_settings"]
    hub.known["ksef_hub_settings"] = right.replace("[hub]\n", '[hub]\nport = "yes"\n')
    assert hub.try_to_play().returncode != 0
    assert hub.show("MainPID") == process
    assert hub.health()["status"] != "critical"
    hub.known["ksef_hub_settings"] = right
    hub.play()


def test_other_settings_are_used_after_a_restart(hub: HubHost) -> None:
    process = hub.show("MainPID")
    hub.known["ksef_hub_settings"] += "[fleet]\nsilent_minutes = 17\n"
    hub.known["ksef_hub_nightly_backup"] = False
    assert hub.play()["changed"] == 3, "settings, timer, restart"
    assert hub.show("MainPID") != process
    assert hub.show("UnitFileState", BACKUPS) == "disabled"
    hub.known["ksef_hub_nightly_backup"] = True


def let_in(hub: HubHost, token: str) -> bool:
    """Whether the hub takes a till's token."""
    return hub.get("/v1/outcomes?after=&wait=0", token).get("code") is None


def test_tills_are_let_in_by_the_tokens_of_the_inventory_also_after_a_total_loss(hub: HubHost) -> None:
    tokens = {f"kasa {number}": f"{number}" * 40 for number in (1, 2)}
    hub.known["ksef_hub_tills"] = [
        {"name": name, "shop": "Sklep 7", "series": [f"FV-{name[-1]}"], "token": token}
        for name, token in tokens.items()
    ]
    assert hub.play()["changed"] == 2, "tills, timer"
    assert hub.play()["changed"] == 0
    assert all(let_in(hub, token) for token in tokens.values())
    assert not let_in(hub, "3" * 40)
    hub.machine.run("systemctl", "stop", HUB)
    hub.machine.run("sh", "-c", "rm /var/lib/ksef-agent-hub/hub.db*")
    hub.play()
    assert {each["name"] for each in hub.ask("till", "list")} == set(tokens)
    assert all(let_in(hub, token) for token in tokens.values())


def test_an_upgrade(hub: HubHost, package: Path, hub_package: Path, tmp_path: Path) -> None:
    hub.offer(LATER, debs.later(package, tmp_path), debs.hub_of(hub_package, tmp_path, LATER))
    sellers = hub.ask("seller", "list")
    hub.play()
    assert hub.version() == LATER
    assert (hub.show("ActiveState"), hub.show("UnitFileState")) == ("active", "enabled")
    assert hub.ask("seller", "list") == sellers
    assert list(hub.machine.path("/var/backups/ksef-agent-hub").glob("before-upgrade-from-*.db"))
    Till(hub.machine).until(hub.works)
    assert hub.play()["changed"] == 0


def test_an_installation_that_was_cut_off_is_completed(hub: HubHost) -> None:
    """The packages are there, and the machine went off before they were installed."""
    hub.machine.run("dpkg", "--remove", "ksef-agent-hub")
    hub.play()
    assert hub.version() == LATER
    assert (hub.show("ActiveState"), hub.show("UnitFileState")) == ("active", "enabled")
