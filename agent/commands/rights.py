"""Whose rights a command has that works on the data of the agent."""

from __future__ import annotations

import os
import pwd
from contextvars import ContextVar
from pathlib import Path

TAKEN: ContextVar[str] = ContextVar("TAKEN", default="")
"""Whose rights root's command took over; empty: it has those of who called it."""


def step_down(data_dir: Path) -> None:
    """Let root become the owner of the data: a database file made by root would lock the agent out of its own data."""
    if os.geteuid() != 0:
        return
    try:
        owner = pwd.getpwuid(data_dir.stat().st_uid)
    except (OSError, KeyError):
        return
    if owner.pw_uid != 0:
        os.initgroups(owner.pw_name, owner.pw_gid)
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
        TAKEN.set(owner.pw_name)
