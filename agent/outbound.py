"""Plain HTTP to others than KSeF: webhooks, and the Ministry's white list of taxpayers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
from yarl import URL

from agent.domain.calendar import local_date
from agent.ports import Clock

WEBHOOK_SECONDS: Final = 10.0
WHITE_LIST_SECONDS: Final = 3.0
MAX_NAME: Final = 512


class Outbound:
    """One HTTP session; opened on first use."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the shared session."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Webhooks:
    """Port WebhookSender."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """POST once; the status, None where no answer came."""
        try:
            return await self._clock.within(WEBHOOK_SECONDS, self._post(url, body, headers))
        except (TimeoutError, OSError, aiohttp.ClientError):
            return None

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        async with self._outbound.session.post(
            url, data=body, headers=dict(headers), allow_redirects=False
        ) as response:
            return response.status


class WhiteList:
    """Port BuyerSource: GET {url}/api/search/nip/{nip}?date=YYYY-MM-DD of the Ministry's register of VAT payers."""

    def __init__(self, outbound: Outbound, clock: Clock, url: str) -> None:
        self._outbound = outbound
        self._clock = clock
        self._url = URL(url)

    async def find(self, nip: str) -> tuple[str, str | None] | None:
        """Return name and address; None where unknown, slow or out of reach."""
        try:
            answer = await self._clock.within(WHITE_LIST_SECONDS, self._get(nip))
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError):
            return None
        result = answer.get("result") if isinstance(answer, dict) else None
        subject = result.get("subject") if isinstance(result, dict) else None
        if not isinstance(subject, dict) or not isinstance(subject.get("name"), str):
            return None
        address = subject.get("workingAddress") or subject.get("residenceAddress")
        return subject["name"][:MAX_NAME], address if isinstance(address, str) else None

    async def _get(self, nip: str) -> object:
        url = self._url / "api/search/nip" / nip % {"date": local_date(self._clock.now()).isoformat()}
        async with self._outbound.session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                return None
            answer: object = await response.json()
            return answer
