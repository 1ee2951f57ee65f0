"""Files for those who work against a sandbox: PEM files, and settings with which `ksef-agent run` works."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from agent.domain.callers import Role
from agent.ports import Json
from agent.sandbox.ksef.pki import Credential
from agent.sandbox.listener import HOST
from agent.sandbox.server import Sandbox
from agent.services.tokens import FILE_NAME, Tokens
from agent.system.durable_files import write_whole

QR_URL = "https://qr-test.ksef.mf.gov.pl"


def describe(sandbox: Sandbox, directory: Path) -> dict[str, Json]:
    """Write the PEM files into ``directory`` and return the first line of `ksef-agent sandbox` (docs/sandbox.md)."""
    directory.mkdir(parents=True, exist_ok=True)
    return {
        "ksef": sandbox.ksef,
        "latarnia": sandbox.latarnia_url,
        "printer": {"host": sandbox.printer.host, "port": sandbox.printer.port},
        "control": sandbox.control,
        "nip": sandbox.nip,
        "ksef_token": sandbox.ksef_token,
        "authentication": _write(directory, "authentication", sandbox.authentication),
        "offline": _write(directory, "offline", sandbox.offline),
        "authentication_rsa": _write(directory, "authentication-rsa", sandbox.authentication_rsa),
        "offline_rsa": _write(directory, "offline-rsa", sandbox.offline_rsa),
        "seal": _write(directory, "seal", sandbox.seal),
    }


def write_config(sandbox: Sandbox, file: Path, facts: dict[str, Json]) -> dict[str, Json]:
    """Write settings to ``file``, data beside it, and return ``facts`` with what they add.

    The ports are free now; nobody keeps them until the agent starts.
    """
    file = file.absolute()
    data = file.with_name(f"{file.stem}-data")
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    (data / FILE_NAME).unlink(missing_ok=True)
    tokens = Tokens.in_directory(data)
    cashier, manager = tokens.add("kasa", Role.CASHIER), tokens.add("kierownik", Role.MANAGER)
    api, health = _free_ports(2)
    write_whole(file, _settings(sandbox, data, facts, api, health).encode())
    return {
        **facts,
        "config": str(file),
        "api": f"http://{HOST}:{api}",
        "health": f"http://{HOST}:{health}",
        "cashier_token": cashier,
        "manager_token": manager,
    }


def export_line(api: object, token: object) -> str:
    """Return the line for a shell that the examples of docs/api.md begin with; the token is the sandbox's."""
    return f"export API={str(api).rstrip('/')} TOKEN={token}"


def _settings(sandbox: Sandbox, data: Path, facts: dict[str, Json], api: int, health: int) -> str:
    authentication = cast(dict[str, str], facts["authentication"])
    offline = cast(dict[str, str], facts["offline"])
    # a JSON string is a TOML basic string as long as no U+007F stands in it
    text = json.dumps
    return f"""# Settings for the sandbox; written by `ksef-agent sandbox --write-config`.
till = "1"
data_dir = {text(str(data))}

[seller]
nip = {text(sandbox.nip)}
name = {text(sandbox.name, ensure_ascii=False)}

[seller.address]
line1 = "ul. Piaskowa 1"
line2 = "00-001 Warszawa"
country = "PL"

[ksef]
url = {text(sandbox.ksef)}
latarnia_url = {text(sandbox.latarnia_url)}
qr_url = {text(QR_URL)}
auth = "certificate"
certificate_file = {text(authentication["certificate"])}
key_file = {text(authentication["key"])}

[offline]
certificate_file = {text(offline["certificate"])}
key_file = {text(offline["key"])}

[[printer]]
name = "paragon"
profile = {text(sandbox.printer.profile.name)}
connection = "tcp"
host = {text(sandbox.printer.host)}
port = {sandbox.printer.port}

[page]
lookup_buyers = true
lookup_url = {text(sandbox.control)}

[api]
host = "{HOST}"
port = {api}

[health]
host = "{HOST}"
port = {health}
"""


def _write(directory: Path, name: str, credential: Credential) -> dict[str, Json]:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    write_whole(certificate, credential.certificate_pem.encode("ascii"), 0o644)
    write_whole(key, credential.key_pem.encode("ascii"), 0o600)
    return {"certificate": str(certificate.absolute()), "key": str(key.absolute())}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind((HOST, 0))
        return [int(item.getsockname()[1]) for item in sockets]
