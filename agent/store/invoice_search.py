"""A search for invoices as SQL: conditions are constants of this module, what was typed is always a parameter."""

from __future__ import annotations

import re
from typing import Final

from agent.ports import InvoiceFilter
from agent.store import codec
from agent.store.connection import Value

_CORRECTS: Final = "invoices.id IN (SELECT correction_id FROM correction_bases WHERE {})"
_PAPER_IS: Final = """(
    SELECT print_jobs.state FROM print_jobs WHERE print_jobs.invoice_id = invoices.id
    ORDER BY print_jobs.id DESC LIMIT 1
) IN (SELECT value FROM json_each(:papers))"""
_MARKED: Final = "ąćęłńóśźżäöüáéíúýčěřšůž"
_PLAIN: Final = "acelnoszzaouaeiuycersuz"
"""Letters of Polish and of its neighbours, and how people without such keys type them."""
_AMOUNT: Final = re.compile(r"-?(\d[\d\s]{0,12})(?:[.,](\d{1,2}))?\s*(?:zł|pln)?")
_GROUPED: Final = re.compile(r"(?:pl)?\s*[\d\s-]*\d[\d\s-]*")
"""A number in groups, as a NIP or a part of one."""
_FEWEST_DIGITS: Final = 3


def where(query: InvoiceFilter) -> tuple[str, dict[str, Value]]:
    """Return the WHERE clause ("" without conditions) and its parameters, with the limit."""
    conditions, parameters = _conditions(query)
    where = f"WHERE {' AND '.join(conditions)}\n" if conditions else ""
    return where, {**parameters, "limit": query.limit}


def _conditions(query: InvoiceFilter) -> tuple[list[str], dict[str, Value]]:
    """Return SQL conditions (constants of this function) and their parameters."""
    conditions: list[str] = []
    parameters: dict[str, Value] = {}

    def add(condition: str, name: str, value: Value) -> None:
        conditions.append(condition)
        parameters[name] = value

    if query.states is not None:
        add("invoices.state IN (SELECT value FROM json_each(:states))", "states", codec.dump(sorted(query.states)))
    if query.issued_from is not None:
        add("invoices.issued_on >= :issued_from", "issued_from", query.issued_from.isoformat())
    if query.issued_to is not None:
        add("invoices.issued_on <= :issued_to", "issued_to", query.issued_to.isoformat())
    for column, value in (
        ("invoices.number", query.number),
        ("versions.sha256", query.sha256),
        ("invoices.external_ref", query.external_ref),
        ("invoices.buyer_identifier", query.buyer_identifier),
    ):
        if value is not None:
            name = column.partition(".")[2]
            add(f"{column} = :{name}", name, value)
    if query.text is not None:
        words, values = _text(query.text)
        conditions.append(words)
        parameters.update(values)
    if query.papers is not None:
        add(_PAPER_IS, "papers", codec.dump(sorted(query.papers)))
    if query.base_id is not None:
        add(_CORRECTS.format("base_id = :of_id"), "of_id", query.base_id)
    if query.base_number is not None:
        add(_CORRECTS.format("number = :of_number"), "of_number", query.base_number)
    if query.base_ksef_number is not None:
        add(_CORRECTS.format("ksef_number = :of_ksef_number"), "of_ksef_number", query.base_ksef_number)
    if query.base_issued is not None:
        first, last = query.base_issued
        add(_CORRECTS.format("issued_on BETWEEN :of_first AND :of_last"), "of_first", first.isoformat())
        parameters["of_last"] = last.isoformat()
    if query.after_id is not None:
        add("invoices.seq < (SELECT seq FROM invoices WHERE id = :after_id)", "after_id", query.after_id)
    return conditions, parameters


def _text(typed: str) -> tuple[str, dict[str, Value]]:
    """Number, buyer or reference containing it, whatever the case and marks; the KSeF number; the amount."""
    text = typed.strip().casefold()
    column = "invoices.search"
    for marked, plain in zip(_MARKED, _PLAIN, strict=True):
        column = f"replace({column}, '{marked}', '{plain}')"
    words = [f"instr({column}, :text) > 0", "upper(invoices.ksef_number) = :ksef_number"]
    parameters: dict[str, Value] = {"text": text.translate(str.maketrans(_MARKED, _PLAIN)), "ksef_number": text.upper()}
    digits = re.sub(r"\D", "", text)
    if len(digits) >= _FEWEST_DIGITS and digits != text and _GROUPED.fullmatch(text):
        words.append("instr(invoices.search, :digits) > 0")
        parameters["digits"] = digits
    if amount := _AMOUNT.fullmatch(text):
        words.append("abs(abs(CAST(invoices.totals ->> '$.gross' AS REAL)) - :amount) < 0.005")
        whole, part = re.sub(r"\s", "", amount[1]), amount[2] or "0"
        parameters["amount"] = float(f"{whole}.{part}")
    return f"({' OR '.join(words)})", parameters
