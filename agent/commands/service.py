"""`ksef-agent run` as a service runs it. Without click: what a till holds in memory for good has no command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.commands import rights
from agent.commands.service_layers import read_settings
from agent.settings.model import Settings


def serve(settings: Settings) -> int:
    """Serve until SIGTERM; return the exit code."""
    from agent import app  # noqa: PLC0415 - only this command needs the whole agent
    from agent.serving import serve as serving  # noqa: PLC0415
    from agent.system import journal  # noqa: PLC0415

    journal.configure(till=settings.till)
    app.require_data_dir(settings.data_dir)
    return asyncio.run(serving.run(settings))


def serve_by(file: Path | None) -> int:
    """Likewise, with the settings of ``file``; None: of where they are looked for."""
    settings = read_settings(file, need_files=True)
    rights.step_down(settings.data_dir)
    return serve(settings)
