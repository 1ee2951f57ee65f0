"""The running count of long commands."""

from __future__ import annotations

import io

from agent.commands.progress import RunningCount


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_sees_the_count_grow_and_end() -> None:
    screen = Terminal()
    with RunningCount("Plików", screen) as running:
        for _ in range(25):
            running.step()
    assert screen.getvalue() == "\rPlików: 10\rPlików: 20\rPlików: 25\n"


def test_a_program_sees_nothing() -> None:
    pipe = io.StringIO()
    with RunningCount("Plików", pipe) as running:
        running.step()
    assert running.count == 1
    assert pipe.getvalue() == ""
