"""Files that commands write where a person says."""

from __future__ import annotations

from pathlib import Path

from agent.domain.errors import Refused
from agent.system.durable_files import write_whole
from agent.system.os_errors import polish_reason


def write_file(path: Path, content: bytes) -> None:
    """Write it whole or not at all; Refused where it cannot be written."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise Refused(f"Nie można zapisać {path}: {polish_reason(error)}.", code="not-written") from error
