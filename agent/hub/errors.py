"""Errors of the hub beside those of agent/domain/errors.py.

AgentError
├── LeadershipLost    another process of the hub talks to KSeF for this NIP now; nothing was stored. Never repeat:
│                     the new holder has taken over everything that was under way
└── CredentialsEnded  this process can no longer sign in for a NIP; another may, or it again with a new pair
"""

from __future__ import annotations

from agent.domain.errors import AgentError


class LeadershipLost(AgentError):
    """A unit of a holder that is none any more."""


class CredentialsEnded(AgentError):
    """The certificate by which this process talks to KSeF for a NIP has ended, and with it the right to lead it."""
