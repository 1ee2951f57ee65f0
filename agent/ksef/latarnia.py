"""Latarnia, the Ministry's beacon: both answers exactly as received. Nothing is interpreted here.

A captive portal, an error page or silence is KsefError, never a word about KSeF (docs/protocol.md, section 7).
"""

from __future__ import annotations

import json

from agent.ksef.client import HttpClient, open_client
from agent.ports import Clock, LatarniaReading
from agent.settings.model import KsefSettings


class LatarniaSource:
    """agent.ports.StatusSource over https://api-latarnia.ksef.mf.gov.pl, anonymous."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def read(self) -> LatarniaReading:
        """Fetch /status and /messages. Safe to repeat."""
        status = await self._text("/status")
        messages = await self._text("/messages")
        return LatarniaReading(status, messages, self._client.clock.now())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _text(self, path: str) -> str:
        answer = await self._client.call("GET", path)
        if not answer.is_json:
            raise answer.unusable("Odpowiedź nie pochodzi z Latarni: to nie jest JSON.", link_down=True)
        try:
            text = answer.body.decode("utf-8")
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise answer.unusable(f"Odpowiedź Latarni jest uszkodzona: {error}.", link_down=True) from error
        return text


def open_latarnia(settings: KsefSettings, clock: Clock) -> LatarniaSource:
    """Return Latarnia as the settings name it; nothing is called before the first use."""
    return LatarniaSource(open_client(settings, settings.latarnia_url, clock))
