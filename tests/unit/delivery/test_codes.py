"""What each of KSeF's codes means to the program, against the table of docs/protocol.md, section 3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.domain.rejection import PERMISSION_CODES, UNCORRECTABLE
from agent.ports import CallOutcome, KsefError
from agent.services.delivery.batch_breaker import is_refused_whole
from agent.services.outages.connection import LOGIN_REFUSED
from tests.fakes.world import world

PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"
LOGIN = (415, 450, 460, 470, 480)
PERMISSIONS = (410, 415)
OF_A_BATCH = (405, 415, 420, 430, 435, 440, 445, 500, 21157, 21173, 21205, 21208)


def said(of: str, about: str) -> set[int]:
    """Return the codes of those rows of the page in which both stand."""
    rows = [row for row in PAGE.read_text("utf-8").splitlines() if row.startswith("|") and of in row and about in row]
    return {int(code) for row in rows for code in re.findall(r"\b\d{3,5}\b", row.split("|")[1])}


def test_the_page_says_the_same() -> None:
    assert said("at login", "credentials refused") == set(LOGIN) == LOGIN_REFUSED
    assert said("permissions missing", "") | said("attachments", "as 410") == set(PERMISSIONS) == PERMISSION_CODES
    assert {440, *PERMISSIONS} == UNCORRECTABLE.keys()


@pytest.mark.parametrize("code", OF_A_BATCH)
def test_of_a_batch_that_ended_so_nothing_was_taken(code: int) -> None:
    assert is_refused_whole(KsefError("nie", outcome=CallOutcome.REFUSED, code=code))
    assert not is_refused_whole(KsefError("nie", outcome=CallOutcome.REFUSED, code=code + 1))


@pytest.mark.parametrize("code", LOGIN)
async def test_a_refused_login_is_told_and_another_refusal_is_none(tmp_path: Path, code: int) -> None:
    async with world(tmp_path) as place:
        for tried in (code + 1, code):
            place.connection.no_session(KsefError("nie ma wstępu", outcome=CallOutcome.REFUSED, code=tried))
            assert (place.connection.last.signed_in is False) == (tried == code)
