"""`ksef-agent hub …` as a person and a program use it."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.commands.hub import command
from agent.domain.errors import AgentError, BadInput, Conflict, NotFound
from agent.hub.domain.records import Till
from agent.hub.domain.tokens import token_hash
from agent.hub.ports import HubTransaction
from agent.hub.private_ca import issue
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, OTHER_NIP, sqlite_hub


class Hub:
    """A folder with settings, and the commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hub.toml").write_text(
            '[hub]\ndata_dir = "data"\nhost = "127.0.0.1"\n'
            '[ksef]\nurl = "http://127.0.0.1:9/v2"\nlatarnia_url = "http://127.0.0.1:9"\n',
            "utf-8",
        )
        (folder / "token").write_text("token")
        (folder / "token").chmod(0o600)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = self.result(*arguments)
        assert result.exit_code == code, result.output
        return result.stdout

    def result(self, *arguments: str) -> Result:
        given = [*arguments, "--config", str(self.folder / "hub.toml")]
        return CliRunner().invoke(command, given, catch_exceptions=True)

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def status(self) -> Any:
        """What `status` says; no hub runs here, so its code is 1."""
        return self.json("status", code=1)

    def refused(self, *arguments: str) -> AgentError:
        error = self.result(*arguments).exception
        assert isinstance(error, AgentError), error
        return error

    def till_of(self, token: str) -> str | None:
        """Return whose token it is."""

        async def work() -> Till | None:
            async with sqlite_hub(self.folder / "data", FakeClock()) as store:
                return await store.read(lambda tx: tx.parties.till_of(token_hash(token)))

        found = asyncio.run(work())
        return None if found is None else found.name

    def add_seller(self, nip: str = NIP) -> None:
        self.run("seller", "add", nip, "--name", "Sklep", "--token-file", str(self.folder / "token"))


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def test_an_empty_hub_says_what_is_next(hub: Hub) -> None:
    said = hub.run("status", code=1)
    assert "seller add" in said
    assert "nie działa: systemctl start ksef-agent-hub" in said
    assert hub.status() == {"running": False, "draining": False, "sellers": []}


def test_sellers_come_and_go(hub: Hub) -> None:
    hub.add_seller()
    (listed,) = hub.json("seller", "list")
    assert (listed["nip"], listed["access"]["auth"]) == (NIP, "token")
    assert "token" in listed["access"]["token_file"], "a path, never the secret"
    assert isinstance(hub.refused("seller", "add", NIP, "--token-file", str(hub.folder / "token")), Conflict)
    hub.run("seller", "remove", NIP)
    assert hub.json("seller", "list") == []
    hub.add_seller(f"PL {NIP[:3]}-{NIP[3:6]}-{NIP[6:8]}-{NIP[8:]}")
    assert [each["nip"] for each in hub.json("seller", "list")] == [NIP]


@pytest.mark.parametrize("arguments", [(), ("--token-file", "T", "--certificate-file", "T")])
def test_a_seller_has_one_way_to_log_in(hub: Hub, arguments: tuple[str, ...]) -> None:
    given = [str(hub.folder / "token") if each == "T" else each for each in arguments]
    assert isinstance(hub.refused("seller", "add", NIP, *given), BadInput)


def test_wrong_credentials_are_found_at_the_terminal(hub: Hub) -> None:
    error = hub.refused("seller", "add", NIP, "--certificate-file", str(hub.folder / "token"))
    assert "PKCS#12" in str(error)
    assert isinstance(hub.refused("seller", "add", "123", "--token-file", str(hub.folder / "token")), BadInput)


def test_a_tills_token_is_shown_once(hub: Hub) -> None:
    hub.add_seller()
    added = hub.json("till", "add", "kasa 1", "--series", "FV-1", "--series", "FK-1", "--shop", "Wola")
    assert added["token"].startswith("ksef-till-")
    (listed,) = hub.json("till", "list")
    assert (listed["name"], listed["shop"], listed["series"]) == ("kasa 1", "Wola", ["FV-1", "FK-1"])
    assert added["token"] not in json.dumps(listed)
    assert added["token"].encode() not in (hub.folder / "data" / "hub.db").read_bytes()
    renewed = hub.json("till", "token", "kasa 1")["token"]
    assert renewed != added["token"]
    assert isinstance(hub.refused("till", "add", "kasa 1"), Conflict)
    hub.run("till", "adopt", "kasa 1")
    hub.run("till", "revoke", "kasa 1")
    assert hub.json("till", "list") == []
    for gone in ("revoke", "token", "adopt"):
        assert isinstance(hub.refused("till", gone, "kasa 1"), NotFound)


def test_a_list_of_tills_is_added_at_once_and_again_after_a_loss_with_their_tokens(hub: Hub) -> None:
    hub.add_seller()
    file, tokens = hub.folder / "tills.json", hub.folder / "kept" / "tokens"
    given = [{"name": f"kasa {number}", "shop": "Wola", "series": [f"FV-{number}"]} for number in (1, 2, 3)]
    file.write_text(json.dumps(given), "utf-8")
    words = ("till", "import", str(file), "--tokens", str(tokens))
    assert hub.run(*words) == "Dodano kas: 3, zmieniono kod: 0, bez zmian: 0.\n"
    names = [tokens / f"{NIP}-kasa {number}.token" for number in (1, 2, 3)]
    made = [name.read_text().strip() for name in names]
    assert len(set(made)) == 3
    assert {name.stat().st_mode & 0o777 for name in names} == {0o600}
    assert [each["result"] for each in hub.json(*words)] == ["known"] * 3
    listed = hub.json("till", "list")
    assert (listed[0]["name"], listed[0]["shop"], listed[0]["series"]) == ("kasa 1", "Wola", ["FV-1"])
    file.write_text(json.dumps(listed), "utf-8")
    for data in (hub.folder / "data").glob("hub.db*"):
        data.unlink()
    hub.add_seller()
    assert [each["result"] for each in hub.json(*words)] == ["added"] * 3
    assert [name.read_text().strip() for name in names] == made
    assert [hub.till_of(token) for token in made] == ["kasa 1", "kasa 2", "kasa 3"]
    hub.run("till", "token", "kasa 2")
    assert hub.till_of(made[1]) is None
    assert [each["result"] for each in hub.json(*words)] == ["known", "token_replaced", "known"]
    assert hub.till_of(made[1]) == "kasa 2"


def test_a_till_in_use_keeps_shop_and_series_and_the_list_is_told_where_it_says_otherwise(hub: Hub) -> None:
    hub.add_seller()
    hub.run("till", "add", "kasa 1", "--shop", "Wola", "--series", "FV-1", "--series", "FK-1")
    file = hub.folder / "tills.json"
    for given, differs in (
        ({}, []),
        ({"shop": "Wola", "series": ["FK-1", "FV-1"]}, []),
        ({"shop": "Praga"}, ["shop"]),
        ({"shop": "", "series": []}, ["shop", "series"]),
        ({"series": ["FV-1"]}, ["series"]),
    ):
        file.write_text(json.dumps([{"name": "kasa 1", **given}]), "utf-8")
        said = hub.result("till", "import", str(file), "--json")
        (answer,) = json.loads(said.stdout)
        assert (answer["result"], answer["differs"], said.exit_code) == ("known", differs, int(bool(differs)))
    said = hub.result("till", "import", str(file))
    assert said.exit_code == 1
    assert "Kasa „kasa 1”: serie na liście i w centrali różnią się" in said.stderr
    (known,) = hub.json("till", "list")
    assert (known["shop"], known["series"]) == ("Wola", ["FV-1", "FK-1"])


def test_a_till_that_replaces_a_revoked_one_needs_another_token(hub: Hub) -> None:
    hub.add_seller()
    file = hub.folder / "tills.json"
    for token, added in (("a" * 32, True), ("a" * 32, False), ("b" * 32, True)):
        file.write_text(json.dumps([{"name": "kasa 1", "series": ["FV-9"], "token": token}]), "utf-8")
        if added:
            assert [each["result"] for each in hub.json("till", "import", str(file))] == ["added"]
            hub.run("till", "revoke", "kasa 1")
        else:
            assert "daj jej nowy" in str(hub.refused("till", "import", str(file)))


def test_a_token_of_headquarters_own_is_taken_and_a_till_in_use_keeps_its_own(hub: Hub) -> None:
    hub.add_seller()
    hub.run("till", "add", "kasa 1")
    file = hub.folder / "tills.json"
    file.write_text(json.dumps([{"name": "kasa 1"}, {"name": "kasa 2", "token": "a" * 32}]), "utf-8")
    assert [each["result"] for each in hub.json("till", "import", str(file))] == ["known", "added"]
    assert hub.till_of("a" * 32) == "kasa 2"
    tokens = hub.folder / "tokens"
    hub.run("till", "import", str(file), "--tokens", str(tokens))
    assert not tokens.exists(), "nobody can tell the token of a till in use, and none is made in its place"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[", "JSON"),
        ("{}", "tablica"),
        ("[1]", "Pozycja 1"),
        ('[{"name": ""}]', "Nazwa kasy"),
        ('[{"name": "1", "shop": 7}]', "shop"),
        ('[{"name": "1", "series": "FV"}]', "series"),
        ('[{"name": "1", "token": "short"}]', "32 znaków"),
        ('[{"name": "1"}, {"name": "1"}]', "dwa razy"),
        ('[{"name": "1"}]', "--tokens"),
        ('[{"name": "1", "nip": "1111111111", "token": "%s"}]' % ("a" * 32), "1111111111"),
    ],
)
def test_a_wrong_list_of_tills_adds_none(hub: Hub, given: str, said: str) -> None:
    hub.add_seller()
    file = hub.folder / "tills.json"
    file.write_text(given, "utf-8")
    assert said in str(hub.refused("till", "import", str(file)))
    assert hub.json("till", "list") == []


def test_of_several_sellers_one_has_to_be_named(hub: Hub) -> None:
    assert isinstance(hub.refused("till", "add", "kasa 1"), BadInput)
    hub.add_seller()
    hub.add_seller(OTHER_NIP)
    assert isinstance(hub.refused("till", "add", "kasa 1"), BadInput)
    assert hub.json("till", "add", "kasa 1", "--nip", OTHER_NIP)["nip"] == OTHER_NIP
    assert hub.json("till", "list", "--nip", NIP) == []


def test_people_have_roles(hub: Hub) -> None:
    assert "http://127.0.0.1:8790/login" in hub.result("token", "add", "Ewa").stderr
    hub.run("token", "revoke", "Ewa")
    made = hub.json("token", "add", "Anna", "--role", "auditor")
    assert made["token"].startswith("ksef-hub-")
    assert hub.json("token", "list") == [{"name": "Anna", "role": "auditor", "nip": None}]
    assert isinstance(hub.refused("token", "add", "Jan", "--nip", NIP), NotFound)
    hub.add_seller()
    assert hub.json("token", "add", "Jan", "--nip", NIP)["nip"] == NIP
    hub.run("token", "revoke", "Jan")
    hub.run("token", "revoke", "Anna")
    assert hub.json("token", "list") == []
    assert isinstance(hub.refused("token", "revoke", "Anna"), NotFound)


def test_status_and_drain(hub: Hub) -> None:
    hub.add_seller()
    (seller,) = hub.status()["sellers"]
    assert (seller["nip"], seller["tills"], seller["ksef"], seller["open"]) == (NIP, 0, "unknown", {})
    hub.run("drain", "--wait", "0")
    assert hub.status()["draining"] is True
    assert "opróżniana" in hub.run("status", code=1)
    hub.run("drain", "--cancel")
    assert hub.status()["draining"] is False


def test_certificates_are_listed_and_withdrawn(hub: Hub) -> None:
    hub.add_seller()
    (seller,) = hub.json("certificate", "list")
    assert (seller["nip"], seller["certificates"], seller["certificates_left"]) == (NIP, [], None)
    assert NIP in hub.run("certificate", "list")
    assert isinstance(hub.refused("certificate", "withdraw", "01F20A5D352AE590"), NotFound)

    async def handed_out() -> None:
        clock = FakeClock()
        async with sqlite_hub(hub.folder / "data", clock) as store:

            async def work(tx: HubTransaction) -> None:
                drawn = await tx.certificates.draw(NIP, 1, b"key")
                await tx.certificates.issued(drawn, "01F20A5D352AE590", b"PEM", clock.now())

            await store.write(work)

    asyncio.run(handed_out())
    assert "01F20A5D352AE590" in hub.run("certificate", "list")
    failed = hub.refused("certificate", "withdraw", "01f20a5d352ae590", "--revoke")
    assert "KSeF go nie unieważnił" in str(failed), "nobody answers at that address"
    assert hub.json("certificate", "list")[0]["certificates"] == [], "no till uses it all the same"


def test_check_names_every_problem_and_changes_nothing(hub: Hub) -> None:
    hub.add_seller()
    findings = hub.json("check", "--offline")
    assert findings["ok"] is True
    assert {each["subject"] for each in findings["findings"]} == {"TLS", "SQLite", f"KSeF {NIP}"}
    (hub.folder / "token").unlink()
    answer = json.loads(hub.run("check", "--offline", "--json", code=1))
    assert [each["level"] for each in answer["findings"] if each["subject"] == f"KSeF {NIP}"] == ["error"]


def test_tls_makes_a_ca_once_and_certificates_that_tills_believe(tmp_path: Path) -> None:
    run = CliRunner().invoke(command, ["tls", str(tmp_path), "localhost", "127.0.0.1"])
    assert run.exit_code == 0, run.output
    authority = (tmp_path / "ca.crt").read_bytes()
    assert (tmp_path / "hub.key").stat().st_mode & 0o777 == 0o600
    first = (tmp_path / "hub.crt").read_bytes()
    assert CliRunner().invoke(command, ["tls", str(tmp_path), "hub.example"]).exit_code == 0
    assert (tmp_path / "ca.crt").read_bytes() == authority
    assert (tmp_path / "hub.crt").read_bytes() != first
    ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    (tmp_path / "ca.key").unlink()
    refused = CliRunner().invoke(command, ["tls", str(tmp_path), "hub.example"]).exception
    assert isinstance(refused, BadInput)
    assert "nie ma ca.key" in str(refused)
    assert (tmp_path / "ca.crt").read_bytes() == authority
    (tmp_path / "ca.key").write_text("-----")
    with pytest.raises(BadInput):
        issue(["x"], days=1, authority=(authority, b"-----"))


def test_a_certificate_of_tls_that_root_renews_can_be_read_by_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr("agent.system.durable_files.os.geteuid", lambda: 0)
    monkeypatch.setattr("agent.system.durable_files.os.fchown", lambda _, user, group: owners.append((user, group)))
    assert CliRunner().invoke(command, ["tls", str(tmp_path), "localhost"]).exit_code == 0
    owner = tmp_path.stat()
    assert owners == [(owner.st_uid, owner.st_gid)] * 4
    assert (tmp_path / "hub.crt").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "hub.key").stat().st_mode & 0o777 == 0o600
