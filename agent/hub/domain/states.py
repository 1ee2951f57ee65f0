"""States of an invoice at the hub, and the moves between them.

    waiting ──> sending ──> sent ──> accepted
      ▲ ▲         │ │        │ └───> rejected ──(handed over again)──> waiting
      │ │         │ │        ├─────> doubt     440 and the original cannot be compared
      │ └─────────┘ │        └─────> waiting   KSeF cancelled it: 405, 550
      │ (not sent)  ├─> doubt ──> waiting | sent
      │             └─> rejected     KSeF takes no technical correction: 21166, 21167
      ├──> rejected     the till replaced the file by a technical correction before it left
      └──> exempt ──(handed over to be sent after all)──> waiting

The same meanings as on the till (agent/domain/lifecycle.py). Triggers of both databases hold the same table
(agent/hub/store/migrations); a test compares them.
"""

from __future__ import annotations

from enum import StrEnum

from agent.domain.errors import IllegalTransition


class HubState(StrEnum):
    """Where an invoice stands between the hub and KSeF."""

    WAITING = "waiting"
    """Durable here, not on its way."""
    SENDING = "sending"
    """Committed just before the bytes leave; a crash here leads to doubt."""
    DOUBT = "doubt"
    """Nobody knows whether KSeF took it; asked first, resent only as the same bytes."""
    SENT = "sent"
    """KSeF took it (202) and has not decided."""
    ACCEPTED = "accepted"
    """KSeF gave it a number. Final."""
    REJECTED = "rejected"
    """KSeF refused it; a till that hands it over again orders another attempt."""
    EXEMPT = "exempt"
    """Never sent: a total failure lifted the duty (art. 106ng), or it stays out of KSeF. Here for the books."""


MOVES: frozenset[tuple[HubState, HubState]] = frozenset(
    {
        (HubState.WAITING, HubState.SENDING),
        (HubState.WAITING, HubState.REJECTED),
        (HubState.WAITING, HubState.EXEMPT),
        (HubState.EXEMPT, HubState.WAITING),
        (HubState.SENDING, HubState.WAITING),
        (HubState.SENDING, HubState.SENT),
        (HubState.SENDING, HubState.DOUBT),
        (HubState.SENDING, HubState.REJECTED),
        (HubState.DOUBT, HubState.WAITING),
        (HubState.DOUBT, HubState.SENT),
        (HubState.SENT, HubState.WAITING),
        (HubState.SENT, HubState.DOUBT),
        (HubState.SENT, HubState.ACCEPTED),
        (HubState.SENT, HubState.REJECTED),
        (HubState.REJECTED, HubState.WAITING),
    }
)

OPEN: frozenset[HubState] = frozenset({HubState.WAITING, HubState.SENDING, HubState.DOUBT, HubState.SENT})
"""What the hub still has to do something about."""


def check_move(old: HubState, new: HubState) -> None:
    """Raise IllegalTransition unless ``old -> new`` is in the table."""
    if (old, new) not in MOVES:
        raise IllegalTransition(f"hub invoice: {old} -> {new}")
