"""What `check` finds of ports and printers, each with its cause."""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.command_line import cli
from agent.domain.callers import Role
from agent.services.manager_pins import PINS_FILE
from agent.services.tokens import FILE_NAME, Tokens
from agent.settings.model import PrinterSettings
from agent.store.lock import DataLock
from agent.system.permissions import writable_for_us
from printers.diagnosis import cause, one_device

SELLER = 'data_dir = "data"\n[seller]\nnip = "5260250274"\nname = "Sklep"\n[seller.address]\nline1 = "ul. Prosta 1"\n'


def finding(config: Path, name: str) -> tuple[bool, str]:
    done = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(config)])
    (found,) = [each for each in json.loads(done.stdout) if each["name"] == name]
    return found["ok"], found["message"]


def ports(config: Path) -> tuple[bool, str]:
    return finding(config, "porty")


def test_damaged_lists_of_tokens_and_pins_are_found(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    config = tmp_path / "config.toml"
    config.write_text(SELLER, "utf-8")
    assert finding(config, "kody dostępu") == (True, "jeszcze ich nie ma; nadaje je ksef-agent token add")
    Tokens.in_directory(data).add("kasa 1", Role.CASHIER)
    assert finding(config, "kody dostępu") == (True, "nadane: 1")
    for name in (FILE_NAME, PINS_FILE):
        (data / name).write_text("[{")
        ok, message = finding(config, "kody dostępu")
        assert not ok
        assert name in message
        (data / name).unlink()


def test_a_port_of_another_program_is_found_and_the_own_agents_is_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as free:
        taken, health = other.getsockname()[1], free.getsockname()[1]
        free.close()
        config = tmp_path / "config.toml"
        config.write_text(f'{SELLER}[api]\nport = {taken}\n[health]\nhost = "127.0.0.1"\nport = {health}\n', "utf-8")
        ok, message = ports(config)
        assert not ok
        assert f"[api] port {taken} na adresie 127.0.0.1: zajmuje go inny program" in message
        lock = DataLock(tmp_path / "data" / "agent.db")
        lock.take()
        try:
            assert ports(config)[0]
        finally:
            lock.release()


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'{SELLER}[api]\nport = 1\n[health]\nhost = "192.0.2.1"\nport = 2\n', "utf-8")
    assert "[health] port 2 na adresie 192.0.2.1: tego adresu nie ma na tym komputerze" in ports(config)[1]


def test_two_printers_that_are_one() -> None:
    """The second would never print: what the first does not take, it does not either."""
    first = PrinterSettings(name="lada", connection="usb", device="04b8:0e15")
    kitchen = replace(first, name="kuchnia", device="04B8:0E15")
    (said,) = one_device((first, replace(first, name="zaplecze", device="04b8:0e15@1-4"), kitchen))
    assert said.startswith("Drukarki „lada” i „kuchnia” to to samo urządzenie")
    assert "04b8:0e15@1-4" in said
    assert one_device((first, replace(first, name="b", connection="cups"), PrinterSettings("c"))) == ()
    line = replace(first, connection="serial", device="/dev/ttyS0")
    assert "popraw device" in one_device((line, replace(line, name="b")))[0]
    assert one_device((PrinterSettings("a", host="192.0.2.1"), PrinterSettings("b", host="192.0.2.2"))) == ()
    assert len(one_device((PrinterSettings("a"), PrinterSettings("b")))) == 1


class TestCauses:
    async def test_a_port_where_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        found = await cause(PrinterSettings(connection="tcp", host="127.0.0.1", port=port))
        assert found is not None
        assert "połączenie odrzucone; pod tym adresem coś działa" in found

    async def test_a_name_that_dns_does_not_know(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def unknown(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr("asyncio.open_connection", unknown)
        found = await cause(PrinterSettings(connection="tcp", host="drukarka.invalid"))
        assert found == "nazwy „drukarka.invalid” nie zna serwer DNS: wpisz adres IP drukarki albo popraw nazwę"

    @pytest.mark.parametrize("host", ["192.168.1..50", "x" * 70, "drukarka\0"])
    async def test_what_no_dns_can_be_asked_for(self, host: str) -> None:
        found = await cause(PrinterSettings(connection="tcp", host=host))
        assert found == f"„{host}” nie jest adresem ani nazwą komputera: popraw host"

    @pytest.mark.parametrize("connection", ["file", "serial"])
    async def test_what_no_file_can_be_called(self, connection: str) -> None:
        found = await cause(PrinterSettings(connection=connection, device="/dev/lp\0"))
        assert found == "„/dev/lp\0” nie jest nazwą urządzenia: popraw device"

    async def test_no_route(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def unreachable(*_: object) -> None:
            raise OSError(113, "No route to host")

        monkeypatch.setattr("asyncio.open_connection", unreachable)
        found = await cause(PrinterSettings(connection="tcp", host="192.0.2.1", port=9100))
        assert (
            found == "192.0.2.1:9100: brak połączenia z tym adresem; sprawdź adres, zasilanie drukarki i kabel sieciowy"
        )

    async def test_no_lp(self) -> None:
        found = await cause(PrinterSettings(connection="cups", device="paragon"), lambda _: None)
        assert found == "nie ma programu lp: zainstaluj pakiet cups-client"
        assert await cause(PrinterSettings(connection="cups", device="paragon"), lambda name: name) is None

    async def test_a_device_that_is_away_or_closed_to_us(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        device = tmp_path / "lp0"
        printer = PrinterSettings(connection="file", device=str(device))
        assert "nie ma takiego pliku" in (await cause(printer) or "")
        device.touch()
        assert await cause(printer) is None
        monkeypatch.setattr("os.access", lambda *_: False)
        assert "brak uprawnień" in (await cause(printer) or "")

    async def test_a_printer_that_answers_has_none(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert (
                await cause(PrinterSettings(connection="tcp", host="127.0.0.1", port=server.getsockname()[1])) is None
            )


@pytest.mark.parametrize(("secret", "ok"), [("x", False), ("x" * 31 + "\n", False), ("x" * 32 + "\n", True)])
def test_a_short_secret_of_webhooks_is_found(tmp_path: Path, secret: str, *, ok: bool) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    file = tmp_path / "outbox.secret"
    file.write_text(secret)
    file.chmod(0o600)
    config = tmp_path / "config.toml"
    config.write_text(f'{SELLER}[outbox]\nurl = "https://shop.example/"\nsecret_file = "{file}"\n', "utf-8")
    done = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(config)])
    [found] = [each for each in json.loads(done.stdout) if "tajn" in each["message"]]
    assert found["ok"] is ok
    assert ("mniej niż 32 znaków" in found["message"]) is not ok


class TestFolderOfCopies:
    """A wrong [backup] dir would show in the first night; by rights alone, since the service may not write there."""

    @staticmethod
    def finding(place: Path, folder: Path, more: str = "") -> tuple[bool, str]:
        (place / "data").mkdir(mode=0o700, exist_ok=True)
        config = place / "config.toml"
        config.write_text(f'{SELLER}[backup]\ndir = "{folder}"\n{more}', "utf-8")
        done = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(config)])
        (found,) = [each for each in json.loads(done.stdout) if each["name"] == "katalog kopii"]
        return found["ok"], found["message"]

    def test_a_folder(self, tmp_path: Path) -> None:
        assert self.finding(tmp_path, tmp_path) == (True, str(tmp_path))

    def test_none_is_there(self, tmp_path: Path) -> None:
        ok, message = self.finding(tmp_path, tmp_path / "usb")
        assert not ok
        assert f"install -d -m 700 -o {getpass.getuser()} -g {getpass.getuser()} {tmp_path}/usb" in message
        assert self.finding(tmp_path, tmp_path / "usb", "[alerts]\nbackup_hours = 0\n")[0]

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "usb").touch()
        assert not self.finding(tmp_path, tmp_path / "usb")[0]

    @pytest.mark.parametrize(
        ("mode", "owner", "ok"),
        [(0o700, 0, False), (0o755, 0, False), (0o700, 65534, True), (0o500, 65534, False), (0o777, 0, True)],
    )
    def test_another_ones(self, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, *, ok: bool) -> None:
        facts = os.stat_result((0o040000 | mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))
        monkeypatch.setattr("os.geteuid", lambda: 65534)
        monkeypatch.setattr("os.getegid", lambda: 65534)
        monkeypatch.setattr("os.getgroups", list)
        assert writable_for_us(facts) is ok


def test_an_offline_pair_that_is_only_named_is_to_be_fetched(tmp_path: Path) -> None:
    """As technician.md has it: the settings name both files before `enroll` makes them."""
    (tmp_path / "data").mkdir(mode=0o700)
    config = tmp_path / "config.toml"
    config.write_text(f'{SELLER}[offline]\ncertificate_file = "offline.crt"\nkey_file = "offline.key"\n', "utf-8")
    missing = f"nie ma jeszcze pliku {tmp_path}/offline.crt; zdobądź certyfikat: ksef-agent enroll --type offline."
    assert finding(config, "certyfikat Offline") == (False, missing)
    (tmp_path / "offline.key").write_text("nonsense")
    (tmp_path / "offline.key").chmod(0o600)
    ok, message = finding(config, "certyfikat Offline")
    assert not ok
    assert "enroll" not in message, "one half is there: which one is missing, or damaged, has to be looked at"
