"""Messages to the shop's and headquarters' servers: JSON, signed, so that they know whose they are, and of when.

Header ``X-Ksef-Agent-Signature: t=<unix seconds>,v1=<hex>``, HMAC-SHA256 with the shared secret over ``<t>.<body>``.
docs/webhooks.md tells the receiver's side.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from agent.ports import Json


def signed(message: Mapping[str, Json], secret: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Return the body, UTF-8 JSON, and its headers. ``now``: the best known time, others are refused."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    at = int(now.timestamp())
    signature = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-Ksef-Agent-Signature": f"t={at},v1={signature}"}
