"""Read the hub's settings, every mistake at once with its line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent.domain.errors import ConfigError
from agent.hub.settings.model import HubSettings
from agent.settings.environment import environment_mistakes
from agent.settings.field_rules import rules_of
from agent.settings.load import load_other
from agent.settings.toml_lines import KeyPath

SYSTEM_CONFIG = Path("/etc/ksef-agent/hub.toml")
LOCAL_CONFIG = Path("hub.toml")
VARIABLE = "KSEF_AGENT_HUB_CONFIG"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OF_A_SELLER = (
    *("auth", "certificate_file", "key_file", "passphrase_file", "token_file", "certificate_nip"),
    *("context_nip", "context_internal_id", "renew_before_days"),
)
"""Settings of [ksef] that each seller has for itself (`ksef-agent hub seller add`)."""


def find_hub_config(option: Path | None) -> Path:
    """Return the hub's settings file: --config, $KSEF_AGENT_HUB_CONFIG, /etc/ksef-agent/hub.toml, ./hub.toml."""
    if option is not None:
        return option
    if named := os.environ.get(VARIABLE):
        return Path(named)
    for path in (SYSTEM_CONFIG, LOCAL_CONFIG):
        if path.is_file():
            return path
    raise ConfigError(
        (
            f"Nie znaleziono ustawień centrali: ani {SYSTEM_CONFIG}, ani {LOCAL_CONFIG} w bieżącym katalogu. "
            "Skopiuj config.hub.example.toml i uzupełnij albo wskaż plik opcją --config.",
        )
    )


def load_hub(path: Path, *, need_files: bool = True) -> HubSettings:
    """Read and check the hub's settings; ConfigError names every mistake."""
    return load_other(HubSettings, path, dict(rules_of(HubSettings)), _cross_check, need_files=need_files)


def _cross_check(settings: HubSettings) -> Iterator[tuple[KeyPath, str]]:
    hub, ksef, defaults = settings.hub, settings.ksef, type(settings.ksef)()
    if hub.dsn and hub.dsn_file:
        yield ("hub", "dsn_file"), "podaj dsn albo dsn_file, nie oba"
    if (hub.tls_certificate_file is None) != (hub.tls_key_file is None):
        yield ("hub", "tls_key_file"), "certyfikat TLS i jego klucz podaje się razem"
    if hub.tls_certificate_file is None and hub.host not in LOOPBACK and not hub.plain_http:
        yield (
            ("hub", "tls_certificate_file"),
            "kasy łączą się przez TLS: podaj certyfikat i klucz (ksef-agent hub tls je utworzy) "
            "albo ustaw plain_http = true, jeżeli TLS zapewnia serwer przed centralą",
        )
    yield from environment_mistakes(ksef, prints_codes=False)
    for name in OF_A_SELLER:
        if getattr(ksef, name) != getattr(defaults, name):
            yield ("ksef", name), "to należy do sprzedawcy: ksef-agent hub seller add"
    if ksef.route != defaults.route:
        yield ("ksef", "route"), "droga przez centralę jest dla kas; centrala łączy się z KSeF sama"
    if settings.offline.certificates and settings.offline.passphrase_file is None:
        yield ("offline", "passphrase_file"), "klucze Offline leżą w bazie zaszyfrowane: podaj plik z hasłem"
    if settings.offline.certificates and hub.tls_certificate_file is None:
        yield ("offline", "certificates"), "klucze Offline centrala wydaje tylko przez własny TLS: podaj certyfikat"
    if settings.fleet.opens >= settings.fleet.closes:
        yield ("fleet", "closes"), "godzina zamknięcia musi być późniejsza niż fleet.opens"
