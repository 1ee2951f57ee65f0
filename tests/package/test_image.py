"""An image of many tills: each machine that begins from it sells under a name of its own, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.package.machine import Machine
from tests.package.till import SERVICE, Till

SHARED = """
[seller]
nip = "5265877635"
name = "Sklep Piaskownica sp. z o.o."

[seller.address]
line1 = "ul. Piaskowa 1"
line2 = "00-001 Warszawa"
country = "PL"

[ksef]
url = "http://127.0.0.1:9/v2"
latarnia_url = "http://127.0.0.1:9"
auth = "token"
token_file = "/etc/ksef-agent/ksef.token"
"""
FIRST_BOOT = "ksef-agent-first-boot.service"


@pytest.fixture(scope="module")
def image(suite: str, base: Path, package: Path) -> Iterator[str]:
    """The layers of a machine's disk after `ksef-agent-image prepare`."""
    with TemporaryDirectory(prefix="ksef-agent-image-", dir="/var/tmp") as folder:
        machine = Machine(suite, base, Path(folder), "-image")
        try:
            machine.boot()
            till = Till(machine)
            till.install(package)
            till.settings = "# Settings stand in config.d.\n"
            machine.run("install", "-d", "-m", "750", "-g", "ksef-agent", "/etc/ksef-agent/config.d")
            machine.path("/etc/ksef-agent/config.d/10-hq.toml").write_text(SHARED)
            machine.path("/etc/ksef-agent/config.d/50-till.toml").write_text('till = "golden"\n')
            machine.path("/etc/ksef-agent/ksef.token").write_text("a token\n")
            machine.run("chown", "ksef-agent:ksef-agent", "/etc/ksef-agent/ksef.token")
            machine.run("chmod", "600", "/etc/ksef-agent/ksef.token")
            machine.run("ksef-agent", "token", "add", "kasa")
            machine.run("touch", "/var/lib/ksef-agent/agent.db")
            refused = machine.run("ksef-agent-image", "prepare", check=False)
            assert (refused.returncode, "this till has data" in refused.stderr) == (1, True)
            assert machine.path("/etc/ksef-agent/config.d/50-till.toml").exists(), "a refusal changes nothing"
            machine.run("rm", "/var/lib/ksef-agent/agent.db")
            machine.run("ksef-agent-image", "prepare")
            assert list(machine.path("/var/lib/ksef-agent").iterdir()) == []
        finally:
            machine.close()
        yield f"{folder}/upper:{base}"


@contextmanager
def begun(suite: str, image: str, name: str, state: str = "running", **credentials: str) -> Iterator[Till]:
    """A machine at its first boot."""
    with TemporaryDirectory(prefix="ksef-agent-clone-", dir="/var/tmp") as folder:
        machine = Machine(suite, image, Path(folder), f"-{name}")
        try:
            machine.boot(credentials, state=state)
            yield Till(machine)
        finally:
            machine.close()


def name_of(till: Till) -> str:
    found: str = till.machine.run("sh", "-c", "cat /etc/ksef-agent/config.d/50-till.toml").stdout
    return found


def test_two_machines_have_two_names_and_nothing_in_common(suite: str, image: str) -> None:
    ids = set()
    for name in ("7", "8"):
        with begun(suite, image, name, **{"ksef-agent.till": name}) as till:
            till.until(lambda till=till: till.show("ActiveState") == "active")  # type: ignore[misc]
            assert name_of(till) == f'till = "{name}"\n'
            assert json.loads(till.get("http://127.0.0.1:8781/health"))["till"] == name
            ids.add(till.machine.run("cat", "/etc/machine-id").stdout)
            assert not till.machine.path("/etc/ksef-agent/image").exists()
            till.systemctl("restart", SERVICE)
            assert till.show("ActiveState") == "active"
    assert len(ids) == 2


def test_a_machine_without_a_name_sells_nothing_until_it_has_one(suite: str, image: str) -> None:
    with begun(suite, image, "nameless", state="degraded") as till:
        assert till.show("ActiveState") == "inactive"
        assert till.show("ActiveState", FIRST_BOOT) == "failed"
        assert "50-till.toml" in till.journal(FIRST_BOOT)
        assert till.systemctl("start", SERVICE) == 0
        assert till.show("ActiveState") == "inactive", "also not by hand"
        till.machine.path("/etc/ksef-agent/config.d/50-till.toml").write_text('till = "9"\n')
        till.systemctl("start", FIRST_BOOT)
        till.until(lambda: till.show("ActiveState") == "active")


def test_a_name_that_is_none_is_refused(suite: str, image: str) -> None:
    with begun(suite, image, "wrong", state="degraded", **{"ksef-agent.till": 'x"\ny'}) as till:
        assert till.show("ActiveState") == "inactive"
        assert "letters, digits" in till.journal(FIRST_BOOT)
