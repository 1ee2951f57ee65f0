"""How a command ends that is refused: a sentence on stderr, and an exit code.

0 done, 1 refused or found wanting, 3 wrong settings (no restart by systemd), 4 no answer: nobody knows whether it was
done, 130 after Ctrl+C. Without click, which the service does not load.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from agent.domain.errors import AgentError, ConfigError, OutcomeUnknown
from agent.system.os_errors import polish_reason

NAME = "ksef-agent"
WRONG_SETTINGS = 3
"""Exit code that needs a person: RestartPreventExitStatus of ksef-agent.service."""
OUTCOME_UNKNOWN = 4
"""Exit code where no answer came: whoever called has to ask again."""
INTERRUPTED = 130
"""Exit code after Ctrl+C."""


def exit_code(run: Callable[[], int]) -> int:
    """Run it; return its exit code, or that of the error it raises, which is told."""
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigError as error:
        _refuse(str(error))
        return WRONG_SETTINGS
    except AgentError as error:
        refused = _refuse(str(error))
        return OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else refused
    except OSError as error:
        return _refuse(_sentence(error))


def _sentence(error: OSError) -> str:
    """Return what to tell of it; raise what only a defect explains."""
    if error.filename:
        return f"{error.filename}: {polish_reason(error)}."
    if error.errno == errno.ENOSPC:  # stdout is a file on a full disk
        return "Nie ma miejsca na wynik polecenia; samo polecenie mogło się już wykonać."
    raise error


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{NAME}: {sentence}\n")
    return 1
