"""The same .epp for the way back: remarks (field 49) of each document that is in KSeF end with its KSeF number."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain.exchange.file import ExchangeFile
from agent.domain.exchange.records import field_spans
from agent.domain.exchange.sale import REMARKS

MAX_REMARKS = 255


def with_ksef_numbers(found: ExchangeFile, numbers: Mapping[int, str]) -> bytes:
    """Return the file; everything but those remarks stays as it was, byte by byte.

    numbers  position of a document in the file, from 0 -> its KSeF number
    """
    pieces: list[str] = []
    position = 0
    for index, document in enumerate(found.documents):
        if index not in numbers:
            continue
        header = document.header
        spans = field_spans(found.text, header)
        written = _quoted(_remarks(header.text(REMARKS), numbers[index]))
        if len(spans) >= REMARKS:
            start, end = spans[REMARKS - 1]
        else:
            start = end = header.end
            written = "," * (REMARKS - len(spans)) + written
        pieces += [found.text[position:start], written]
        position = end
    pieces.append(found.text[position:])
    return "".join(pieces).encode(found.codec)


def _remarks(remarks: str, ksef_number: str) -> str:
    if ksef_number in remarks:
        return remarks
    addition = f"KSeF {ksef_number}"
    kept = remarks[: MAX_REMARKS - len(addition) - 1].rstrip()
    return f"{kept} {addition}" if kept else addition


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
