"""`python -m agent.sandbox`: the same as `ksef-agent sandbox`."""

from __future__ import annotations

from agent.commands.sandbox import command

command()
