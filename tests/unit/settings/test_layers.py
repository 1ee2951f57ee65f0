"""Settings in layers: includes, config.d, credentials, variables; each mistake and each value names its layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.command_line import cli
from agent.domain.errors import ConfigError
from agent.settings.explain import explain
from agent.settings.layers import CREDENTIALS, read_layers
from agent.settings.load import load
from agent.settings.model import Settings

SELLER = """
[seller]
nip = "5260250274"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
"""


class Place:
    """A directory of settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = self.put("config.toml", SELLER)

    def put(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def load(self) -> Settings:
        return load(self.main)

    def problems(self) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            self.load()
        return caught.value.problems


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestOrder:
    def test_config_d_wins_over_the_file_in_the_order_of_names(self, place: Place) -> None:
        place.put("config.toml", 'till = "7"\n' + SELLER + "[ksef]\nbatch_from = 10\ntills_sharing_address = 2\n")
        place.put("config.d/20-till.toml", "[ksef]\nbatch_from = 30\n")
        place.put("config.d/10-hq.toml", "[ksef]\nbatch_from = 20\ntimeout_seconds = 9.0\n")
        place.put("config.d/30-off.toml.disabled", "[ksef]\nbatch_from = 40\n")
        found = place.load()
        assert (found.till, found.ksef.batch_from, found.ksef.timeout_seconds) == ("7", 30, 9.0)
        assert found.ksef.tills_sharing_address == 2

    def test_what_a_file_includes_is_below_it(self, place: Place) -> None:
        place.put("hq/chain.toml", SELLER + "[ksef]\nbatch_from = 20\ntimeout_seconds = 9.0\n")
        place.put("config.toml", 'include = ["hq/*.toml"]\n[ksef]\nbatch_from = 30\n')
        found = place.load()
        assert (found.seller.name, found.ksef.batch_from, found.ksef.timeout_seconds) == ("Sklep", 30, 9.0)

    def test_credentials_then_variables_win(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.put("config.d/hq.toml", "[ksef]\nbatch_from = 20\ntimeout_seconds = 9.0\n")
        place.put("credentials/ksef-agent.toml", "[ksef]\nbatch_from = 21\ntimeout_seconds = 10.0\n")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place.folder / "credentials"))
        monkeypatch.setenv("KSEF_AGENT__KSEF__BATCH_FROM", "22")
        found = place.load()
        assert (found.ksef.batch_from, found.ksef.timeout_seconds) == (22, 10.0)

    def test_what_a_credential_includes_only_the_service_knows(self, place: Place) -> None:
        place.put("config.d/hq.toml", "[ksef]\nbatch_from = 20\n")
        place.put("other/hq.toml", 'data_dir = "/srv/till"\n')
        place.put("credentials/till.toml", 'include = ["../other/hq.toml"]\n')
        layers = read_layers(place.main, variables={CREDENTIALS: str(place.folder / "credentials")})
        assert layers.origin(("data_dir",)).of_the_service
        assert not layers.origin(("ksef", "batch_from")).of_the_service

    def test_lists_and_printers_are_replaced_as_a_whole(self, place: Place) -> None:
        printer = '[[printer]]\nname = "{}"\nconnection = "tcp"\nhost = "192.0.2.{}"\n'
        place.put("config.toml", SELLER + printer.format("bar", 1) + printer.format("kuchnia", 2))
        place.put("config.d/till.toml", printer.format("lada", 3))
        assert [each.name for each in place.load().printers] == ["lada"]

    def test_another_settings_file_has_a_folder_of_its_own(self, place: Place) -> None:
        place.put("config.d/hq.toml", "[ksef]\nbatch_from = 20\n")
        assert load(place.put("test.toml", SELLER)).ksef.batch_from == 50

    @pytest.mark.parametrize(
        ("variable", "text", "name", "value"),
        [
            ("TILL", "007", "till", "007"),
            ("DATA_DIR", "/srv/till", "data_dir", Path("/srv/till")),
            ("SELLER__NIP", "526-025-02-74", "seller.nip", "5260250274"),
            ("PAGE__LOOKUP_BUYERS", "true", "page.lookup_buyers", True),
            ("ISSUE__BUDGET_SECONDS", "2", "issue.budget_seconds", 2.0),
            ("DROP_FOLDER__FORMATS", '["json"]', "drop_folder.formats", ("json",)),
            ("KSEF__CERTIFICATE_FILE", "", "ksef.certificate_file", None),
        ],
    )
    def test_a_variable_is_read_as_its_setting_wants_it(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object
    ) -> None:
        monkeypatch.setenv(f"KSEF_AGENT__{variable}", text)
        found: object = place.load()
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value


class TestMistakes:
    def test_each_names_its_layer_in_their_order(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.put("config.d/10-hq.toml", '\n[ksef]\nbatch_from = "wiele"\n')
        place.put("config.d/20-till.toml", "[printr]\nhost = 1\n")
        monkeypatch.setenv("KSEF_AGENT__API__PORT", "drzwi")
        monkeypatch.setenv("KSEF_AGENT__KSEF__BATCHFROM", "7")
        first, second, third, fourth = place.problems()
        assert first == "config.d/10-hq.toml, wiersz 3: ksef.batch_from: potrzebna liczba całkowita."
        assert second.startswith("config.d/20-till.toml, wiersz 1: printr: ")
        assert third.startswith("zmienna KSEF_AGENT__API__PORT: api.port: ")
        assert fourth.startswith("zmienna KSEF_AGENT__KSEF__BATCHFROM: ksef.batchfrom: ")
        assert fourth.endswith("czy chodziło o „batch_from”?")

    def test_every_file_with_a_fault_of_syntax_is_named_at_once(self, place: Place) -> None:
        place.put("config.d/a.toml", "x = \n")
        place.put("config.d/b.toml", "[ksef\n")
        assert [each.partition(",")[0] for each in place.problems()] == ["config.d/a.toml", "config.d/b.toml"]

    def test_a_mistake_of_a_layer_that_is_overridden_is_none(self, place: Place) -> None:
        place.put("config.d/a.toml", "[ksef]\nbatch_from = 0.5\n")
        place.put("config.d/b.toml", "[ksef]\nbatch_from = 7\n")
        assert place.load().ksef.batch_from == 7

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('include = ["brak.toml"]\n', "config.toml, wiersz 1: include: nie ma pliku "),
            ('include = "hq.toml"\n', "config.toml, wiersz 1: include: potrzebna lista plików"),
            ('include = ["config.toml"]\n', "config.toml, wiersz 1: include: pliki włączają się nawzajem"),
            ('include = ["a.toml"]\n', "include: pliki włączają się nawzajem"),
        ],
    )
    def test_includes_that_lead_nowhere(self, place: Place, text: str, said: str) -> None:
        place.put("a.toml", 'include = ["b.toml"]\n')
        place.put("b.toml", 'include = ["a.toml"]\n')
        place.put("config.toml", text + SELLER)
        assert said in place.problems()[0]

    def test_a_pattern_that_finds_nothing_is_no_mistake(self, place: Place) -> None:
        place.put("config.toml", 'include = ["hq.d/*.toml"]\n' + SELLER)
        assert place.load().seller.name == "Sklep"

    def test_a_layer_that_everybody_may_write_is_refused(self, place: Place) -> None:
        place.put("config.d/hq.toml", "[ksef]\nbatch_from = 20\n").chmod(0o666)
        assert any("hq.toml" in each for each in place.problems())

    def test_a_section_where_another_layer_has_a_value(self, place: Place) -> None:
        place.put("config.d/a.toml", "ksef = 7\n")
        assert place.problems() == ("config.d/a.toml, wiersz 1: ksef: potrzebna sekcja [ksef].",)


class TestExplain:
    def test_every_value_says_where_it_stands_and_what_it_replaces(self, place: Place) -> None:
        place.put("config.toml", 'till = "7"\n' + SELLER + '[schemas]\ndir = "xsd"\n')
        place.put(
            "config.d/hq.toml", 'till = "8"\n[[printer]]\nname = "lada"\nconnection = "tcp"\nhost = "192.0.2.1"\n'
        )
        variables = {"KSEF_AGENT__KSEF__BATCH_FROM": "20"}
        lines = [str(each) for each in explain(read_layers(place.main, variables=variables))]
        assert 'till = "8"  (config.d/hq.toml, wiersz 1; zastępuje: config.toml, wiersz 1)' in lines
        assert 'ksef.batch_from = "20"  (zmienna KSEF_AGENT__KSEF__BATCH_FROM)' in lines
        assert "ksef.timeout_seconds = 15.0  (domyślnie)" in lines
        assert 'printer[1].host = "192.0.2.1"  (config.d/hq.toml, wiersz 5)' in lines
        assert 'schemas.dir = "xsd"  (config.toml, wiersz 9)' in lines
        assert 'seller.address.line1 = "ul. Prosta 1"  (config.toml, wiersz 7)' in lines

    def test_the_command_explains_wrong_settings_too(self, place: Place) -> None:
        place.put("config.d/hq.toml", "[api]\nport = -1\n")
        done = CliRunner().invoke(cli, ["check", "--explain", "--json", "--config", str(place.main)])
        found = {each["setting"]: each for each in json.loads(done.stdout)}
        assert found["api.port"]["value"] == -1
        assert found["api.port"]["source"] == "config.d/hq.toml, wiersz 2"
        assert found["health.port"]["source"] is None
        assert isinstance(done.exception, ConfigError)


class TestCheckAsJson:
    def test_wrong_settings_are_findings(self, place: Place) -> None:
        place.put("config.d/hq.toml", "[api]\nport = -1\n[ksef]\nauth = 5\n")
        done = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(place.main)])
        assert done.exit_code == 3
        assert [(each["name"], each["ok"]) for each in json.loads(done.stdout)] == [("ustawienia", False)] * 2

    def test_no_settings_at_all(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(cli, ["check", "--json", "--config", str(tmp_path / "none.toml")])
        assert done.exit_code == 3
        (found,) = json.loads(done.stdout)
        assert "none.toml" in found["message"]
