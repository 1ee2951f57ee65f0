"""A running count for long work whose end is not known, on stderr and only where a person watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

EVERY = 10


class RunningCount:
    """`with RunningCount("Zapisano plików") as count: count.step()`; nothing is shown where stderr is no terminal."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self.count = 0

    def step(self) -> None:
        """Count one more."""
        self.count += 1
        if self.count % EVERY == 0:
            self._show()

    def _show(self) -> None:
        if self._shown:
            self._stream.write(f"\r{self._label}: {self.count}")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show()
        if self._shown:
            self._stream.write("\n")
