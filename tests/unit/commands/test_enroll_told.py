"""What `enroll` says before it waits for its share of KSeF's limits."""

from __future__ import annotations

import pytest

from agent.commands import enroll


def test_who_does_not_wait_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Five calls: one till has ten a second, and they take two seconds."""
    enroll._tell_how_long(1)
    enroll._tell_how_long(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("tills", "minutes"),
    [
        (20, 4),  # one of KSeF's 30 calls a minute: four pauses of a minute
        (50, 120),  # two of its 120 an hour: two pauses of an hour
        (300, 600),  # one of 120 in two and a half hours: four such pauses
    ],
)
def test_many_tills_at_one_address_wait_for_each_other(
    tills: int, minutes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    enroll._tell_how_long(tills)
    said = capsys.readouterr().err
    assert f"dzielą kasy pod jednym adresem ({tills})" in said
    assert f"do {minutes} min" in said
    assert "to samo polecenie dokończy" in said
