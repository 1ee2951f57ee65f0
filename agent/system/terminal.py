"""Terminals and pipes that cannot show Polish letters: what was done is told all the same, with letters near them."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

_NAME = "ksef-agent-nearest"
_UNFOLDED = str.maketrans("łŁ–„”…→", 'lL-"".>')
"""What Unicode does not take apart."""


def never_refuse() -> None:
    """Make the standard streams write the nearest letter, else "?", where their encoding lacks one.

    Without this a command that has issued or printed ends in a UnicodeEncodeError, and seems not to have.
    """
    codecs.register_error(_NAME, _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_UNFOLDED)
    letters = (unicodedata.normalize("NFKD", each)[0] for each in lacking)
    return "".join(each if each.isascii() else "?" for each in letters), error.end
