"""A sign of life to headquarters, for a till behind a router that nobody can ask: signed, small, on monotonic time.

The other side alarms when none comes (docs/hq/heartbeats.py): a till that is off says nothing. What is not taken is
not repeated: the next one tells the same, newer.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from agent.ports import Json, WebhookSender
from agent.services.monitoring.health import HealthReport
from agent.services.monitoring.signing import signed
from agent.system import journal

LOG = logging.getLogger("agent.heartbeat")


class OutwardHeartbeat:
    """Tells how the till stands. ``seconds``: after how many the next one comes, for the receiver's switch."""

    def __init__(
        self,
        sender: WebhookSender,
        *,
        url: str,
        secret: bytes,
        seconds: float,
        shop: str,
        now: Callable[[], datetime],
    ) -> None:
        self._sender = sender
        self._url = url
        self._secret = secret
        self._seconds = seconds
        self._shop = shop
        self._now = now
        self._process = uuid.uuid4().hex
        self._sequence = 0
        self.taken_at: datetime | None = None
        """When headquarters last took one; None: not since the start."""
        self.problem: str | None = None
        """With what headquarters refuses: HTTP and the status, or that nobody answers. None: it takes them."""

    async def send(self, report: HealthReport) -> None:
        """Send one. Whatever comes of it: the line lost and back is a line of the journal each."""
        self._sequence += 1
        body, headers = signed(self._message(report), self._secret, self._now())
        status = await self._sender.post(self._url, body, headers)
        if isinstance(status, int) and 200 <= status < 300:
            if self.problem is not None:
                LOG.info("headquarters takes heartbeats again", extra=journal.fields(heartbeat="taken"))
            self.taken_at, self.problem = self._now(), None
            return
        problem = f"HTTP {status}" if isinstance(status, int) else "no answer"
        if self.problem is None:
            LOG.warning("headquarters takes no heartbeats: %s", problem, extra=journal.fields(heartbeat="refused"))
        self.problem = problem

    def _message(self, report: HealthReport) -> dict[str, Json]:
        """Return numbers and words, no invoice and no buyer; bounded, since codes are."""
        queue = report.queue
        problems = Counter((each.code, each.severity) for each in report.problems)
        return {
            "version": 1,
            "till": report.till,
            "shop": self._shop,
            "seller": hashlib.sha256(report.nip.encode()).hexdigest()[:12],
            "program": report.version,
            "process": self._process,
            "sequence": self._sequence,
            "next_in_seconds": self._seconds,
            "at": report.at.isoformat(),
            "started_at": report.started_at.isoformat(),
            "status": report.status,
            "ready": report.ready,
            "mode": report.mode.mode.value,
            "ksef": report.mode.ksef,
            "unsent": queue.unsent,
            "in_doubt": queue.in_doubt,
            "rejected": queue.rejected,
            "overdue": queue.overdue,
            "next_deadline": None if queue.next_deadline is None else queue.next_deadline.isoformat(),
            "problems": [
                {"code": code, "severity": severity, "count": count}
                for (code, severity), count in sorted(problems.items())
            ],
        }
