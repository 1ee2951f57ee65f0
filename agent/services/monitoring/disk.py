"""Room on the disk of the database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LEAST_FREE = 1024 * 1024
"""Bytes that an invoice, its log and its paper surely fit into."""


class Disk:
    """Looked at whenever somebody asks: it costs a system call."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def free(self) -> int:
        """Return the free bytes."""
        return shutil.disk_usage(self._data_dir).free

    def files(self) -> int | None:
        """Return how many more files there is a place for (inodes); None where the file system counts none."""
        facts = os.statvfs(self._data_dir)
        return facts.f_favail if facts.f_files else None
