"""Bugs that a suite once let pass, or must never let pass: each is planted and has to be seen.

``old`` stands in the file exactly once. docs/reliability.md, section 4, names the kinds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug, and the tests that have to see it."""

    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


PLANTED = (
    Planted(
        what="a restart turns what was printing into failed: it would print again by itself",
        path="agent/services/paper/interrupted.py",
        old="await tx.prints.move(job.id, PrintState.UNCERTAIN, problem=RESTARTED_WHILE_PRINTING)",
        new="await tx.prints.move(job.id, PrintState.FAILED, problem=RESTARTED_WHILE_PRINTING)",
        tests=("tests/unit/issuing/test_issue.py", "tests/unit/paper"),
    ),
    Planted(
        what="bytes leave for the printer before they are durable",
        path="agent/services/paper/printing.py",
        old="        await self._store.write(partial(_note_leaving, self._job_id, printer, data, self.times > 1))\n",
        new="        return\n",
        tests=("tests/unit/issuing/test_issue.py", "tests/unit/paper"),
    ),
    Planted(
        what="evidence open to cashiers",
        path="agent/web/records.py",
        old="    require_reader(request)\n    first, last",
        new="    first, last",
        tests=("tests/unit/web",),
    ),
    Planted(
        what="HEAD without a token",
        path="agent/web/security.py",
        old="if request.path.startswith(PROTECTED_PREFIX):",
        new='if request.path.startswith(PROTECTED_PREFIX) and request.method != "HEAD":',
        tests=("tests/unit/web",),
    ),
    Planted(
        what="a cashier does what a manager may",
        path="agent/web/security.py",
        old="if caller.role is not Role.MANAGER:",
        new="if caller.role is Role.AUDITOR:",
        tests=("tests/unit/web",),
    ),
    Planted(
        what="a foreign page may call",
        path="agent/web/security.py",
        old="if foreign and origin not in configured:",
        new='if foreign and origin == "null":',
        tests=("tests/unit/web",),
    ),
    Planted(
        what="the hash of stripped bytes",
        path="agent/services/issuing/documents.py",
        old="        sha256 = hashlib.sha256(built.xml).digest()\n        if",
        new="        sha256 = hashlib.sha256(built.xml.strip()).digest()\n        if",
        tests=("tests/unit/issuing", "tests/unit/fa3"),
    ),
    Planted(
        what="a repeated key compares stripped bytes",
        path="agent/services/issuing/issue.py",
        old="hashlib.sha256(request.content).digest()",
        new="hashlib.sha256(request.content.strip()).digest()",
        tests=("tests/unit/issuing", "tests/unit/web"),
    ),
    Planted(
        what="the store takes bytes under another hash",
        path="agent/store/invoices.py",
        old="        if hashlib.sha256(xml).digest() != sha256:\n            raise ValueError",
        new="        if not sha256:\n            raise ValueError",
        tests=("tests/unit/store", "tests/contract/test_store_contract.py"),
    ),
    Planted(
        what="synchronous=NORMAL",
        path="agent/store/connection.py",
        old='"synchronous": 3,',
        new='"synchronous": 1,',
        tests=("tests/unit/store/test_opening.py",),
    ),
    Planted(
        what="a deadline a business day later",
        path="agent/domain/outages/deadlines.py",
        old="    day = calendar.next_business_day(issued_on)",
        new="    day = calendar.next_business_day(calendar.next_business_day(issued_on))",
        tests=("tests/unit/outages",),
    ),
    Planted(
        what="a timeout taken as not sent",
        path="agent/ksef/client.py",
        old="sent = CallOutcome.UNKNOWN if request.on_the_wire else CallOutcome.NOT_SENT",
        new="sent = CallOutcome.NOT_SENT",
        tests=("tests/integration/test_ksef_faults.py",),
    ),
    Planted(
        what="440 taken as success without comparing",
        path="agent/services/delivery/verdicts.py",
        old="if original == record.sha256:",
        new="if original:",
        tests=("tests/unit/delivery",),
    ),
    Planted(
        what="an unknown outcome sent again without asking",
        path="agent/services/delivery/sender.py",
        old="to = InvoiceState.IN_DOUBT if error.outcome is CallOutcome.UNKNOWN else InvoiceState.ISSUED",
        new="to = InvoiceState.ISSUED",
        tests=("tests/unit/delivery",),
    ),
    Planted(
        what="a batch intent keeps an older session",
        path="agent/services/delivery/batches.py",
        old='InvoiceChange(attempted=True, session_ref="", invoice_ref="")',
        new="InvoiceChange(attempted=True)",
        tests=("tests/unit/delivery/test_recovery.py",),
    ),
    Planted(
        what="a correction leaves before its base",
        path="agent/services/delivery/queue.py",
        old="if base is None or base.ksef_number is not None or base.outside_ksef:",
        new="if base is None or base is not None:",
        tests=("tests/unit/delivery",),
    ),
    Planted(
        what="Retry-After ignored",
        path="agent/services/delivery/verdicts.py",
        old="if error is not None and error.retry_after is not None:\n            return self.waits",
        new="if error is not None and error.retry_after == 0.5:\n            return self.waits",
        tests=("tests/unit/delivery",),
    ),
    Planted(
        what="a rest outlasts its cause",
        path="agent/services/delivery/backoff.py",
        old="        self._taken += 1\n",
        new="        return\n",
        tests=("tests/unit/delivery/test_recovery.py",),
    ),
    Planted(
        what="what came too soon after a session is opened again and again",
        path="agent/ksef/sessions.py",
        old="            self._rests_until = now + COOLDOWN_SECONDS\n",
        new="            self._rests_until = now\n",
        tests=("tests/integration/test_live_habits.py",),
    ),
    Planted(
        what="a clock behind the newest invoice believed",
        path="agent/domain/clock_check.py",
        old="    if newest is not None and local_date(reading.wall) < local_date(newest):",
        new="    if newest is not None and reading.wall == newest:",
        tests=("tests/unit/outages",),
    ),
    Planted(
        what="an unreadable key costs all keys",
        path="agent/ksef/responses.py",
        old='        except KsefError as error:\n            log.warning("an item',
        new='        except ZeroDivisionError as error:\n            log.warning("an item',
        tests=("tests/unit/ksef",),
    ),
)
