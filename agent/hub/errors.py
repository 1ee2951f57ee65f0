"""Errors of the hub beside those of agent/domain/errors.py.

AgentError
└── LeadershipLost    another process of the hub talks to KSeF for this NIP now; nothing was stored. Never repeat:
                      the new holder has taken over everything that was under way
"""

from __future__ import annotations

from agent.domain.errors import AgentError


class LeadershipLost(AgentError):
    """A unit of a holder that is none any more."""
