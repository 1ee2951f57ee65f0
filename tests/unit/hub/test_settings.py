"""The hub's settings: the example is complete, every mistake is named with its line."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import ConfigError
from agent.hub.app import server_tls
from agent.hub.private_ca import issue
from agent.hub.settings.load import load_hub
from agent.hub.settings.model import HubSettings

EXAMPLE = Path(__file__).parents[3] / "config.hub.example.toml"
LOCAL = '[hub]\nhost = "127.0.0.1"\n'


def problems(folder: Path, text: str) -> str:
    file = folder / "hub.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as wrong:
        load_hub(file)
    return "\n".join(wrong.value.problems)


def test_the_example_has_every_setting_with_its_default() -> None:
    text = re.sub(r"^# (?=[a-z_]+ = )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    values = tomllib.loads(text)
    for section in dataclasses.fields(HubSettings):
        defaults: Any = getattr(HubSettings(), section.name)
        given = values[section.name]
        if section.name != "ksef":  # there a till's example explains each
            assert set(given) == {each.name for each in dataclasses.fields(defaults)}
        for name, value in given.items():
            default = getattr(defaults, name)
            if isinstance(default, Path):
                default = str(default)
            if default is not None:
                assert value == default, name


def test_the_example_loads(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    settings = load_hub(file, need_files=False)
    assert settings.fleet.opens == time(8, 0)
    assert settings.hub.tls_certificate_file == Path("/etc/ksef-agent/hub/tls/hub.crt")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[hub]\nhost = "0.0.0.0"\n', "hub.tls_certificate_file"),
        (LOCAL + '[ksef]\nurl = "https://api-test.ksef.mf.gov.pl/v2"\n', "ksef.latarnia_url"),
        (LOCAL + 'dsn = "postgresql://u:secret@db/hub"\n', "dsn_file"),
        (LOCAL + 'dsn = "mysql://db/hub"\n', "postgresql://"),
        (LOCAL + "port = 0\n", "wiersz 3: hub.port"),
        (LOCAL + 'tls_key_file = "x"\n', "hub.tls_key_file"),
        (LOCAL + 'datadir = "x"\n', "data_dir"),
        (LOCAL + '[ksef]\nauth = "token"\n', "ksef-agent hub seller add"),
        (LOCAL + '[ksef]\nurl = "ftp://x"\n', "ksef.url"),
        (LOCAL + "[fleet]\nopens = 21:00:00\n", "fleet.closes"),
        (LOCAL + "[courier]\nbatch_from = 0\n", "courier.batch_from"),
        ('[hub]\nhost = "centrala..example"\n', "hub.host: „centrala..example” nie jest adresem"),
        (LOCAL + 'dsn = "postgresql://db..example/hub"\n', "hub.dsn: „db..example” nie jest adresem"),
        ("[hub\n", "błąd składni"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str) -> None:
    assert named in problems(tmp_path, text)


def test_every_mistake_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "[hub]\nport = 0\n[fleet]\nsilent_minutes = 0\n")
    assert {"hub.port", "fleet.silent_minutes", "hub.tls_certificate_file"} <= set(
        re.findall(r"[a-z]+\.[a-z_]+", found)
    )


def test_files_of_tls_have_to_fit(tmp_path: Path) -> None:
    one, two = (issue(["localhost"], days=10) for _ in range(2))
    for name, data in (("a.crt", one.certificate), ("a.key", one.key), ("b.key", two.key), ("c.key", b"-----")):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o600)

    def settings(key: str) -> HubSettings:
        text = LOCAL + f'tls_certificate_file = "a.crt"\ntls_key_file = "{key}"\n'
        (tmp_path / "hub.toml").write_text(text, "utf-8")
        return load_hub(tmp_path / "hub.toml")

    assert server_tls(settings("a.key")) is not None
    for wrong in ("b.key", "c.key"):
        with pytest.raises(ConfigError, match="nie pasują"):
            server_tls(settings(wrong))
    assert server_tls(HubSettings()) is None
