"""How long work in a thread lets a live agent's loop have the interpreter."""

from __future__ import annotations

import select


def let_others_run() -> None:
    """Release the interpreter for a moment.

    Not by time.sleep(0): under libfaketime (tests/integration/test_set_clock.py) it fails once the clock went back.
    """
    select.select((), (), (), 0)
