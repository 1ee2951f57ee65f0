"""The settings file: every setting documented, every mistake at once, with line and remedy."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.commands.common import config_option, config_option_without_files
from agent.domain.errors import ConfigError
from agent.ksef.client import proxy_credentials
from agent.settings.field_rules import RULES
from agent.settings.load import find_config, load
from agent.settings.model import Address, ApiSettings, PrinterSettings, Seller, Settings
from agent.settings.rules import SAMPLE_NAME, SAMPLE_NIP

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"

SELLER = """
[seller]
nip = "5261040828"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problems(file: Path, text: str, *, need_files: bool = True) -> tuple[str, ...]:
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, need_files=need_files)
    return caught.value.problems


# --- one environment --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "changes", "wrong"),
    [
        ("-test", {"qr_url": "https://qr.ksef.mf.gov.pl"}, ["ksef.qr_url"]),
        ("", {"qr_url": "https://qr-test.ksef.mf.gov.pl"}, ["ksef.qr_url"]),
        ("", {"latarnia_url": "https://api-latarnia-test.ksef.mf.gov.pl"}, ["ksef.latarnia_url"]),
        ("-demo", {"qr_url": "https://qr-test.ksef.mf.gov.pl"}, ["ksef.qr_url"]),
        ("-demo", {"latarnia_url": "https://api-latarnia-test.ksef.mf.gov.pl"}, []),
        ("-test", {"latarnia_url": "http://127.0.0.1:9"}, []),
    ],
)
def test_codes_and_news_are_of_the_environment_that_is_used(
    file: Path, used: str, changes: dict[str, str], wrong: list[str]
) -> None:
    """A code of TEST on a customer's invoice leads to nothing; an outage of TEST is none (art. 106ne)."""
    urls = {
        "url": f"https://api{used}.ksef.mf.gov.pl/v2",
        "latarnia_url": f"https://api-latarnia{used if used != '-demo' else ''}.ksef.mf.gov.pl",
        "qr_url": f"https://qr{used}.ksef.mf.gov.pl",
    }
    text = SELLER + "[ksef]\n" + "".join(f'{name} = "{url}"\n' for name, url in (urls | changes).items())
    if not wrong:
        file.write_text(text, "utf-8")
        assert load(file, need_files=False).ksef.url == urls["url"]
        return
    found = problems(file, text, need_files=False)
    assert len(found) == 1
    assert all(name in found[0] for name in wrong)


# --- the example ------------------------------------------------------------------------------------------


def expected_settings() -> dict[str, Any]:
    """Name in the file -> default, of every setting of the dataclasses; MISSING where it is required."""
    found: dict[str, Any] = {}

    def walk(kind: Any, prefix: str) -> None:
        for field in dataclasses.fields(kind):
            default = field.default
            if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            name = {"printers": "printer", "schemas_dir": "schemas.dir"}.get(field.name, field.name)
            if field.name in {"seller", "address"}:
                walk({"seller": Seller, "address": Address}[field.name], f"{prefix}{name}.")
            elif dataclasses.is_dataclass(default):
                walk(type(default), f"{prefix}{name}.")
            elif field.name == "printers":
                walk(PrinterSettings, "printer.")
            else:
                found[prefix + name] = default

    walk(Settings, "")
    return found


def example_settings(*, comments: bool) -> dict[str, Any]:
    """Name -> value of every setting of the example; with ``comments`` also of those written as ``# name = value``."""
    text = EXAMPLE.read_text("utf-8")
    if comments:
        text = re.sub(r"^# (?=[a-z_0-9]+ = )", "", text, flags=re.MULTILINE)
    found: dict[str, Any] = {}

    def walk(values: dict[str, Any], prefix: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            elif key == "printer":
                walk(value[0], "printer.")
            else:
                found[prefix + key] = value

    walk(tomllib.loads(text), "")
    return found


def test_the_example_holds_every_setting_and_no_other() -> None:
    assert example_settings(comments=True).keys() == expected_settings().keys()


def test_the_example_holds_the_defaults() -> None:
    expected = expected_settings()
    for name, value in example_settings(comments=False).items():
        if expected[name] is dataclasses.MISSING:
            continue
        default = expected[name]
        plain = str(default) if isinstance(default, Path) else list(default) if isinstance(default, tuple) else default
        assert value == plain, name


def test_every_setting_of_the_example_says_why() -> None:
    text = EXAMPLE.read_text("utf-8")
    for block in re.split(r"\n\n", text):
        assert "# " in block or block.startswith("[seller.address]"), block


def test_the_example_gives_the_defaults_once_the_seller_is_yours(file: Path) -> None:
    """Untouched it is refused: nobody's invoices bear the sample's NIP or name."""
    text = EXAMPLE.read_text("utf-8")
    nip, name = (f"seller.{part}: to sprzedawca z przykładu" for part in ("nip", "name"))
    found = problems(file, text)
    assert [nip in found[0], name in found[1]] == [True, True]
    text = text.replace(SAMPLE_NIP, "5265877635")
    (found_name,) = problems(file, text)
    assert name in found_name
    file.write_text(text.replace(SAMPLE_NAME, "Sklep"), "utf-8")
    settings = load(file)
    assert settings == Settings(seller=settings.seller, printers=(PrinterSettings(),))


def test_every_rule_belongs_to_a_setting() -> None:
    assert RULES.keys() <= expected_settings().keys()


# --- values -----------------------------------------------------------------------------------------------


def test_the_smallest_file_gives_the_defaults(file: Path) -> None:
    file.write_text(SELLER, "utf-8")
    settings = load(file)
    assert settings == Settings(seller=settings.seller)
    assert (settings.seller.nip, settings.seller.address.country) == ("5261040828", "PL")


def test_every_type_is_read(file: Path) -> None:
    (file.parent / "ca.pem").write_text("x")
    file.write_text(
        'till = "SKLEP-2"\ndata_dir = "dane"\n'
        + SELLER
        + """
[schemas]
dir = "/schematy"
[issue]
budget_seconds = 2
[ksef]
ca_file = "ca.pem"
certificate_file = ""
subject_identifier_validation = true
[[printer]]
name = "a"
dots = 384
answers = false
[[printer]]
name = "b"
connection = "usb"
device = "04b8:0e15"
[paper]
footer = ["Dziękujemy", "Zapraszamy"]
[alerts]
opens = 09:30:00
[calendar]
extra_days_off = [2026-12-24, 2027-01-04]
""",
        "utf-8",
    )
    settings = load(file)
    assert settings.data_dir == file.parent / "dane"
    assert settings.schemas_dir == Path("/schematy")
    assert settings.issue.budget_seconds == 2.0
    assert isinstance(settings.issue.budget_seconds, float)
    assert settings.ksef.ca_file == file.parent / "ca.pem"
    assert settings.ksef.certificate_file is None
    assert settings.ksef.subject_identifier_validation is True
    assert [(printer.name, printer.dots, printer.answers) for printer in settings.printers] == [
        ("a", 384, False),
        ("b", None, None),
    ]
    assert settings.paper.footer == ("Dziękujemy", "Zapraszamy")
    assert settings.alerts.opens == time(9, 30)
    assert settings.calendar.extra_days_off == (date(2026, 12, 24), date(2027, 1, 4))


# --- mistakes ---------------------------------------------------------------------------------------------


def test_every_mistake_at_once_in_the_order_of_the_file(file: Path) -> None:
    found = problems(
        file,
        """till = "ą"
datadir = "/x"
[seller]
nip = "5261040827"
name = ""
[issue]
prefer = "offlin"
budget_seconds = "3"
number = "{series}"
[ksef]
token = "tajne"
certificate_file = "brak.crt"
tills_sharing_address = true
[[printer]]
conection = "usb"
[[printer]]
connection = "usb"
[api]
port = 8781
[alerts]
opens = "8"
closes = 07:00:00
""",
    )
    assert [(int(re.findall(r"wiersz (\d+)", text + "wiersz 99")[0]), text.split(": ")[1]) for text in found] == [
        (1, "till"),
        (2, "datadir"),
        (3, "seller.address"),
        (4, "seller.nip"),
        (5, "seller.name"),
        (7, "issue.prefer"),
        (8, "issue.budget_seconds"),
        (9, "issue.number"),
        (11, "ksef.token"),
        (12, "ksef.certificate_file"),
        (13, "ksef.tills_sharing_address"),
        (15, "printer[1].conection"),
        (16, "printer[2].name"),
        (16, "printer[2].device"),
        (21, "alerts.opens"),
        (22, "alerts.closes"),
        (99, "health.port"),
    ]
    assert all(text.startswith("config.toml") and text.endswith((".", "?")) for text in found)
    assert "czy chodziło o „data_dir”?" in found[1]
    assert "token_file" in found[8]
    assert "tajne" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "seller: brakuje"),
        ("seller = 5\n", "potrzebna sekcja [seller]"),
        (SELLER + "[printer]\nname = 'a'\n", "[[printer]]"),
        (SELLER + "[[printer]]\nhost = ''\n", "wymaga adresu drukarki"),
        (SELLER + "[[printer]]\nhost = '192.168.1..50'\n", "„192.168.1..50” nie jest adresem ani nazwą komputera"),
        (SELLER + "[[printer]]\nhost = '192.168.1.500'\n", "„192.168.1.500” nie jest adresem ani nazwą komputera"),
        (SELLER + "[[printer]]\nhost = '192.168.1.50 '\n", "„192.168.1.50 ” nie jest adresem ani nazwą komputera"),
        (SELLER + "[[printer]]\nhost = '192.168.1.50:9100'\n", "bez portu"),
        (SELLER + "[[printer]]\nhost = 'http://192.168.1.50'\n", "bez http://"),
        (SELLER + "[api]\nhost = 'kasa..sklep'\n", "api.host: „kasa..sklep” nie jest adresem"),
        (SELLER + "[health]\nhost = '0.0.0.0.0'\n", "health.host: „0.0.0.0.0” nie jest adresem"),
        (SELLER + "[[printer]]\nflow = 'on'\n", "rtscts, xonxoff, none"),
        (SELLER + "[[printer]]\nconnection = 'bluetooth'\n", "tcp, usb, serial, file, cups"),
        (SELLER + "[[printer]]\nconnection = 'serial'\n", "połączenie serial wymaga ustawienia device"),
        (SELLER + "[[printer]]\nqr = 'laser'\n", "native, raster"),
        (SELLER + "[[printer]]\ndots = 199\n", "dozwolone od 200 do 1200"),
        (SELLER + "[[printer]]\ncolumns = 101\n", "dozwolone od 20 do 100"),
        (SELLER + "[[printer]]\ncode_page = 256\n", "dozwolone od 0 do 255"),
        (SELLER + "[issue]\nbudget_seconds = 0.1\n", "od 0,5 do 60"),
        (SELLER + "[issue]\nbudget_seconds = nan\n", "od 0,5 do 60"),
        (SELLER + "[issue]\nseries = '{serial}'\n", "nieznane pole"),
        (SELLER + "[issue]\noffline_series = 'OFF-{serial}'\n", "nieznane pole"),
        (SELLER + "[issue]\noffline_series = 'FV-{till}'\n", "te same numery"),
        (SELLER + "[issue]\noffline_series = 'FV-{till}{year}'\n", "te same numery"),
        (SELLER + "[issue]\noffline_correction_series = 'FK-{till}'\n", "te same numery"),
        (SELLER + "[issue]\nnumber = '{till}/{serial}'\noffline_series = 'OFF'\n", "pole {series}"),
        (SELLER + "[issue]\noffline_series = '" + "O" * 250 + "'\n", "256 znaków"),
        (SELLER + "[issue]\nclock_skew_refuse_seconds = 5\n", "clock_skew_alarm_seconds"),
        (SELLER + "[sync]\nbacklog_hours = '22-6'\n", "22:00-06:00"),
        (SELLER + "[api]\nport = 0\n", "od 1 do 65535"),
        (SELLER + "[ksef]\nurl = 'ksef'\n", "https://"),
        (SELLER + "[ksef]\ncontext_nip = '1'\n", "NIP"),
        (SELLER + "[ksef]\ncertificate_file = 5\n", "ścieżka"),
        (SELLER + "[ksef]\nbatch_compression = 'rar'\n", "zip, tar.gz"),
        (SELLER + "[ksef]\nrenew_before_days = 30\n", "parę plików PEM"),
        (SELLER + "[offline]\nrenew_before_days = 30\n", "parę plików PEM"),
        (SELLER + "[paper]\nfooter = 'x'\n", "lista"),
        (SELLER + "[paper]\nfooter = [1]\n", "każdy element"),
        (SELLER + "[calendar]\nextra_days_off = [2026-12-24T00:00:00]\n", "data, np."),
        (SELLER + "[schemas]\ndri = 'x'\n", "„dir”"),
        (SELLER + "schemas = 1\n", "schemas"),
        (SELLER + "[outbox]\nurl = 'https://sklep.example'\n", "outbox.secret_file"),
        (SELLER + "[alerts]\nwebhook_url = 'https://hq.example'\n", "webhook_secret_file"),
        (SELLER + "[nonsense]\na = 1\n", "usuń je"),
        (SELLER + "printers = 1\n", "printers"),
        ("till = 1\n" + SELLER, "tekst w cudzysłowie"),
    ],
)
def test_one_mistake_one_sentence(file: Path, text: str, expected: str) -> None:
    found = problems(file, text)
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("till = \n", "wiersz 1, kolumna 8"),
        ("a = 1\na = 2\n", "wiersz 2"),
        ("[seller\n", "wiersz 1"),
        ('name = """', "koniec pliku"),
    ],
)
def test_a_syntax_error_names_its_place(file: Path, text: str, expected: str) -> None:
    (found,) = problems(file, text)
    assert expected in found
    assert "błąd składni TOML" in found


def test_brackets_without_end_are_one_sentence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tomllib ends in a RecursionError, of a variable as of a file."""
    brackets = "[" * 1000 + "]" * 1000
    assert problems(file, f"till = {brackets}\n") == (f"{file.name}: nawiasy są zagnieżdżone zbyt głęboko.",)
    monkeypatch.setenv("KSEF_AGENT__API__PORT", brackets)
    (found,) = problems(file, SELLER)
    assert "KSEF_AGENT__API__PORT" in found


def test_a_file_that_can_not_be_read_is_one_sentence(file: Path) -> None:
    with pytest.raises(ConfigError, match="nie ma takiego pliku"):
        load(file)
    with pytest.raises(ConfigError, match="to katalog"):
        load(file.parent)
    file.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match="wiersz 2: plik nie jest w kodowaniu UTF-8"):
        load(file)
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="za duży"):
        load(file)


@given(st.text(max_size=200))
def test_any_text_gives_settings_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(ConfigError):  # no seller can come out of it
        load(file)


# --- files and credentials ----------------------------------------------------------------------------------


def test_a_key_that_everybody_may_read_is_refused(file: Path) -> None:
    key = file.parent / "auth.key"
    key.write_text("x")
    key.chmod(0o644)
    (found,) = problems(file, SELLER + "[ksef]\nkey_file = 'auth.key'\n")
    assert "chmod o-rwx" in found
    assert load(file, need_files=False).ksef.key_file == key
    key.chmod(0o640)
    assert load(file).ksef.key_file == key


def test_beside_a_key_that_was_refused_the_certificate_is_no_secret(file: Path) -> None:
    """Only a PKCS#12 file holds the key as well."""
    for name in ("auth.crt", "auth.key"):
        (file.parent / name).write_text("x")
        (file.parent / name).chmod(0o644)
    pair = "[ksef]\ncertificate_file = 'auth.crt'\n"
    (found,) = problems(file, SELLER + pair + "key_file = 'auth.key'\n")
    assert "key_file" in found
    (found,) = problems(file, SELLER + pair)
    assert "certificate_file" in found


def test_a_key_inline_is_refused_without_repeating_it(file: Path) -> None:
    text = SELLER + '[ksef]\nkey_file = """-----BEGIN PRIVATE KEY-----\nMIIsecret"""\n'
    (found,) = problems(file, text)
    assert "wiersz 8" in found
    assert "MIIsecret" not in found


def test_a_missing_file_and_a_directory_are_told_apart(file: Path) -> None:
    (file.parent / "d").mkdir()
    found = problems(file, SELLER + "[ksef]\ncertificate_file = 'no'\nkey_file = 'd'\n")
    assert "nie ma takiego pliku" in found[0]
    assert "to katalog" in found[1]


def test_a_bare_name_is_a_credential_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = file.parent / "credentials"
    credentials.mkdir()
    for folder in (credentials, file.parent):
        (folder / "ksef.token").write_text("x")
        (folder / "ksef.token").chmod(0o400)
    file.write_text(SELLER + "[ksef]\ntoken_file = 'ksef.token'\n", "utf-8")
    assert load(file).ksef.token_file == file.parent / "ksef.token"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert load(file).ksef.token_file == credentials / "ksef.token"
    file.write_text(SELLER + "[ksef]\ntoken_file = './ksef.token'\n", "utf-8")
    (credentials / "ksef.token").unlink()
    assert load(file).ksef.token_file == file.parent / "ksef.token"


# --- which file -----------------------------------------------------------------------------------------------


def test_the_settings_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KSEF_AGENT_CONFIG", raising=False)
    monkeypatch.setattr("agent.settings.load.SYSTEM_CONFIG", tmp_path / "etc.toml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"config\.example\.toml"):
        find_config(None)
    (tmp_path / "config.toml").touch()
    assert find_config(None) == Path("config.toml")
    (tmp_path / "etc.toml").touch()
    assert find_config(None) == tmp_path / "etc.toml"
    monkeypatch.setenv("KSEF_AGENT_CONFIG", "/named.toml")
    assert find_config(None) == Path("/named.toml")
    assert find_config(Path("/given.toml")) == Path("/given.toml")


def test_config_option_passes_settings_beside_other_options(file: Path) -> None:
    data = "data_dir = 'data'\n"
    file.write_text(data + SELLER + "[ksef]\ncertificate_file = 'brak.crt'\n", "utf-8")

    @click.command()
    @config_option_without_files
    @click.option("--json", "as_json", is_flag=True)
    def lenient(settings: Settings, *, as_json: bool) -> None:
        click.echo(f"{settings.seller.name} {as_json}")

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    @config_option
    def strict(settings: Settings, *, as_json: bool) -> None:
        click.echo(f"{settings.seller.name} {as_json}")

    result = CliRunner().invoke(lenient, ["--config", str(file), "--json"])
    assert result.output == "Sklep True\n"
    refused = CliRunner().invoke(strict, ["--config", str(file), "--json"])
    assert isinstance(refused.exception, ConfigError)
    file.write_text(data + SELLER, "utf-8")
    assert CliRunner().invoke(strict, ["--config", str(file)]).output == "Sklep False\n"


# --- addresses --------------------------------------------------------------------------------------------

ADDRESSES = {
    "ksef.url": "ksef",
    "ksef.latarnia_url": "ksef",
    "ksef.qr_url": "ksef",
    "page.lookup_url": "page",
    "outbox.url": "outbox",
    "alerts.webhook_url": "alerts",
    "heartbeat.url": "heartbeat",
    "hub.url": "hub",
}


def address(setting: str, url: str) -> str:
    section, _, name = setting.partition(".")
    return f'{SELLER}[{section}]\n{name} = "{url}"\n'


@pytest.mark.parametrize("setting", ADDRESSES)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.ksef.mf.gov.pl", "potrzebny adres https://"),
        ("http://192.168.1.10:8080", "potrzebny adres https://"),
        ("http://127.0.0.1.example.com", "potrzebny adres https://"),
        ("http://localhost.example.com", "potrzebny adres https://"),
        ("HTTP://example.com", "potrzebny adres https://"),
        ("ftp://127.0.0.1", "zaczynający się od https://"),
        ("https://", "zaczynający się od https://"),
        ("api.ksef.mf.gov.pl", "zaczynający się od https://"),
        ("https://kasa:haslo@example.com", "loginu ani hasła"),
        ("https://kasa@example.com", "loginu ani hasła"),
        ("https://[", "to nie jest adres"),
        ("https://example.com:99999", "to nie jest adres"),
        ("https://ksef..gov.pl/v2", "nie jest adresem ani nazwą komputera"),
        ("https://192.168.1.500/v2", "nie jest adresem ani nazwą komputera"),
        ("https://192.168.1", "nie jest adresem ani nazwą komputera"),
        (f"https://{'x' * 64}.pl", "nie jest adresem ani nazwą komputera"),
        ("https://exam ple.com", "zaczynający się od https://"),
        ("https://example.com/\\nX", "zaczynający się od https://"),
    ],
)
def test_only_encrypted_addresses_or_this_machine(file: Path, setting: str, url: str, said: str) -> None:
    found = [problem for problem in problems(file, address(setting, url)) if f": {setting}: " in problem]
    assert len(found) == 1
    assert said in found[0]
    assert "wiersz" in found[0]
    assert "haslo" not in found[0]


@pytest.mark.parametrize("setting", ["ksef.url", "ksef.latarnia_url", "page.lookup_url"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v2", "http://127.8.9.1", "http://[::1]:9", "http://localhost:1", "https://a.pl/v2"]
)
def test_this_machine_needs_no_encryption(file: Path, setting: str, url: str) -> None:
    file.write_text(address(setting, url), "utf-8")
    assert load(file).seller.name == "Sklep"


@pytest.mark.parametrize(
    "url",
    ["https://qr.ksef.mf.gov.pl/", "https://qr.ksef.mf.gov.pl/x", "https://QR.ksef.mf.gov.pl", "http://localhost:80"],
)
def test_what_no_code_can_begin_with(file: Path, url: str) -> None:
    """A slash at the end, and every press ended in an error of the program."""
    (problem,) = problems(file, address("ksef.qr_url", url))
    assert "bez ukośnika na końcu" in problem


@pytest.mark.parametrize("context", ["5261040828-1", "5261040828", "1234567890-00001"])
def test_a_context_that_no_code_can_name(file: Path, context: str) -> None:
    (problem,) = problems(file, f'{SELLER}[ksef]\ncontext_internal_id = "{context}"\n')
    assert "identyfikator wewnętrzny" in problem
    file.write_text(f'{SELLER}[ksef]\ncontext_internal_id = "5261040828-00001"\n', "utf-8")
    assert load(file).ksef.context_internal_id == "5261040828-00001"


@pytest.mark.parametrize("setting", ["ksef.url", "ksef.latarnia_url", "ksef.qr_url", "page.lookup_url"])
@pytest.mark.parametrize("url", ["https://a.pl/v2?x=1", "https://a.pl/v2#x"])
def test_calls_are_made_below_these_addresses(file: Path, setting: str, url: str) -> None:
    assert "po ? ani #" in problems(file, address(setting, url))[0]


def test_a_proxy_needs_no_encryption_and_its_login_is_a_secret(file: Path) -> None:
    """TLS goes through it: it sees no more than the address."""
    file.write_text(address("ksef.proxy_url", "http://proxy.shop:3128"), "utf-8")
    assert load(file).ksef.proxy_url == "http://proxy.shop:3128"
    (problem,) = problems(file, address("ksef.proxy_url", "http://kasa:haslo@proxy.shop:3128"))
    assert "loginu ani hasła" in problem
    assert "haslo" not in problem
    secret = file.parent / "proxy"
    secret.write_text("kasa:haslo")
    secret.chmod(0o644)
    text = f'{SELLER}[ksef]\nproxy_credentials_file = "proxy"\n'
    assert "chmod o-rwx" in problems(file, text)[0]
    secret.chmod(0o600)
    file.write_text(text, "utf-8")
    assert proxy_credentials(load(file).ksef) == "kasa:haslo"
    secret.write_text("haslo")
    with pytest.raises(ConfigError, match="login:hasło"):
        proxy_credentials(load(file).ksef)


def test_a_proxy_is_a_host_as_well(file: Path) -> None:
    (problem,) = problems(file, address("ksef.proxy_url", "http://proxy..shop:3128"))
    assert "„proxy..shop” nie jest adresem ani nazwą komputera" in problem


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.50",
        "192.168.001.050",
        "drukarka_1",
        "drukarka.sklep.",
        "drukarka-przy-ladzie-ż",
        "fe80::1%eth0",
        "::1",
    ],
)
def test_hosts_that_a_printer_may_have(file: Path, host: str) -> None:
    """Whatever the system may find stays allowed: an upgrade must not stop a till that prints."""
    file.write_text(f'{SELLER}[[printer]]\nhost = "{host}"\n', "utf-8")
    assert load(file).printers[0].host == host


def test_a_nip_in_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SELLER.replace("5261040828", "PL 526-104-08-28") + "[ksef]\ncontext_nip = 'NIP: 526 587 76 35'\n")
    settings = load(path, need_files=False)
    assert (settings.seller.nip, settings.ksef.context_nip) == ("5261040828", "5265877635")


@pytest.mark.parametrize(
    "origin",
    ["pos.example", "https://POS.example", "https://pos.example/app", "https://pos.example:443", "*", "http://"],
)
def test_an_origin_that_no_browser_sends_is_refused(file: Path, origin: str) -> None:
    file.write_text(f'{SELLER}[api]\norigins = ["https://a.example", "{origin}"]\n', "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert "origins" in str(refused.value)


@pytest.mark.parametrize(
    "origin", ["http://kasa.local", "https://pos.example:8443", "https://a.example/", "tauri://localhost"]
)
def test_origins_that_are_sent_are_taken(file: Path, origin: str) -> None:
    file.write_text(f'{SELLER}[api]\norigins = ["{origin}"]\n', "utf-8")
    assert load(file).api.origins == (origin,)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8780"),
        ("::1", "http://[::1]:8780"),
        ("::", "http://[::1]:8780"),
        ("0.0.0.0", "http://127.0.0.1:8780"),
        ("kasa.local", "http://kasa.local:8780"),
    ],
)
def test_where_this_machine_reaches_the_api(host: str, address: str) -> None:
    assert ApiSettings(host=host).address == address
