"""Who a buyer is to KSeF, and how a sentence names it."""

from __future__ import annotations

import pytest

from agent.domain.buyer_identity import other_number_sentence, same_identity
from agent.domain.invoice import Buyer, BuyerKind

DOMESTIC = Buyer(BuyerKind.NIP, "1111111111", "PL")
GERMAN = Buyer(BuyerKind.EU_VAT, "123456789", "DE")
NOBODY = Buyer(BuyerKind.NONE)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        (DOMESTIC, GERMAN, "(1111111111 na DE123456789)"),
        (GERMAN, NOBODY, "(DE123456789 na bez numeru)"),
        (NOBODY, Buyer(BuyerKind.FOREIGN_ID, "A-1"), "(bez numeru na A-1)"),
    ],
)
def test_a_refused_change_of_buyer_names_both(before: Buyer, after: Buyer, named: str) -> None:
    assert named in other_number_sentence("KOR/1", before, after)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (DOMESTIC, Buyer(BuyerKind.NIP, "111-111-11-11"), True),
        (DOMESTIC, Buyer(BuyerKind.NIP, "5265877635"), False),
        (GERMAN, Buyer(BuyerKind.EU_VAT, "123456789", "AT"), False),
        (NOBODY, NOBODY, True),
    ],
)
def test_a_number_is_the_same_however_it_is_written(one: Buyer, other: Buyer, same: bool) -> None:
    assert same_identity(one, other) is same
