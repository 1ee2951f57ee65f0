"""CSV that a program reads (RFC 4180), or that a Polish Excel opens by a double click; no cell becomes a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache

from agent.domain.values import dataclass
from agent.domain.vat import amount_text

BOM = "\ufeff"
_FORMULA = frozenset("=+-@\t\r")
_NUMBER = re.compile(r"-?[0-9]+([.,][0-9]+)?")

Cell = str | int | bool | Decimal | None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written; always UTF-8 and CRLF. Excel takes a file for UTF-8 only by its byte order mark."""

    delimiter: str = ","
    decimal_mark: str = "."
    bom: bool = False

    def begin(self, columns: Iterable[str]) -> str:
        """Return the byte order mark, where there is one, and the line of column names."""
        return (BOM if self.bom else "") + self.line(columns)

    def line(self, cells: Iterable[Cell]) -> str:
        """Return one line: Decimals with two places, yes and no as 1 and 0, nothing as an empty cell."""
        text = self._text
        # most cells are empty or plain text: those cost no call
        return _row_writer(self.delimiter)(
            [
                "" if cell is None else cell if type(cell) is str and cell[:1] not in _FORMULA else text(cell)
                for cell in cells
            ]
        )

    def amount(self, value: Decimal) -> str:
        """Return an amount with two places."""
        text = amount_text(value)
        return text if self.decimal_mark == "." else text.replace(".", self.decimal_mark)

    def _text(self, cell: Cell) -> str:
        if isinstance(cell, Decimal):
            return self.amount(cell)
        if isinstance(cell, str):
            # A name must not become a formula when somebody opens the file in a spreadsheet.
            formula = cell[:1] in _FORMULA and _NUMBER.fullmatch(cell) is None
            return f"'{cell}" if formula else cell
        if isinstance(cell, bool):
            return "1" if cell else "0"
        return str(cell)


class _Echo:
    """Gives each row back: csv's writerow() returns what write() does."""

    @staticmethod
    def write(text: str) -> str:
        return text


@cache
def _row_writer(delimiter: str) -> Callable[[Iterable[str]], str]:
    return csv.writer(_Echo(), delimiter=delimiter).writerow


RFC_4180 = Dialect()
EXCEL = Dialect(delimiter=";", decimal_mark=",", bom=True)
"""As Excel with Polish regional settings writes and reads it."""
