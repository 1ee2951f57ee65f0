"""Changes that survive because they change nothing that anybody could notice: path and change -> why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {
    ("agent/services/delivery/recent_calls.py", "< -> <="): (
        "differs where a page begins at the very instant at which the hour began; what is that old takes no place in it"
    ),
    ("agent/store/migrate.py", "0 -> 1"): "stands for the newest of no steps at all, and this program has steps",
    ("agent/store/soundness.py", "300 -> 301"): (
        "one event more is surely looked at; the events before those are looked at as well, as far as the time goes"
    ),
    ("agent/store/soundness.py", "connection.close() -> pass"): (
        "a connection that failed to read holds no lock, and sqlite3 closes it with the frame that alone knows it"
    ),
}
