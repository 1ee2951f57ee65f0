"""Where `ksef-agent` begins: a service without the command line (1 MB of a till's memory), anything else by it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.commands.ending import exit_code
from agent.system.terminal import never_refuse


def main() -> None:
    """Run a command; an error of ours is one sentence on stderr and an exit code (agent.commands.ending)."""
    never_refuse()
    sys.exit(exit_code(_service(sys.argv[1:]) or _command))


def _service(words: list[str]) -> Callable[[], int] | None:
    """Return what runs the service where it is asked for as systemd does: `run`, or `run --config FILE`."""
    match words:
        case ["run"]:
            file = None
        case ["run", "--config", name] if not Path(name).is_dir():
            file = Path(name)
        case _:
            return None
    from agent.commands.service import serve_by  # noqa: PLC0415 - the other commands do not need it

    return partial(serve_by, file)


def _command() -> int:
    from agent.command_line import run  # noqa: PLC0415 - the service does not need it

    return run()


if __name__ == "__main__":
    main()
