"""Changes that survive because they change nothing that anybody could notice: path and change -> why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {
    ("agent/services/delivery/recent_calls.py", "< -> <="): (
        "differs where a page begins at the very instant at which the hour began; what is that old takes no place in it"
    ),
    ("agent/store/soundness.py", "connection.close() -> pass"): (
        "a connection that failed to read holds no lock, and sqlite3 closes it with the frame that alone knows it"
    ),
}
