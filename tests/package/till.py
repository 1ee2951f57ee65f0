"""A till on a machine: the package, a sandbox of KSeF on loopback, and what a technician looks at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.package.machine import Machine

SETTINGS = "/etc/ksef-agent/config.toml"
SERVICE = "ksef-agent.service"
WAIT_SECONDS = 60.0
SANDBOX_SECONDS = 180.0
SALE = {
    "buyer": {"name": "Anna Nowak", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}},
    "prices": "gross",
    "lines": [{"name": "Chleb", "quantity": "1", "unit": "szt.", "unit_price": "4.20", "vat": "5"}],
    "payments": [{"method": "cash", "amount": "4.20"}],
}
_GET = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""


_COUNT = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM invoices").fetchone()[0])
"""


class Till:
    """What the tests do and see, by the commands of a technician."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._facts: dict[str, Any] = {}

    def install(self, package: Path, *, check: bool = True, **environment: str) -> str:
        """Install, upgrade or go back, with nobody there to answer a question."""
        target = self.machine.path("/root/package.deb")
        target.write_bytes(package.read_bytes())
        done = self.machine.run("dpkg", "--install", "/root/package.deb", check=check, more=environment)
        return done.stdout + done.stderr

    def version(self) -> str:
        return self.machine.run(
            "dpkg-query", "--show", "--showformat=${Version} ${db:Status-Status}", "ksef-agent"
        ).stdout

    @property
    def settings(self) -> str:
        return self.machine.path(SETTINGS).read_text("utf-8")

    @settings.setter
    def settings(self, text: str) -> None:
        self.machine.path(SETTINGS).write_text(text, "utf-8")

    def open_sandbox(self) -> None:
        """Start KSeF, Latarnia and a printer on the machine's loopback, and write settings for them."""
        self.settings = self.sandbox_settings()

    def sandbox_settings(self) -> str:
        """Start them, put the keys where the service may read them, and return the settings."""
        folder = self.machine.path("/root/sandbox")
        folder.mkdir()
        program = ("ksef-agent", "sandbox", "--write-config", "/root/sandbox/agent.toml")
        self.machine.start(*program, log="/root/sandbox/log")
        try:
            self.until(
                lambda: (folder / "agent.toml").exists() and "}\n" in (folder / "log").read_text(), SANDBOX_SECONDS
            )
        except AssertionError as error:
            raise AssertionError(f"the sandbox did not start: {(folder / 'log').read_text()[-2000:]}") from error
        self._facts = json.loads((folder / "log").read_text().splitlines()[0])
        keys = "/var/lib/ksef-agent/keys"
        owned = ("-o", "ksef-agent", "-g", "ksef-agent")
        self.machine.run("install", "-d", "-m", "700", *owned, keys)
        text = (folder / "agent.toml").read_text("utf-8")
        for kind in ("authentication", "offline"):
            for part, path in self._facts[kind].items():
                self.machine.run("install", "-m", "600", *owned, path, f"{keys}/{kind}.{part}")
                text = text.replace(path, f"{keys}/{kind}.{part}")
        lines = [line for line in text.splitlines() if not line.startswith("data_dir")]
        return "\n".join(lines) + "\n"

    def systemctl(self, *words: str, check: bool = True) -> int:
        return self.machine.run("systemctl", *words, check=check).returncode

    def show(self, name: str, unit: str = SERVICE) -> str:
        return self.machine.show(unit, name)

    def journal(self, unit: str = SERVICE) -> str:
        return self.machine.run("journalctl", "--no-pager", "--unit", unit).stdout

    def issue(self) -> str:
        """Sell, as root does it by the command, and return the invoice's number."""
        self.machine.path("/var/tmp/sale.json").write_text(json.dumps(SALE))
        answer = json.loads(self.machine.run("ksef-agent", "issue", "--json", "/var/tmp/sale.json").stdout)
        assert answer["ksef_number"], answer
        number: str = answer["number"]
        return number

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.get(f"{self._facts['health']}/health"))
        return answer

    @property
    def address(self) -> str:
        """The listener of /health and /metrics."""
        return str(self._facts["health"])

    def mode(self, address: str | None = None) -> str:
        """Return the mode of the next press; nothing where no agent answers at this address."""
        done = self.machine.run("python3", "-c", _GET, f"{address or self.address}/health", check=False)
        return "" if done.returncode else str(json.loads(done.stdout)["mode"])

    def problems(self) -> list[str]:
        return [problem["code"] for problem in self.health()["problems"]]

    def get(self, address: str) -> str:
        return self.machine.run("python3", "-c", _GET, address).stdout

    def invoices(self, database: str = "/var/lib/ksef-agent/agent.db") -> int:
        """How many invoices a database or a copy holds."""
        return int(self.machine.run("python3", "-c", _COUNT, database).stdout)

    def until(self, holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.25)
