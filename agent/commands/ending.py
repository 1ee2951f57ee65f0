"""How a command ends that is refused: a sentence on stderr, and an exit code.

0 done, 1 refused or found wanting, 3 wrong settings (no restart by systemd), 4 no answer: nobody knows whether it was
done, 130 after Ctrl+C. Without click, which the service does not load.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from agent.commands import rights
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
    rights.TAKEN.set("")
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigError as error:
        _refuse(str(error))
        return WRONG_SETTINGS
    except AgentError as error:
        refused = _refuse(str(error) + _whose_rights(error))
        return OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else refused
    except OSError as error:
        return _refuse(_sentence(error) + _whose_rights(error))


def _sentence(error: OSError) -> str:
    """Return what to tell of it; raise what only a defect explains."""
    if error.filename:
        return f"{error.filename}: {polish_reason(error)}."
    if error.errno == errno.ENOSPC:  # stdout is a file on a full disk
        return "Nie ma miejsca na wynik polecenia; samo polecenie mogło się już wykonać."
    raise error


def _whose_rights(error: BaseException) -> str:
    """Return what to add where rights did not suffice: root does not expect it, anybody else may ask root."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno in {errno.EACCES, errno.EPERM}):
        cause = cause.__cause__
    if cause is None:
        return ""
    if taken := rights.TAKEN.get():
        return (
            f" Polecenie roota ma tu prawa użytkownika {taken}: podaj miejsce, do którego ma on dostęp, "
            "na przykład w katalogu /var/tmp."
        )
    person = os.geteuid() != 0 and sys.stderr.isatty()
    return " Uruchom polecenie jako root (sudo)." if person else ""


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{NAME}: {sentence}\n")
    return 1
