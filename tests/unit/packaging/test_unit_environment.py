"""What the unit sets for memory leaves TLS as it was: authorities are found in a folder, by the hash of their name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

UNIT = Path(__file__).parents[3] / "systemd/ksef-agent.service"
NAME = "ksef.example"
HANDSHAKE = """
import ssl, sys
server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
server.load_cert_chain(sys.argv[1])
up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [
    ssl.create_default_context().wrap_bio(down, up, server_hostname=sys.argv[2]),
    server.wrap_bio(up, down, server_side=True),
]
print(len(ends[0].context.get_ca_certs()))
while ends:
    for end in list(ends):
        try:
            end.do_handshake()
            ends.remove(end)
        except ssl.SSLWantReadError:
            pass
print("trusted")
"""
OPENSSL = shutil.which("openssl")


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_an_authority_of_the_machine_is_trusted_and_no_other(tmp_path: Path, *, known: bool) -> None:
    assert OPENSSL is not None
    authority, folder = trustme.CA(), tmp_path / "certs"
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    server = tmp_path / "server.pem"
    authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(server)
    if known:  # as update-ca-certificates does in /etc/ssl/certs
        subprocess.run((OPENSSL, "rehash", folder), check=True)
    lines = dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE))
    environment = os.environ | {"SSL_CERT_DIR": str(folder), "SSL_CERT_FILE": lines["SSL_CERT_FILE"]}
    command = (sys.executable, "-c", HANDSHAKE, server, NAME)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if known:
        assert done.stdout == "0\ntrusted\n", done.stderr  # none was loaded beforehand
    else:
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
