"""Names of answers: an upgrade of the agent must not look for them under others."""

from __future__ import annotations

import hashlib

from agent.services.exchange.names import aside, stem_of, stem_overcome


def test_a_long_name_is_cut_and_told_from_its_like_by_eight_letters() -> None:
    stem = "ą" * 100
    told = hashlib.sha256(stem.encode()).hexdigest()
    assert stem_of(f"{stem}.json") == f"{'ą' * 80}~{told[:8]}"
    assert stem_of(f"{'a' * 160}.json") == "a" * 160
    assert stem_of(f"{'a' * 161}.json").startswith("a" * 160 + "~")


def test_a_file_that_makes_room_has_eight_letters_of_its_hash() -> None:
    assert aside("order.json", "0123456789abcdef") == "order~01234567.json"
    assert stem_overcome("order", "0123456789abcdef") == "order~01234567~refused"
