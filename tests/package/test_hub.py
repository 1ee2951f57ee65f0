"""The hub's package on Debian as docs/hub.md walks it: two tills behind it, backed up, restored, upgraded, removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.conftest import running
from tests.package.machine import Machine
from tests.package.till import SALE, Till

HUB = "ksef-agent-hub.service"
SETTINGS = "/etc/ksef-agent/hub.toml"
KEYS = "/etc/ksef-agent/hub"
URL = "https://localhost:8790"


@pytest.fixture(scope="module")
def machine(suite: str, base: Path) -> Iterator[Machine]:
    with running(suite, base, "-hub") as made:
        yield made


@pytest.fixture(scope="module")
def till(machine: Machine) -> Till:
    return Till(machine)


def hub(machine: Machine, *words: str) -> str:
    """Run `ksef-agent hub …`."""
    return machine.run("ksef-agent", "hub", *words).stdout


def open_invoices(machine: Machine) -> int:
    (seller,) = json.loads(hub(machine, "status", "--json"))["sellers"]
    return sum(seller["open"].values())


def test_install(till: Till, package: Path, hub_package: Path) -> None:
    till.install(package)
    said = till.install(hub_package)
    assert "hub.md" in said
    assert (till.show("ActiveState", HUB), till.show("UnitFileState", HUB)) == ("inactive", "disabled")
    places = (SETTINGS, KEYS, "/var/lib/ksef-agent-hub", "/var/backups/ksef-agent-hub")
    modes = till.machine.run("stat", "-c", "%A %U %G", *places).stdout
    assert modes == "-rw-r----- root ksef-agent-hub\n" + "drwx------ ksef-agent-hub ksef-agent-hub\n" * 3


def test_a_hub_in_fifteen_minutes(till: Till) -> None:
    machine = till.machine
    text = till.sandbox_settings()
    ksef = re.findall(r'^(?:url|latarnia_url) = ".*"$', text, re.MULTILINE)
    settings = machine.path(SETTINGS)
    example = settings.read_text("utf-8")
    for line in ksef:
        name = line.split(" ")[0]
        example = re.sub(rf"^{name} = .*$", line, example, flags=re.MULTILINE)
    settings.write_text(example, "utf-8")
    hub(machine, "tls", f"{KEYS}/tls", "localhost")
    nip = re.findall(r'^nip = "(\d+)"$', text, re.MULTILINE)[0]
    for kind in ("certificate", "key"):
        machine.run(
            "install", "-o", "ksef-agent-hub", "-m", "600", f"/var/lib/ksef-agent/keys/authentication.{kind}", KEYS
        )
    files = ("--certificate-file", f"{KEYS}/authentication.certificate", "--key-file", f"{KEYS}/authentication.key")
    hub(machine, "seller", "add", nip, "--name", "Sklep", *files)
    machine.run("chown", "-R", "ksef-agent-hub:", KEYS)
    hub(machine, "check")
    till.systemctl("enable", "--now", HUB)
    machine.run("install", "-m", "644", f"{KEYS}/tls/ca.crt", "/etc/ksef-agent/hub-ca.crt")
    for number in ("1", "2"):
        added = json.loads(hub(machine, "till", "add", f"kasa {number}", "--series", f"FV-{number}", "--json"))
        token = f"/var/lib/ksef-agent/hub-{number}.token"
        machine.path(token).write_text(added["token"], "utf-8")
        machine.run("chmod", "600", token)
        machine.run("chown", "ksef-agent:", token)
    own = re.sub(r"^(certificate_file|key_file) = .*authentication.*$", "", text, flags=re.MULTILINE)
    own = own.replace("[ksef]\n", '[ksef]\nroute = "hub"\n')
    files_of_it = 'token_file = "/var/lib/ksef-agent/hub-1.token"\nca_file = "/etc/ksef-agent/hub-ca.crt"\n'
    way = f'\n[hub]\nurl = "{URL}"\n{files_of_it}'
    till.settings = own + way
    till.systemctl("enable", "--now", "ksef-agent.service")
    second = (own + way.replace("hub-1.token", "hub-2.token")).replace('till = "1"', 'till = "2"')
    ports = sorted(set(re.findall(r"^port = (\d+)$", second[second.index("[api]") :], re.MULTILINE)))
    for port in ports:
        second = second.replace(f"port = {port}\n", f"port = {int(port) + 7 if int(port) < 65000 else int(port) - 7}\n")
    machine.run("install", "-d", "-m", "700", "-o", "ksef-agent", "/var/lib/ksef-agent/second")
    machine.path("/etc/ksef-agent/second.toml").write_text(
        'data_dir = "/var/lib/ksef-agent/second"\n' + second, "utf-8"
    )
    machine.start("ksef-agent", "run", "--config", "/etc/ksef-agent/second.toml", log="/root/second.log")
    machine.path("/var/tmp/sale.json").write_text(json.dumps(SALE))
    (own_port,) = re.findall(r"^\[health\]\n(?:.*\n)*?port = (\d+)$", second, re.MULTILINE)
    places = {
        "/etc/ksef-agent/config.toml": till.address,
        "/etc/ksef-agent/second.toml": f"http://127.0.0.1:{own_port}",
    }
    for config, address in places.items():
        till.until(lambda address=address: till.mode(address) == "online")  # type: ignore[misc] # of the loop
        answer = json.loads(
            machine.run("ksef-agent", "issue", "--json", "--config", config, "/var/tmp/sale.json").stdout
        )
        assert answer["ksef_number"], answer
    till.until(lambda: open_invoices(machine) == 0)
    assert {each["name"] for each in json.loads(hub(machine, "till", "list", "--json"))} == {"kasa 1", "kasa 2"}


_RENEW = """
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    (access,) = database.execute("SELECT access FROM sellers").fetchone()
    text = json.dumps(json.loads(access) | {"renew_before_days": 800})
    database.execute("UPDATE sellers SET access = ?", (text,))
"""
"""As if its certificate, which holds for two years, were near its end; seller add takes 300 days at most."""


def test_it_renews_the_certificate_that_signs_in_where_it_lies(till: Till) -> None:
    """Under systemd's sandbox, whose ReadWritePaths let it: the files are replaced, and the new pair signs in."""
    machine = till.machine
    old = {kind: machine.path(f"{KEYS}/authentication.{kind}").read_bytes() for kind in ("certificate", "key")}
    till.systemctl("stop", HUB)
    machine.run("runuser", "-u", "ksef-agent-hub", "--", "python3", "-c", _RENEW, "/var/lib/ksef-agent-hub/hub.db")
    till.systemctl("start", HUB)

    def renewed() -> bool:
        return all(machine.path(f"{KEYS}/authentication.{kind}").read_bytes() != old[kind] for kind in old)

    till.until(renewed)
    modes = machine.run("stat", "-c", "%A %U %G", *(f"{KEYS}/authentication.{kind}" for kind in old)).stdout
    assert modes.splitlines()[-1] == "-rw------- ksef-agent-hub ksef-agent-hub", "the key"
    hub(machine, "check")
    till.until(lambda: till.mode() == "online")  # it knows that the hub, which was stopped, is back
    till.issue()
    till.until(lambda: open_invoices(machine) == 0)
    assert "Read-only file system" not in till.journal(HUB)


def test_a_copy_is_restored(till: Till) -> None:
    machine = till.machine
    till.systemctl("start", "ksef-agent-hub-backup.service")
    (copy,) = machine.path("/var/backups/ksef-agent-hub").glob("hub-*.db")
    till.systemctl("stop", HUB)
    machine.run("sh", "-c", "rm /var/lib/ksef-agent-hub/hub.db*")
    owned = ("install", "-m", "600", "-o", "ksef-agent-hub", "-g", "ksef-agent-hub")
    machine.run(*owned, f"/var/backups/ksef-agent-hub/{copy.name}", "/var/lib/ksef-agent-hub/hub.db")
    till.systemctl("start", HUB)
    assert open_invoices(machine) == 0


def test_an_upgrade_stops_it_copies_it_and_starts_it_again(till: Till, package: Path, hub_package: Path) -> None:
    before = till.show("ExecMainStartTimestampMonotonic", HUB)
    machine = till.machine
    for number, file in enumerate((package, hub_package)):
        machine.path(f"/root/{number}.deb").write_bytes(file.read_bytes())
    machine.run("dpkg", "--install", "/root/0.deb", "/root/1.deb")
    assert till.show("ActiveState", HUB) == "active"
    assert till.show("ExecMainStartTimestampMonotonic", HUB) != before
    assert list(machine.path("/var/backups/ksef-agent-hub").glob("before-upgrade-from-*.db"))


def test_purged_it_leaves_the_data(till: Till) -> None:
    machine = till.machine
    machine.run("dpkg", "--purge", "ksef-agent-hub")
    assert not machine.path(SETTINGS).exists()
    assert machine.path("/var/lib/ksef-agent-hub/hub.db").exists()
    assert till.show("ActiveState") == "active", "the till goes on"
