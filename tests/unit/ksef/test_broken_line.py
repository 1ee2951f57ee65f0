"""A broken line to KSeF in the words of a technician: Polish, without the library's own."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from agent.domain.errors import ConfigError
from agent.ksef.client import _cause, open_client, tls_context
from agent.ports import CallOutcome, KsefError
from agent.settings.model import KsefSettings
from tests.fakes.clock import FakeClock


async def test_a_refused_connection_says_so() -> None:
    client = open_client(KsefSettings(), "http://127.0.0.1:9", FakeClock())
    with pytest.raises(KsefError) as caught:
        await client.call("GET", "/x")
    assert caught.value.message == "Połączenie z KSeF nie powiodło się (połączenie odrzucone)."
    assert caught.value.outcome is CallOutcome.NOT_SENT
    await client.close()


KEY = SimpleNamespace(host="ksef.example", port=443, is_ssl=True, ssl=True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), None),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "?")), "nie znaleziono adresu ksef.example"),  # type: ignore[arg-type]
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "?")), "szyfrowanego połączenia"),
        (aiohttp.ServerDisconnectedError(), "serwer przerwał połączenie"),
        (aiohttp.ClientPayloadError("English"), "ClientPayloadError"),
    ],
    ids=["time", "name", "tls", "cut", "other"],
)
def test_causes(error: BaseException, words: str | None) -> None:
    said = _cause(error)
    assert said == words if words is None else words in str(said)


def test_a_trust_anchor_that_is_none(tmp_path: Path) -> None:
    anchor = tmp_path / "ca.pem"
    anchor.write_text("to nie certyfikat")
    with pytest.raises(ConfigError, match="nie zawiera certyfikatu urzędu"):
        tls_context(anchor)
    with pytest.raises(ConfigError, match="nie ma takiego pliku"):
        tls_context(tmp_path / "brak.pem")
