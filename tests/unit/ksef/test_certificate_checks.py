"""The wrong certificate in the right place: its type, its subject, its dates, its key, and who else may read it.

`check` says each, with its remedy; what can never work stops the start.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.x509.oid import NameOID

from agent.certificates.held import load_certificates
from agent.command_line import cli
from agent.domain.errors import ConfigError
from agent.ksef.certificate_checks import Use, faults, kind_of, owner_nip, remarks
from agent.sandbox.ksef.pki import CertificateAuthority, CertificateType, Credential, organization
from agent.settings.load import load

NOW = datetime.now(UTC)
SELLER, OTHER = "5265877635", "1111111111"
KSEF = CertificateAuthority(NOW)
QUALIFIED = CertificateAuthority(NOW, "Kwalifikowane Podpisy S.A.")
TYPES = {Use.AUTHENTICATION: CertificateType.AUTHENTICATION, Use.OFFLINE: CertificateType.OFFLINE}
FIRM = organization("Sklep", SELLER)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def person(identifier: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, identifier),
            x509.NameAttribute(NameOID.COMMON_NAME, "Anna Nowak"),
        ]
    )


def credential(
    use: Use,
    *,
    subject: x509.Name = FIRM,
    key: Key | None = None,
    start: timedelta = timedelta(hours=-1),
    end: timedelta = timedelta(days=700),
    authority: CertificateAuthority = KSEF,
) -> Credential:
    key = key or ec.generate_private_key(ec.SECP256R1())
    return Credential(authority.issue(subject, key.public_key(), TYPES[use], NOW + start, NOW + end), key)


@dataclass
class Till:
    """Settings and files of a till, as a technician left them."""

    folder: Path
    extra: str = ""

    def put(self, name: str, given: Credential, *, chain: tuple[x509.Certificate, ...] = (), mode: int = 0o600) -> None:
        pem = [each.public_bytes(serialization.Encoding.PEM) for each in chain]
        (self.folder / f"{name}.crt").write_bytes(b"".join([*pem, given.certificate_pem.encode()]))
        (self.folder / f"{name}.key").write_text(given.key_pem)
        (self.folder / f"{name}.key").chmod(mode)

    @property
    def config(self) -> Path:
        file = self.folder / "config.toml"
        file.write_text(
            f"""data_dir = "data"
[seller]
nip = "{SELLER}"
name = "Sklep"
[seller.address]
line1 = "ul. Prosta 1"
[backup]
dir = "."
[ksef]
certificate_file = "auth.crt"
key_file = "auth.key"
[offline]
certificate_file = "offline.crt"
key_file = "offline.key"
{self.extra}""",
            "utf-8",
        )
        return file

    def check(self) -> dict[str, str]:
        """What `check --offline` finds wrong: name -> sentence."""
        result = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(self.config)])
        found = {each["name"]: each["message"] for each in json.loads(result.stdout) if not each["ok"]}
        assert result.exit_code == (1 if found else 0)
        return found

    def start(self) -> tuple[str, ...]:
        """What stops a start."""
        try:
            load_certificates(load(self.config))
        except ConfigError as error:
            return error.problems
        return ()


@pytest.fixture(autouse=True)
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs on this machine: these tests are about certificates."""

    async def free(*_: object) -> str:
        return ""

    monkeypatch.setattr("agent.commands.check._ports", free)


@pytest.fixture
def till(tmp_path: Path) -> Till:
    found = Till(tmp_path)
    found.put("auth", credential(Use.AUTHENTICATION))
    found.put("offline", credential(Use.OFFLINE))
    return found


def test_the_right_certificates_pass(till: Till) -> None:
    assert till.check() == {}
    assert till.start() == ()


class TestTypes:
    def test_authentication_as_offline(self, till: Till) -> None:
        till.put("offline", credential(Use.AUTHENTICATION))
        (problem,) = till.start()
        assert "offline.crt: to certyfikat typu Authentication" in problem
        assert "ksef-agent enroll --type offline" in problem
        assert till.check().keys() == {"certyfikat Offline", "kody QR na drukarkach"}

    def test_offline_as_authentication(self, till: Till) -> None:
        till.put("auth", credential(Use.OFFLINE))
        (problem,) = till.start()
        assert "auth.crt: to certyfikat KSeF typu Offline" in problem
        assert till.check().keys() == {"certyfikat uwierzytelniający"}

    def test_both_swapped_are_told_at_once(self, till: Till) -> None:
        till.put("offline", credential(Use.AUTHENTICATION))
        till.put("auth", credential(Use.OFFLINE))
        assert len(till.start()) == 2

    def test_a_qualified_signature_signs_in_though_it_looks_like_offline(self, till: Till) -> None:
        till.put("auth", credential(Use.OFFLINE, authority=QUALIFIED))
        assert till.check() == {}

    def test_a_qualified_signature_does_not_sign_kod_ii_in_silence(self, till: Till) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        without_usage = (
            x509.CertificateBuilder()
            .subject_name(FIRM)
            .issuer_name(FIRM)
            .public_key(key.public_key())
            .serial_number(77)
            .not_valid_before(NOW - timedelta(1))
            .not_valid_after(NOW + timedelta(1))
            .sign(key, hashes.SHA256())
        )
        assert kind_of(without_usage) is None
        till.put("offline", Credential(without_usage, key))
        assert "nie mówi, że jest typu Offline" in till.check()["certyfikat Offline"]

    def test_a_certificate_of_an_authority(self) -> None:
        for use in Use:
            assert faults(KSEF.certificate, use) == ("to certyfikat urzędu certyfikacji, a nie podmiotu",)


class TestKeys:
    def test_of_another_certificate(self, till: Till) -> None:
        key = till.folder / "offline.key"
        key.write_text(credential(Use.OFFLINE).key_pem)
        assert "nie pasuje do certyfikatu" in till.check()["certyfikat Offline"]

    def test_on_another_curve(self, till: Till) -> None:
        till.put("offline", credential(Use.OFFLINE, key=ec.generate_private_key(ec.SECP384R1())))
        assert "nie na P-256" in till.check()["certyfikat Offline"]

    def test_a_short_rsa_key(self, till: Till) -> None:
        till.put("auth", credential(Use.AUTHENTICATION, key=rsa.generate_private_key(65537, 1024)))
        assert "1024 bitów" in till.check()["certyfikat uwierzytelniający"]

    def test_a_chain_in_any_order(self, till: Till) -> None:
        till.put("offline", credential(Use.OFFLINE), chain=(KSEF.certificate, credential(Use.OFFLINE).certificate))
        assert till.check() == {}


class TestOwners:
    def test_another_firm(self, till: Till) -> None:
        till.put("auth", credential(Use.AUTHENTICATION, subject=organization("Inna sp. z o.o.", OTHER)))
        found = till.check()
        assert found.keys() == {"certyfikat uwierzytelniający"}
        (said,) = found.values()
        assert "Inna sp. z o.o." in said
        assert f"NIP {OTHER}" in said
        assert f"NIP {SELLER}" in said
        assert f'[ksef] certificate_nip = "{OTHER}"' in said
        assert till.start() == ()

    def test_another_firm_s_offline(self, till: Till) -> None:
        till.put("offline", credential(Use.OFFLINE, subject=person(f"TINPL-{OTHER}")))
        assert f"NIP {OTHER}" in till.check()["certyfikat Offline"]

    def test_who_has_permissions_is_named_in_the_settings(self, till: Till) -> None:
        till.put("offline", credential(Use.OFFLINE, subject=organization("Biuro", OTHER)))
        till.extra = f'certificate_nip = "{OTHER}"\n'
        assert till.check() == {}

    @pytest.mark.parametrize(
        ("subject", "nip"),
        [
            (FIRM, SELLER),
            (person(f"TINPL-{SELLER}"), SELLER),
            (person("PNOPL-44051401359"), None),
            (x509.Name([]), None),
        ],
    )
    def test_whose_it_is(self, subject: x509.Name, nip: str | None) -> None:
        certificate = credential(Use.OFFLINE, subject=subject).certificate
        assert owner_nip(certificate) == nip
        assert remarks(certificate, Use.OFFLINE, (SELLER,), NOW) == ()

    def test_a_ksef_token_of_another_firm(self, till: Till) -> None:
        (till.folder / "ksef.token").write_text(f"20261124-EC-0123456789|nip-{OTHER}|0123456789abcdef")
        (till.folder / "ksef.token").chmod(0o600)
        config = till.config
        text = config.read_text("utf-8").replace("[ksef]", '[ksef]\nauth = "token"\ntoken_file = "ksef.token"')
        config.write_text(text, "utf-8")
        result = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(config)])
        (found,) = [each["message"] for each in json.loads(result.stdout) if not each["ok"]]
        assert f"token KSeF wydano dla NIP {OTHER}" in found


class TestDates:
    def test_expired(self, till: Till) -> None:
        till.put("offline", credential(Use.OFFLINE, start=timedelta(-800), end=timedelta(-70)))
        assert "stracił ważność" in till.check()["certyfikat Offline"]
        assert till.start() == ()  # a shop has to sell on the morning after

    def test_thirty_days_before_its_end_somebody_has_to_act_or_the_agent_does(self, till: Till) -> None:
        for days, told in ((31, False), (29, True)):
            till.put("offline", credential(Use.OFFLINE, end=timedelta(days=days)))
            assert ("zostało dni: 28; odnów go" in till.check().get("certyfikat Offline", "")) is told
        till.extra = "renew_before_days = 30\n"  # of [offline]
        assert till.check() == {}

    def test_not_yet_valid(self, till: Till) -> None:
        till.put("auth", credential(Use.AUTHENTICATION, start=timedelta(days=3)))
        assert "będzie ważny dopiero od" in till.check()["certyfikat uwierzytelniający"]
        assert till.start() == ()


def _bundle(till: Till) -> Path:
    given = credential(Use.AUTHENTICATION)
    data = pkcs12.serialize_key_and_certificates(None, given.key, given.certificate, None, NoEncryption())
    (till.folder / "auth.crt").write_bytes(data)
    text = till.config.read_text("utf-8").replace('key_file = "auth.key"\n', "", 1)
    (till.folder / "config.toml").write_text(text, "utf-8")
    return till.folder / "auth.crt"


class TestRights:
    """Read by everybody, or replaced by everybody: an error at the start and in `check`."""

    def both(self, till: Till) -> tuple[str, str]:
        config = till.folder / "config.toml"
        if not config.exists():
            config = till.config
        with pytest.raises(ConfigError) as stopped:
            load(config)
        result = CliRunner().invoke(cli, ["check", "--offline", "--json", "--config", str(config)])
        (found,) = [each["message"] for each in json.loads(result.stdout) if not each["ok"]]
        return str(stopped.value), found

    @pytest.mark.parametrize(("name", "setting"), [("offline.key", "offline.key_file"), ("auth.key", "ksef.key_file")])
    def test_a_key_for_everybody(self, till: Till, name: str, setting: str) -> None:
        (till.folder / name).chmod(0o644)
        at_start, checked = self.both(till)
        assert setting in at_start
        assert "wiersz" in at_start
        assert f"chmod o-rwx {till.folder / name}" in at_start
        assert f"chmod o-rwx {till.folder / name}" in checked

    def test_a_passphrase_for_everybody(self, till: Till) -> None:
        (till.folder / "word").write_text("tajne")
        (till.folder / "word").chmod(0o604)
        till.extra = 'passphrase_file = "word"\n'
        at_start, checked = self.both(till)
        assert "offline.passphrase_file" in at_start
        assert "chmod o-rwx" in checked

    def test_a_pkcs12_file_holds_a_key_too(self, till: Till) -> None:
        _bundle(till).chmod(0o644)
        at_start, checked = self.both(till)
        assert "ksef.certificate_file" in at_start
        assert "chmod o-rwx" in checked

    def test_a_folder_in_which_everybody_may_replace_the_key(self, till: Till) -> None:
        folder = till.folder / "keys"
        folder.mkdir()
        (till.folder / "offline.key").rename(folder / "offline.key")
        folder.chmod(0o777)
        text = till.config.read_text("utf-8").replace('"offline.key"', '"keys/offline.key"')
        (till.folder / "config.toml").write_text(text, "utf-8")
        at_start, checked = self.both(till)
        assert f"chmod o-w {folder}" in at_start
        assert f"chmod o-w {folder}" in checked
        folder.chmod(0o1777)  # sticky: everybody may add, nobody may replace
        assert load(till.folder / "config.toml").offline.key_file == folder / "offline.key"

    def test_a_link_is_as_safe_as_what_it_leads_to(self, till: Till) -> None:
        open_folder = till.folder / "open"
        open_folder.mkdir()
        target = open_folder / "real.key"
        (till.folder / "offline.key").rename(target)
        (till.folder / "offline.key").symlink_to(target)
        assert till.check() == {}
        target.chmod(0o644)
        assert f"chmod o-rwx {target}" in self.both(till)[1]
        target.chmod(0o600)
        open_folder.chmod(0o777)
        assert f"chmod o-w {open_folder}" in self.both(till)[1]

    def test_the_settings_themselves(self, till: Till) -> None:
        config = till.config
        config.chmod(0o666)
        with pytest.raises(ConfigError, match=f"chmod o-w {config}"):
            load(config)

    def test_a_group_may_read(self, till: Till) -> None:
        """0640 root:ksef-agent is how an administrator often does it."""
        (till.folder / "offline.key").chmod(0o640)
        assert till.check() == {}
        assert till.start() == ()

    @pytest.mark.parametrize("name", ["tokens.json", "commands-token"])
    def test_the_agent_s_own_tokens(self, till: Till, name: str) -> None:
        (till.folder / "data").mkdir()
        (till.folder / "data" / name).write_text("[]")
        (till.folder / "data" / name).chmod(0o644)
        assert f"chmod o-rwx {till.folder / 'data' / name}" in till.check()["prawa plików"]


@pytest.mark.parametrize("wrong", [b"\x30\x03\x02\x01\x01", b""])
def test_what_cannot_be_read_is_a_fault_not_a_crash(wrong: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    broken = (
        x509.CertificateBuilder()
        .subject_name(FIRM)
        .issuer_name(FIRM)
        .public_key(key.public_key())
        .serial_number(78)
        .not_valid_before(NOW - timedelta(1))
        .not_valid_after(NOW + timedelta(1))
        .add_extension(x509.UnrecognizedExtension(x509.KeyUsage.oid, wrong), critical=True)
        .sign(key, hashes.SHA256())
    )
    assert faults(broken, Use.OFFLINE) == ("treść certyfikatu jest nieczytelna",)
