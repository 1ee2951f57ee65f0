"""docs/hq/heartbeats.py beside the tills of a scene: its own state, rules and page, its clock that of the scene."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from tests.incidents.recording import HQ
from tests.incidents.scene import Scene

SECRET = b"a secret of at least thirty-two letters"
SIGNATURE = "X-Ksef-Agent-Signature"
ADDRESS = "127.0.0.1:8791"


class Receiver:
    """Takes the heartbeats of all tills; Prometheus knows it, and none of them."""

    def __init__(self, place: Scene, folder: Path) -> None:
        spec = importlib.util.spec_from_file_location("heartbeats_of_incidents", HQ / "heartbeats.py")
        assert spec is not None
        assert spec.loader is not None
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self._module.time = SimpleNamespace(monotonic=place.clock.monotonic)  # type: ignore[attr-defined]
        self._module.sys = SimpleNamespace(stdout=SimpleNamespace(write=len, flush=list))  # type: ignore[attr-defined]
        self._clock = place.clock
        self._state = folder / "heartbeats.json"
        self.down = False
        self.secret(SECRET)
        for each in place.tills.values():
            shop = each.agent.settings.health.shop
            each.agent.heartbeat = OutwardHeartbeat(
                self, url="https://hq.example/", secret=SECRET, seconds=60, shop=shop, now=place.clock.now
            )
        place.behind.update(place.tills)
        place.others[ADDRESS] = self.page

    def secret(self, secret: bytes) -> None:
        """Start anew with this secret and what was known."""
        self._tills = self._module.Tills(self._state, secret, "")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        """Take a heartbeat, as WebhookSender."""
        del url
        status: int = self._tills.take(headers[SIGNATURE], body, self._clock.now().timestamp())
        return status

    def page(self) -> str | None:
        """Return /metrics, after the look that it has every second."""
        self._tills.look()
        text: str = self._module.metrics(self._tills.worst_first())
        return None if self.down else text
