"""Every problem code this program answers with, and what it means for a developer of till software.

docs/api.md carries the same table. Codes are stable: add, never rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A code: its usual status and its English title."""

    status: int
    title: str


PROBLEMS: Final[dict[str, ProblemKind]] = {
    # The request as such.
    "bad-request": ProblemKind(400, "The request is not valid HTTP for this route"),
    "bad-query": ProblemKind(400, "A query parameter is wrong"),
    "not-json": ProblemKind(400, "The body is not valid JSON (UTF-8, one object)"),
    "duplicate-json-key": ProblemKind(400, "An object in the body has the same key twice"),
    "idempotency-key-missing": ProblemKind(400, "The Idempotency-Key header is missing or malformed"),
    "token-missing": ProblemKind(401, "No bearer token was sent"),
    "token-unknown": ProblemKind(401, "The bearer token is unknown or revoked"),
    "not-permitted": ProblemKind(403, "The role of the token does not allow this"),
    "origin-not-allowed": ProblemKind(403, "The Origin header is neither ours nor configured"),
    "not-found": ProblemKind(404, "There is no such invoice, document or route"),
    "method-not-allowed": ProblemKind(405, "The route does not know this method"),
    "body-too-large": ProblemKind(413, "The body is over the limit"),
    "unsupported-media-type": ProblemKind(415, "Neither application/json nor application/xml"),
    "host-not-allowed": ProblemKind(421, "The Host header is not an address of this agent"),
    # The content.
    "bad-input": ProblemKind(422, "One or more fields are wrong; errors names each"),
    "idempotency-key-reused": ProblemKind(422, "The key was used before with another body"),
    "refused": ProblemKind(422, "The request can not be done as it stands"),
    "conflict": ProblemKind(409, "The law, KSeF or the state of the invoice forbids it"),
    # The agent.
    "internal-error": ProblemKind(500, "A defect of the agent; the detail holds the id of the log entry"),
    "unavailable": ProblemKind(503, "Can not be done now; repeat with the same key"),
    "tokens-unreadable": ProblemKind(503, "tokens.json can not be read"),
    "disk-full": ProblemKind(507, "No room on the disk; nothing was stored"),
}
