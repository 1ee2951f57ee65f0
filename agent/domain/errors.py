"""Errors of the rules.

AgentError                    every error this program raises on purpose
├── Refused                   the request cannot be done; repeating it unchanged never helps
│   ├── BadInput              the input is wrong; names the field (HTTP 422, or 400/413/415 by code)
│   ├── KeyReused             same idempotency key, other body (422)
│   ├── NotFound              no such invoice, route, token (404)
│   ├── NotPermitted          the role may not do this (403)
│   ├── Conflict              law, KSeF or the state of the invoice forbids it (409)
│   └── DocumentDamaged       the stored bytes are not those of their hash: never sent, printed, handed out (500)
├── Unavailable               cannot be done now; repeating with the same key is safe (503; disk full 507)
│   └── OutcomeUnknown        no answer came: it may have been done; the same key tells, and makes nothing twice
├── StoreLost                 the outcome of a COMMIT is unknown or the disk failed: the process must end
│   └── StoreMoved            the database's files were renamed, deleted or replaced under the running program
├── StoreUnfit                the database cannot be used as it is: the program must not start
├── IllegalTransition         a state change outside lifecycle.py: a defect, never retried
└── ConfigError               the settings are wrong; every mistake at once

``detail`` and messages are Polish: a cashier or a technician reads them. ``code`` is stable, English, kebab-case.
"""

from __future__ import annotations

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake: JSON pointer (RFC 6901) into the input, a Polish sentence, a stable code."""

    pointer: str
    message: str
    code: str = "invalid"


class AgentError(Exception):
    """Root of all errors raised on purpose."""

    retry_safe = False


class Refused(AgentError):
    """The request cannot be done as it stands. Nothing was stored, printed or sent."""

    code = "refused"

    def __init__(self, detail: str, *, code: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = errors


class BadInput(Refused):
    """The input is wrong; ``errors`` names each field."""

    code = "bad-input"


class KeyReused(Refused):
    """The idempotency key was used before with another body."""

    code = "idempotency-key-reused"


class NotFound(Refused):
    """There is no such thing here."""

    code = "not-found"


class NotPermitted(Refused):
    """The caller's role does not allow this."""

    code = "not-permitted"


class Conflict(Refused):
    """The law, KSeF or the state of the thing forbids it."""

    code = "conflict"


ALTERED = "numer, data albo kwota w niej są inne niż w jej pliku XML"
"""Why an invoice whose row was changed is not printed, nor told again."""


class DocumentDamaged(Refused):
    """The stored bytes of a document, or its links, are not those that its SHA-256 names: the disk changed them.

    Or what its row says (``why``) is not what they do.
    """

    code = "document-damaged"

    def __init__(self, what: str, why: str = "nie zgadza się ze skrótem SHA-256") -> None:
        super().__init__(
            f"{what}: treść w bazie danych jest uszkodzona ({why}), więc nie wolno jej "
            "przesłać, wydrukować ani wydać. Wezwij serwis; potrzebna jest kopia zapasowa."
        )


class Unavailable(AgentError):
    """Cannot be done now. Repeating with the same idempotency key is safe."""

    retry_safe = True

    def __init__(self, detail: str, *, code: str = "unavailable") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class OutcomeUnknown(Unavailable):
    """No answer came: nobody knows whether it was done. Repeating with the same idempotency key is safe, and tells."""


class StoreLost(AgentError):
    """The disk failed under the database, or nobody knows whether the last COMMIT holds.

    Nothing may be answered, printed or sent after it. The process ends; after the restart the idempotency key decides.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class StoreMoved(StoreLost):
    """The database's names no longer lead to the files this process has open. Nothing of this unit was stored."""


class StoreUnfit(AgentError):
    """The database cannot be trusted or understood: damaged, of a newer version, or on the wrong kind of disk."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class IllegalTransition(AgentError):
    """A state change that lifecycle.py does not know."""


class ConfigError(AgentError):
    """Wrong settings. ``problems`` holds one Polish sentence per mistake, with its line where known."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
