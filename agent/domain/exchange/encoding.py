"""The bytes of an .epp as text: code page 1250 or 852 as its third field says, or UTF-8 where the bytes are that.

Polish text of one of the code pages is practically never valid UTF-8, and programs that write UTF-8 still say 1250, so
the bytes are believed before the field. What comes out names the codec, so that an answer is written in the same one.
"""

from __future__ import annotations

import codecs
import re

from agent.domain.errors import BadInput, FieldError

CODE_PAGES = {"1250": "cp1250", "852": "cp852"}
"""Field 3 of [INFO] -> the codec of Python."""
_START = re.compile(rb"\s*\[INFO\][ \t]*\r?\n")
_FIELDS = re.compile(rb'[ \t]*"?[^",\r\n]*"?[ \t]*,[^,\r\n]*,[ \t]*"?([0-9]*)"?[ \t]*[,\r\n]')
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def looks_like_exchange(data: bytes) -> bool:
    """Tell whether the bytes begin as an EDI++ file does."""
    return _START.match(data.removeprefix(codecs.BOM_UTF8)) is not None


def decode(data: bytes) -> tuple[str, str]:
    """Return the text and its codec; BadInput (epp-malformed, epp-encoding) where it is none."""
    if data.startswith(UTF_16):
        raise _wrong("Plik jest zapisany w UTF-16. Zapisz go w stronie kodowej Windows-1250.")
    bare = data.removeprefix(codecs.BOM_UTF8)
    start = _START.match(bare)
    if start is None:
        raise BadInput(
            "To nie jest plik EDI++: nie zaczyna się od etykiety [INFO].",
            code="epp-malformed",
            errors=(FieldError("1", "Pierwszy wiersz to [INFO].", "epp-malformed"),),
        )
    if not bare.isascii():
        try:
            return bare.decode("utf-8"), "utf-8-sig" if bare is not data else "utf-8"
        except UnicodeDecodeError:
            pass
    return _by_code_page(bare, start.end())


def _by_code_page(data: bytes, first_record: int) -> tuple[str, str]:
    found = _FIELDS.match(data, first_record)
    named = "" if found is None else found.group(1).decode("ascii")
    codec = CODE_PAGES.get(named, "cp1250" if data.isascii() else None)
    if codec is None:
        raise _wrong(f"Nieznana strona kodowa „{named}” (pole 3 w [INFO]); może być 1250 albo 852.")
    try:
        return data.decode(codec), codec
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(
            f"Wiersz {line} zawiera znak spoza strony kodowej {named}, którą podaje pole 3 w [INFO]."
        ) from error


def _wrong(sentence: str) -> BadInput:
    return BadInput(sentence, code="epp-encoding", errors=(FieldError("2:3", sentence, "epp-encoding"),))
