"""What the log tells of: the names in the append-only log, in webhooks and in evidence. None is ever renamed."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """Kind of an event. A log may hold kinds of a newer program, so what is read stays text."""

    # an invoice, and its way to KSeF
    ISSUED = "issued"
    CORRECTED = "corrected"
    MODE = "mode"
    DEADLINE = "deadline"
    SENDING = "sending"
    SENT = "sent"
    SEND_FAILED = "send_failed"
    BATCH_OPENED = "batch_opened"
    NOT_IN_BATCH = "not_in_batch"
    IN_DOUBT = "in_doubt"
    DOUBT_REMAINS = "doubt_remains"
    DOUBT_CLEARED = "doubt_cleared"
    DAMAGED = "damaged"
    CANCELLED_BY_KSEF = "cancelled_by_ksef"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    COLLISION = "collision"
    EXEMPT = "exempt"
    DUTY_BACK = "duty_back"
    UPO = "upo"
    UPO_MISMATCH = "upo_mismatch"
    # a rejected one
    TECHNICAL_CORRECTION = "technical_correction"
    RESEND = "resend"
    CLOSED = "closed"
    # what the law wants no longer
    ERASED = "erased"
    # the books
    BOOKS_READ = "books_read"
    # paper
    PRINT_QUEUED = "print_queued"
    PRINT_PRINTED = "print_printed"
    PRINT_FAILED = "print_failed"
    PRINT_UNCERTAIN = "print_uncertain"
    REPRINT = "reprint"
    SLIP_PRINTING = "slip_printing"
    SLIP_PRINTED = "slip_printed"
    SLIP_FAILED = "slip_failed"
    SLIP_REPRINT = "slip_reprint"
    # a correction that waits for its base
    CORRECTION_HELD = "correction_held"
    CORRECTION_REFUSED = "correction_refused"
    CORRECTION_SETTLED = "correction_settled"
    # sessions, series
    SESSION_UPO = "session_upo"
    SESSION_WITHOUT_UPO = "session_without_upo"
    SERIES_RESUMED = "series_resumed"
    # the world around
    FACT = "fact"
    LATARNIA = "latarnia"
    LINE = "line"
    CLOCK_STEPPED = "clock_stepped"
    CLOCK_CONFIRMED = "clock_confirmed"
    ALERT_STARTED = "alert_started"
    ALERT_ENDED = "alert_ended"
    OUTBOX_REPLAY = "outbox_replay"
    STORE_RESTORED = "store.restored"
