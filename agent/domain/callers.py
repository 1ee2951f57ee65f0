"""Who asks, and what that person or program may do."""

from __future__ import annotations

from enum import StrEnum

from agent.domain.values import dataclass


class Role(StrEnum):
    """What a token may do."""

    CASHIER = "cashier"
    """Issue, correct, reprint, read."""
    MANAGER = "manager"
    """Everything, and declare modes, technical corrections, evidence."""
    AUDITOR = "auditor"
    """Read invoices, registers and evidence; issue, print and change nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token's name and role."""

    name: str
    role: Role
