"""Settings of the hub, every one with its default. Secrets come only as file paths or names of systemd credentials.

Sellers, tills and people are no settings: `ksef-agent hub seller|till|token` keep them in the hub's database, so that
all processes of a hub know the same.
"""

from __future__ import annotations

from dataclasses import field
from datetime import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from agent.domain.values import dataclass
from agent.settings import rules
from agent.settings.model import KsefSettings


def dsn_without_password(value: object) -> str | None:
    """Rule of dsn: an address of PostgreSQL, its secret elsewhere."""
    parts = urlsplit(str(value))
    if not value:
        return None
    if parts.scheme not in {"postgresql", "postgres"}:
        return "potrzebny adres postgresql://…"
    if parts.password is not None:
        return "hasła nie wpisuje się do ustawień; zapisz cały adres w pliku i podaj dsn_file = „ścieżka”"
    return rules.no_host(parts.hostname or "")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """[hub]"""

    data_dir: Path = Path("/var/lib/ksef-agent-hub")
    dsn: Annotated[str, dsn_without_password] = ""
    """PostgreSQL without a password in it, e.g. postgresql:///ksef_hub; empty: SQLite in data_dir."""
    dsn_file: Path | None = None
    """The same from a file, where it holds a password."""
    host: Annotated[str, rules.host] = "0.0.0.0"  # noqa: S104 - tills of other machines report here
    port: Annotated[int, rules.PORT] = 8790
    tls_certificate_file: Path | None = None
    """PEM, with the chain."""
    tls_key_file: Path | None = None
    plain_http: bool = False
    """Serve without TLS beyond this machine: only behind a proxy that speaks TLS with the tills."""
    connections: Annotated[int, rules.Between(8, 100_000)] = 4000
    """Tills and browsers at the same time; a till holds two."""


@dataclass(frozen=True, slots=True)
class CourierSettings:
    """[courier]"""

    batch_from: Annotated[int, rules.Between(1, 2000)] = 10
    """A backlog of at least so many invoices, over all tills of a NIP, goes as a batch."""


@dataclass(frozen=True, slots=True)
class SharedCertificates:
    """[offline]: certificates of type Offline that the hub keeps valid and hands out to its tills."""

    certificates: Annotated[int, rules.Between(0, 50)] = 0
    """For each NIP, shared by its tills; 0: the hub hands out none."""
    passphrase_file: Path | None = None
    """Encrypts their keys in the hub's database; the same for all processes of a hub."""
    renew_before_days: Annotated[int, rules.Between(1, 365)] = 30


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """[fleet]: when the hub raises an alarm about a till."""

    silent_minutes: Annotated[float, rules.Between(1, 1440)] = 5.0
    """A till that was not heard for so long, in opening hours, is silent."""
    deadline_hours: Annotated[float, rules.Between(0, 100)] = 4.0
    """Opening hours left before a deadline when what is not in KSeF becomes an alarm."""
    opens: time = time(8, 0)
    closes: time = time(21, 0)


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """[backup]: the nightly copies of the SQLite database."""

    dir: Path = Path("/var/backups/ksef-agent-hub")
    hours: Annotated[float, rules.Between(0, 8760)] = 48.0
    """Age of the newest copy from which it is a problem; 0: never. PostgreSQL's copies are not looked at."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """All settings of one hub."""

    hub: ServerSettings = field(default_factory=ServerSettings)
    ksef: KsefSettings = field(default_factory=KsefSettings)
    courier: CourierSettings = field(default_factory=CourierSettings)
    offline: SharedCertificates = field(default_factory=SharedCertificates)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
