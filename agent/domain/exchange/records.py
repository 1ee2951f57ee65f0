"""The text of an .epp as labels and records.

One record a line, fields by comma, text in double quotes with a quote inside doubled. Programs other than InsERT's do
not double it, so a quote that is followed by neither comma nor line end is taken as a letter of the text: „Rura 1/2"
PCV”. A text may hold line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.domain.errors import BadInput, FieldError
from agent.domain.values import dataclass

MAX_FIELDS = 200
MAX_TEXT = 4_000
"""Characters of one field; the format's longest has 500."""

_BREAK = re.compile(r"\r\n?|\n")
_BLANK = re.compile(r"[ \t\x1a]*(?:\r\n?|\n|\Z)")
"""An empty line; old programs end a file with Ctrl+Z."""
_LABEL = re.compile(r"[ \t]*\[([A-Z]+)\][ \t]*(?:\r\n?|\n|\Z)")
_FIELD = re.compile(
    r"""[ \t]*+
        (?: "((?:[^"]++|""|"(?![ \t]*(?:[,\r\n]|\Z)))*+)"[ \t]*
          | ([^",\r\n][^,\r\n]*|) )
        (?=[,\r\n]|\Z)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Label:
    """[INFO], [NAGLOWEK], [ZAWARTOSC]: the word, and the number of its line in the file."""

    line: int
    word: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its fields without quotes, the line it begins in, and where it stands in the text."""

    line: int
    fields: tuple[str, ...]
    start: int
    end: int

    def text(self, number: int) -> str:
        """Return field ``number``, counted from 1 as the format's description does; empty where there is none."""
        return self.fields[number - 1] if number <= len(self.fields) else ""


def read_records(text: str) -> Iterator[Label | Record]:
    """Yield labels and records in their order; BadInput (epp-malformed) names the line that cannot be read."""
    position, line = 0, 1
    while position < len(text):
        blank = _BLANK.match(text, position)
        label = None if blank is not None else _LABEL.match(text, position)
        if blank is not None:
            end = blank.end()
            if end == position:
                return
        elif label is not None:
            end = label.end()
            yield Label(line, label.group(1))
        else:
            record = _record(text, position, line)
            yield record
            end = _after_break(text, record.end)
        line += len(_BREAK.findall(text, position, end))
        position = end


def field_spans(text: str, record: Record) -> list[tuple[int, int]]:
    """Return where each field of a record stands in the text, quotes and blanks included."""
    spans = []
    position = record.start
    while True:
        found = _FIELD.match(text, position)
        assert found is not None  # it was read before
        spans.append(found.span())
        if found.end() >= record.end:
            return spans
        position = found.end() + 1


def is_complete(text: str) -> bool:
    """Tell whether the file ends as a whole one does: after a line break."""
    return text.rstrip(" \t\x1a").endswith(("\n", "\r"))


def _record(text: str, start: int, line: int) -> Record:
    fields: list[str] = []
    position = start
    while True:
        found = _FIELD.match(text, position)
        if found is None:
            raise malformed(line, f"pole {len(fields) + 1}: niedomknięty cudzysłów.")
        quoted, plain = found.groups()
        value = plain.rstrip(" \t") if quoted is None else quoted.replace('""', '"')
        if len(value) > MAX_TEXT:
            raise malformed(line, f"pole {len(fields) + 1} ma {len(value)} znaków; pewnie nie domknięto cudzysłowu.")
        fields.append(value)
        position = found.end()
        if position == len(text) or text[position] != ",":
            return Record(line, tuple(fields), start, position)
        if len(fields) == MAX_FIELDS:
            raise malformed(line, f"więcej niż {MAX_FIELDS} pól.")
        position += 1


def _after_break(text: str, position: int) -> int:
    found = _BREAK.match(text, position)
    return position if found is None else found.end()


def malformed(line: int, what: str) -> BadInput:
    """Return the refusal of a file that breaks the format at a line."""
    sentence = f"Wiersz {line}: {what}"
    return BadInput(
        f"Pliku EDI++ nie można odczytać. {sentence}",
        code="epp-malformed",
        errors=(FieldError(str(line), sentence, "epp-malformed"),),
    )
