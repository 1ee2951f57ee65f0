"""What the courier of a NIP writes down for tills and people: any process of the hub may be asked for it."""

from __future__ import annotations

from typing import Final

STATE: Final = "courier:{}"
"""Name in the notebook, by NIP: {"ksef": "up"|"down", "left_hour", "left_minute", "wait"}."""
CERTIFICATES: Final = "certificates:{}"
"""By NIP: what KSeF leaves of its limits for certificates (agent/hub/domain/certificates.py)."""
