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
        old="    require_reader(request)\n    first, last = request_query.required_day",
        new="    first, last = request_query.required_day",
        tests=("tests/unit/web",),
    ),
    Planted(
        what="HEAD without a token",
        path="agent/web/security.py",
        old="if request.path.startswith(PROTECTED_PREFIX) or request.path == SESSION_PATH:",
        new=(
            "if (request.path.startswith(PROTECTED_PREFIX) or request.path == SESSION_PATH)"
            ' and request.method != "HEAD":'
        ),
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
        old="if foreign and PERMITTED_ORIGIN not in request:",
        new='if foreign and origin == "null":',
        tests=("tests/unit/web",),
    ),
    Planted(
        what="the hash of stripped bytes",
        path="agent/services/issuing/documents.py",
        old="        sha256 = hashlib.sha256(built.xml).digest()\n",
        new="        sha256 = hashlib.sha256(built.xml.strip()).digest()\n",
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
        what="an answer before the commit",
        path="agent/store/sqlite.py",
        old="            result = await self._writer.drive(partial(self._transact, unit.work))\n",
        new=(
            "            loop = asyncio.get_running_loop()\n\n"
            "            async def answered(tx: SqliteTransaction) -> object:\n"
            "                result = await unit.work(tx)\n"
            "                loop.call_soon_threadsafe(unit.succeed, result)\n"
            "                return result\n\n"
            "            result = await self._writer.drive(partial(self._transact, answered))\n"
        ),
        tests=("tests/unit/store/test_failures.py", "tests/crash/test_store_kill.py"),
    ),
    Planted(
        what="a commit that failed is answered as done",
        path="agent/store/sqlite.py",
        old="            raise failure from error\n        if unit.numbers or",
        new="        if unit.numbers or",
        tests=("tests/unit/store/test_failures.py",),
    ),
    Planted(
        what="a number counted outside the transaction: what is rolled back keeps it",
        path="agent/services/issuing/issue.py",
        old="        return self._documents.number(series, await tx.invoices.next_serial(series), moment.now)\n",
        new=(
            '        counted: dict[str, int] = vars(self).setdefault("counted", {})\n'
            "        counted[series] = counted.get(series, await tx.invoices.next_serial(series) - 1) + 1\n"
            "        return self._documents.number(series, counted[series], moment.now)\n"
        ),
        tests=("tests/unit/issuing", "tests/crash/test_port_points.py"),
    ),
    Planted(
        what="sent again under a new number",
        path="agent/services/delivery/sender.py",
        old="            record.xml,\n            record.sha256,\n",
        new=(
            '            record.xml if record.attempts < 2 else record.xml.replace(b"</P_2>", b"A</P_2>"),\n'
            "            record.sha256,\n"
        ),
        tests=("tests/unit/delivery", "tests/crash/test_port_points.py"),
    ),
    Planted(
        what="a technical correction under a new number",
        path="agent/services/issuing/rejected.py",
        old="        new = xml if xml is not None else with_new_timestamp(record.xml, now)\n",
        new=(
            "        new = xml if xml is not None else with_new_timestamp(record.xml, now)\n"
            '        new = new.replace(b"</P_2>", b"A</P_2>")\n'
        ),
        tests=("tests/unit/issuing", "tests/integration/test_technical_correction.py", "tests/unit/web"),
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
        path="agent/services/delivery/duplicates.py",
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
        path="agent/store/invoices.py",
        old="        AND (base.ksef_number IS NOT NULL OR base.state = 'exempt' OR base.mode = 'total_failure')\n",
        new="",
        tests=("tests/unit/delivery",),
    ),
    Planted(
        what="Retry-After ignored",
        path="agent/services/delivery/records.py",
        old="if error is not None and error.retry_after is not None:",
        new="if error is not None and error.retry_after == 0.5:",
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
        what="what fails in a row is tried again at once",
        path="agent/ksef/failed_calls.py",
        old="            self._in_a_row += 1\n",
        new="            self._in_a_row = 1\n",
        tests=("tests/unit/ksef/test_failed_calls.py",),
    ),
    Planted(
        what="what came too soon after a session is opened again and again",
        path="agent/ksef/sessions.py",
        old="                self._rests_until = now + max(COOLDOWN_SECONDS, self._pace())\n",
        new="                self._rests_until = now\n",
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
        old="        except KsefError as error:\n            found.append(None)\n",
        new="        except ZeroDivisionError as error:\n            found.append(None)\n",
        tests=("tests/unit/ksef",),
    ),
    Planted(
        what="a wrong buyer pressed again after KSeF refused the correction alone: two invoices for one sale",
        path="agent/services/issuing/new_invoices.py",
        old="if wanted is None or not earlier.any_lost:",
        new="if wanted is None or earlier.any_lost:",
        tests=("tests/unit/corrections/test_lost_correction.py",),
    ),
)
